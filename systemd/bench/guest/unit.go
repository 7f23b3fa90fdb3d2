package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"circdesk/cmd/kioskd/control"

	"golang.org/x/sys/unix"
)

// property is what systemd knows of the unit.
func property(ctx context.Context, name string) (string, error) {
	out, err := exec.CommandContext(ctx, "systemctl", "show", "kioskd", "--value", "-p", name).Output()
	return strings.TrimSpace(string(out)), err
}

func number(ctx context.Context, name string) (int, error) {
	text, err := property(ctx, name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// hang stops the daemon in the middle of a visit and leaves the rest to its watchdog.
func (b *bench) hang(ctx context.Context) error {
	return b.end(ctx, unix.SIGSTOP, "Watchdog timeout")
}

// kill ends the daemon without a word in the middle of a visit.
func (b *bench) kill(ctx context.Context) error { return b.end(ctx, unix.SIGKILL, "code=killed") }

// end does something to the daemon and sees it come back with all that it had said.
func (b *bench) end(ctx context.Context, signal unix.Signal, said string) error {
	s := b.scanners[0]
	if err := ready(ctx, s); err != nil {
		return err
	}
	if err := b.borrow(ctx, s, 2); err != nil {
		return err
	}
	before, err := ask[control.Line](ctx, "journal")
	if err != nil {
		return err
	}
	restarts, err := number(ctx, "NRestarts")
	if err != nil {
		return err
	}
	pid, err := number(ctx, "MainPID")
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, signal); err != nil {
		return err
	}
	err = until(ctx, func(ctx context.Context) error {
		n, err := number(ctx, "NRestarts")
		if err == nil && n == restarts {
			err = errors.New("nobody has started it again")
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := answers(ctx); err != nil {
		return err
	}
	if err := logged(ctx, said); err != nil {
		return err
	}
	if err := b.intact(ctx, before); err != nil {
		return err
	}
	if err := becomes(ctx, s.name, "ready"); err != nil {
		return err
	}
	return errors.Join(b.borrow(ctx, s, 1), gone(ctx, s))
}

// logged makes sure that systemd said so of the unit.
func logged(ctx context.Context, text string) error {
	out, err := exec.CommandContext(ctx, "journalctl", "-q", "-b", "-o", "cat", "_PID=1", "UNIT=kioskd.service").Output()
	if err == nil && !strings.Contains(string(out), text) {
		err = fmt.Errorf("systemd did not say %q of the unit", text)
	}
	return err
}

// probe says of each path how it can be opened: "w" to write, "r" to read, "busy" if somebody has it for
// himself alone, "-" not at all.
func probe(w io.Writer, paths []string) error {
	for _, path := range paths {
		verdict := "-"
		for _, way := range []struct {
			flag int
			name string
		}{{unix.O_RDONLY, "r"}, {unix.O_RDWR, "w"}} {
			fd, err := unix.Open(path, way.flag|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
			switch {
			case err == nil:
				verdict = way.name
				if err := unix.Close(fd); err != nil {
					return err
				}
			case errors.Is(err, unix.EBUSY):
				verdict = "busy"
			case !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EISDIR):
				verdict = err.Error()
			}
		}
		if _, err := fmt.Fprintf(w, "%s %s\n", path, verdict); err != nil {
			return err
		}
	}
	return nil
}

// The places of the copied unit and of what it says.
const (
	probeUnit = "/run/systemd/system/bench-probe.service"
	probeSaid = "/run/bench-probe"
)

// within runs probe in a copy of the desk's unit that differs in nothing but its program.
func within(ctx context.Context, paths []string) (map[string]string, error) {
	unit, err := os.ReadFile("/usr/lib/systemd/system/kioskd.service")
	if err != nil {
		return nil, err
	}
	var copied []string
	for line := range strings.Lines(string(unit)) {
		switch {
		case strings.HasPrefix(line, "ExecStart="):
			line = "ExecStart=/usr/local/sbin/bench-guest probe " + strings.Join(paths, " ") + "\nStandardOutput=truncate:" + probeSaid + "\n"
		case strings.HasPrefix(line, "Type="):
			line = "Type=oneshot\n"
		case strings.HasPrefix(line, "Restart="), strings.HasPrefix(line, "WatchdogSec="), strings.HasPrefix(line, "RuntimeDirectory="), strings.HasPrefix(line, "Exec"):
			continue // the first two are for services that stay; the third would take the desk's own away
		}
		copied = append(copied, line)
	}
	if err := os.WriteFile(probeUnit, []byte(strings.Join(copied, "")), 0o644); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"daemon-reload"}, {"start", "bench-probe"}} {
		if out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("systemctl %q: %w: %s", args, err, out)
		}
	}
	text, err := os.ReadFile(probeSaid)
	said := map[string]string{}
	for line := range strings.Lines(string(text)) {
		path, verdict, _ := strings.Cut(strings.TrimSpace(line), " ")
		said[path] = verdict
	}
	return said, err
}

// forbidden are devices that are no business of the desk's.
func forbidden() []string {
	return []string{"/dev/vda", "/dev/mem", "/dev/kmsg", "/dev/tty1", "/dev/vcs1", "/dev/console", "/dev/ttyGS0", "/dev/uhid",
		"/dev/bench-board", "/dev/hwrng"}
}

// sandbox plugs everything in and opens it, and what is none of the desk's business, from within the unit.
// The forbidden devices are made open to everybody before, so that nothing but the unit is in the way.
func (b *bench) sandbox(ctx context.Context) (err error) {
	ordinary := &virtual{}
	if err := ordinary.create("Ordinary Keys", "O1", 0x046D, 0xC31C, keyboardDescriptor()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ordinary.destroy()) }()
	for _, s := range b.scanners {
		if err := ready(ctx, s); err != nil {
			return err
		}
	}
	want, err := expectations()
	if err != nil {
		return err
	}
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	said, err := within(ctx, paths)
	if err != nil {
		return err
	}
	var wrong []error
	for path, verdict := range want {
		if said[path] != verdict {
			wrong = append(wrong, fmt.Errorf("%s: %q and not %q", path, said[path], verdict))
		}
	}
	for _, s := range b.scanners {
		wrong = append(wrong, gone(ctx, s))
	}
	return errors.Join(wrong...)
}

