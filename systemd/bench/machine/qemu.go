package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A machine is one virtual machine. Restored, it runs half a minute after it was asked for on a busy
// computer, and a few seconds after on one that is not; that is the saved state's doing.
type machine struct {
	arch   string
	image  string // folder with kernel, initrd, root.ext4 and, once it was saved, base.qcow2 and state
	folder string // of this run: its disk and sockets
	qemu   *exec.Cmd
	ended  chan struct{} // closed when qemu has
	said   bytes.Buffer  // its complaints; to be read when it has ended
	port   int           // of the agent
	qmp    *monitor
	ftdi   int // serial scanners plugged in so far, from outside
}

// How long things may take on a computer that has much else to do.
const (
	bootTime    = 10 * time.Minute
	restoreTime = 2 * time.Minute
	saveTime    = 5 * time.Minute
)

func emulator(arch string) string {
	return map[string]string{"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64"}[arch]
}

// arguments are the machine's hardware. It is emulated in software: that works everywhere and is the same
// for both kinds of processor. A saved state fits only the same hardware.
func (m *machine) arguments() []string {
	board, cpu, console := "q35", "max", "ttyS0"
	if m.arch == "arm64" {
		board, cpu, console = "virt", "cortex-a72", "ttyAMA0"
	}
	at := func(name string) string { return filepath.Join(m.folder, name) }
	return []string{
		"-M", board, "-cpu", cpu, "-accel", "tcg,thread=multi,tb-size=256", "-smp", "2", "-m", "512M",
		"-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc",
		"-kernel", filepath.Join(m.image, "kernel"), "-initrd", filepath.Join(m.image, "initrd"),
		"-append", "console=" + console + " quiet panic=-1 mitigations=off nokaslr",
		"-serial", "file:" + at("console.log"), "-qmp", "unix:" + at("qmp") + ",server=on,wait=off",
		"-drive", "file=" + at("root.qcow2") + ",if=none,id=root,discard=unmap", "-device", "virtio-blk-pci,drive=root",
		"-netdev", fmt.Sprintf("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:9", m.port),
		"-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci", "-device", "qemu-xhci,id=usb",
		"-chardev", "socket,id=ftdi,path=" + at("ftdi") + ",server=on,wait=off",
	}
}

// disk makes the machine's disk on top of another.
func (m *machine) disk(ctx context.Context, base, format string) error {
	disk := filepath.Join(m.folder, "root.qcow2")
	if err := os.Remove(disk); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return command(ctx, nil, "qemu-img", "create", "-q", "-f", "qcow2", "-b", filepath.Join(m.image, base), "-F", format, disk)
}

// start starts the emulator and connects to its monitor.
func (m *machine) start(ctx context.Context, more ...string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	m.port = l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return err
	}
	m.qemu = exec.Command(emulator(m.arch), append(m.arguments(), more...)...)
	m.qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	m.said.Reset()
	m.qemu.Stderr = &m.said
	if err := m.qemu.Start(); err != nil {
		return err
	}
	m.hurry()
	m.ended = make(chan struct{})
	go func() {
		defer close(m.ended)
		_ = m.qemu.Wait() // its ProcessState says the same
	}()
	err = m.until(ctx, restoreTime, "its monitor", func(ctx context.Context) (err error) {
		m.qmp, err = dial(ctx, filepath.Join(m.folder, "qmp"))
		return err
	})
	if err != nil {
		m.cut()
		return fmt.Errorf("%w\n%s", err, m.said.String())
	}
	return nil
}

// hurry lets the machine go before other work, if we may say so: one that stands still for a tenth of a second
// tears what its scanners type, as no real one does.
func (m *machine) hurry() {
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, m.qemu.Process.Pid, -5)
	// Where Linux groups work by sessions, only this counts.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", m.qemu.Process.Pid), []byte("-10"), 0)
}

// boot starts the machine as a switch does: from its own disk, or afresh from the image.
func (m *machine) boot(ctx context.Context, afresh bool) error {
	if afresh {
		if err := m.disk(ctx, "root.ext4", "raw"); err != nil {
			return err
		}
	}
	if err := m.start(ctx); err != nil {
		return err
	}
	return m.until(ctx, bootTime, "its agent", m.ready)
}

// restore continues a machine from the saved state.
func (m *machine) restore(ctx context.Context) error {
	if err := m.disk(ctx, "base.qcow2", "qcow2"); err != nil {
		return err
	}
	if err := m.start(ctx, "-incoming", "exec:cat "+filepath.Join(m.image, "state")); err != nil {
		return err
	}
	err := m.until(ctx, restoreTime, "its state", func(context.Context) error {
		var now struct{ Status string }
		if err := m.qmp.do(&now, "query-status", nil); err != nil {
			return err
		}
		if now.Status != "paused" {
			return fmt.Errorf("it is %q", now.Status)
		}
		return nil
	})
	if err == nil {
		err = m.qmp.do(nil, "cont", nil)
	}
	if err != nil {
		return err
	}
	return m.until(ctx, restoreTime, "its agent", m.ready)
}

// save keeps the running machine's state and the disk as it is at that moment. The machine ends with it.
func (m *machine) save(ctx context.Context) error {
	state, base := filepath.Join(m.image, "state"), filepath.Join(m.image, "base.qcow2")
	if err := m.qmp.do(nil, "stop", nil); err != nil {
		return err
	}
	if err := m.qmp.do(nil, "migrate", map[string]string{"uri": "exec:cat >" + state + ".new"}); err != nil {
		return err
	}
	err := m.until(ctx, saveTime, "its state to be saved", func(context.Context) error {
		var now struct{ Status string }
		if err := m.qmp.do(&now, "query-migrate", nil); err != nil {
			return err
		}
		if now.Status != "completed" {
			return fmt.Errorf("it is %q", now.Status)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.cut()
	if err := command(ctx, nil, "qemu-img", "convert", "-O", "qcow2", filepath.Join(m.folder, "root.qcow2"), base+".new"); err != nil {
		return err
	}
	if err := os.Rename(base+".new", base); err != nil {
		return err
	}
	return os.Rename(state+".new", state)
}

// cut is a power cut.
func (m *machine) cut() {
	if m.qmp != nil {
		m.qmp.Close()
		m.qmp = nil
	}
	if m.qemu != nil {
		// One that has ended by itself needs no end.
		_ = m.qemu.Process.Kill()
		<-m.ended
		m.qemu, m.ftdi = nil, 0
	}
}

// broken tells whether the emulator has ended by itself.
func (m *machine) broken() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// until tries again and again until try succeeds or the machine ends.
func (m *machine) until(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-m.ended:
			return fmt.Errorf("the machine ended while we waited for %s: %w: %v\n%s", what, err, m.qemu.ProcessState, m.said.String())
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, err)
		case <-again.C:
		}
	}
}

// address is the agent's.
func (m *machine) address(path string) string {
	return "http://127.0.0.1:" + strconv.Itoa(m.port) + path
}