// expectations are how paths can be opened from within the unit. The serial ports are the desk's alone.
func expectations() (map[string]string, error) {
	want := map[string]string{
		"/dev/ttyACM0": "busy", "/dev/ttyUSB0": "busy", "/dev/spidev0.0": "w", "/dev/spidev0.1": "w", "/dev/gpiochip0": "w",
		"/etc/shadow": "-", "/root": "-", "/usr/bin/kioskd": "r", "/etc/circdesk/kiosk.toml": "r", "/var/lib/circdesk/journal.db": "w",
	}
	for id, verdict := range map[string]string{"05e0:1200": "r", "0c2e:0b61": "r"} {
		path, err := inputNode(id)
		if err != nil {
			return nil, err
		}
		want[path] = verdict
	}
	for id, verdict := range map[string]string{"00000C2E:00000B67": "w", "0000046D:0000C31C": "-"} {
		path, err := rawNode(id)
		if err == nil && path == "" {
			err = fmt.Errorf("no hidraw node of %s", id)
		}
		if err != nil {
			return nil, err
		}
		want[path] = verdict
	}
	for _, path := range forbidden() {
		if err := os.Chmod(path, 0o666); err != nil {
			return nil, err
		}
		want[path] = "-"
	}
	return want, nil
}

// rawNode is the hidraw node of what has these numbers, as the kernel writes them; "" if there is none.
func rawNode(id string) (string, error) {
	all, err := filepath.Glob("/sys/class/hidraw/hidraw*")
	for _, dir := range all {
		// A device may go while we look.
		if text, _ := os.ReadFile(filepath.Join(dir, "device/uevent")); strings.Contains(string(text), ":"+id+"\n") {
			return "/dev/" + filepath.Base(dir), nil
		}
	}
	return "", err
}
