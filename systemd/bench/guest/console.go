package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is the console that is shown, with somebody reading what is typed into it.
type screen struct{ fd int }

// watch opens the first virtual terminal, which is the one that is shown, and has it hand on every key.
func watch() (*screen, error) {
	fd, err := unix.Open("/dev/tty1", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err == nil {
		mode.Iflag, mode.Lflag = 0, 0
		mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
		err = unix.IoctlSetTermios(fd, unix.TCSETS, mode)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIFLUSH)
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &screen{fd}, nil
}

func (s *screen) close() error { return unix.Close(s.fd) }

// typed is what has come since the last time.
func (s *screen) typed() ([]byte, error) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(s.fd, buf)
		if errors.Is(err, unix.EAGAIN) || err == nil && n == 0 {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, buf[:n]...)
	}
}

// silent makes sure that nothing has come.
func (s *screen) silent(when string) error {
	got, err := s.typed()
	if err == nil && len(got) > 0 {
		err = fmt.Errorf("%s the console got %q", when, got)
	}
	return err
}

// console types into scanners whenever it might get through, and reads what comes to the console. First it
// makes sure that it would notice: an ordinary keyboard does come through, and so does a scanner where our
// rules are missing.
func (b *bench) console(ctx context.Context) (err error) {
	tty, err := watch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tty.close()) }()
	if err := tty.hearsKeyboards(ctx); err != nil {
		return err
	}
	if err := b.unruled(ctx, tty); err != nil {
		return err
	}
	for _, s := range b.scanners {
		if !strings.HasPrefix(s.node, "input ") {
			continue
		}
		for _, part := range []struct {
			name string
			tell func(context.Context, scanner, *screen) error
		}{{"with the desk", b.heldBack}, {"without the desk", b.unattended}, {"when the desk comes", b.taken}, {"on a display", b.displayed}} {
			if err := part.tell(ctx, s, tty); err != nil {
				return fmt.Errorf("%s, %s: %w", s.what, part.name, err)
			}
			if err := tty.silent(s.what + ", " + part.name + ":"); err != nil {
				return err
			}
		}
	}
	return nil
}

// unruled is a fault planted on purpose: without the rules, what a scanner types must be seen, and the desk
// must say so.
func (b *bench) unruled(ctx context.Context, tty *screen) error {
	const mask = "/etc/udev/rules.d/70-circdesk.rules"
	if err := errors.Join(systemctl(ctx, "stop", "kioskd"), os.Symlink("/dev/null", mask), systemctl(ctx, "restart", "systemd-udevd")); err != nil {
		return err
	}
	s := b.typist()
	err := errors.Join(s.plug(ctx), s.appears(ctx), until(ctx, func(ctx context.Context) error {
		if err := attempt(ctx, s); err != nil {
			return err
		}
		got, err := tty.typed()
		if err == nil && !bytes.Contains(got, []byte("1111")) {
			err = errors.New("without our rules nothing that a scanner types reaches the console either")
		}
		return err
	}), systemctl(ctx, "start", "kioskd"), answers(ctx), says(ctx, s.name, "is not known to 70-circdesk.rules: "), s.pull(ctx))
	err = errors.Join(err, os.Remove(mask), systemctl(ctx, "restart", "systemd-udevd"), systemctl(ctx, "start", "kioskd"), answers(ctx))
	_, late := tty.typed()
	return errors.Join(err, late)
}

// says waits until the desk has a scanner and begins to say this of it, or nothing where this is "".
func says(ctx context.Context, name, begin string) error {
	return until(ctx, func(ctx context.Context) error {
		d, err := device(ctx, name)
		if err == nil && (d.State != "ready" || !strings.HasPrefix(d.Error, begin) || begin == "" && d.Error != "") {
			err = fmt.Errorf("%s is %s, and the desk says %q of it", name, d.State, d.Error)
		}
		return err
	})
}

// typist is the first scanner that types.
func (b *bench) typist() scanner {
	return b.scanners[slices.IndexFunc(b.scanners, func(s scanner) bool { return strings.HasPrefix(s.node, "input ") })]
}

// displayed types from the very first moment on, and on after the desk was killed outright. udev needs a
// moment after either; in this, as long as a display session shows the page, the console is deaf.
func (b *bench) displayed(ctx context.Context, s scanner, tty *screen) (err error) {
	const unicode, off = 3, 4 // modes of a console's keyboard (linux/kd.h)
	if err := unix.IoctlSetInt(tty.fd, kdSetKeyboardMode, off); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.IoctlSetInt(tty.fd, kdSetKeyboardMode, unicode)) }()
	if err := errors.Join(s.plug(ctx), s.appears(ctx), b.typeUntilReady(ctx, s, tty)); err != nil {
		return err
	}
	pid, err := number(ctx, "MainPID")
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	return errors.Join(b.typeUntilReady(ctx, s, tty), attempt(ctx, s), gone(ctx, s))
}

// kdSetKeyboardMode is the request with which a display session makes the console deaf.
const kdSetKeyboardMode = 0x4B45

// hearsKeyboards types on a keyboard that is no scanner.
func (s *screen) hearsKeyboards(ctx context.Context) error {
	v := &virtual{}
	if err := v.create("Ordinary Keys", "O1", 0x046D, 0xC31C, keyboardDescriptor()); err != nil {
		return err
	}
	keys, err := strokes("42\r")
	if err != nil {
		return err
	}
	var all []byte
	err = until(ctx, func(context.Context) error {
		if err := v.send(keys); err != nil {
			return err
		}
		got, err := s.typed()
		if all = append(all, got...); err == nil && !bytes.Contains(all, []byte("42\r")) {
			err = fmt.Errorf("the console cannot be watched: an ordinary keyboard typed 42 and %q came", all)
		}
		return err
	})
	err = errors.Join(err, v.destroy())
	_, late := s.typed()
	return errors.Join(err, late)
}

// heldBack types while the desk has the scanner.
func (b *bench) heldBack(ctx context.Context, s scanner, tty *screen) error {
	if err := ready(ctx, s); err != nil {
		return err
	}
	return errors.Join(b.borrow(ctx, s, 1), says(ctx, s.name, ""), gone(ctx, s))
}

// unattended types while no desk runs: from the moment at which udev has seen the scanner.
func (b *bench) unattended(ctx context.Context, s scanner, tty *screen) error {
	if err := systemctl(ctx, "stop", "kioskd"); err != nil {
		return err
	}
	if err := errors.Join(s.plug(ctx), s.appears(ctx), gagged(ctx, s)); err != nil {
		return err
	}
	if err := attempt(ctx, s); err != nil {
		return err
	}
	return errors.Join(tty.silent("nobody there:"), s.pull(ctx), systemctl(ctx, "start", "kioskd"), answers(ctx))
}

// taken types all the time from the moment at which udev has seen the scanner until the desk has it.
func (b *bench) taken(ctx context.Context, s scanner, tty *screen) error {
	if err := errors.Join(s.plug(ctx), s.appears(ctx), gaggedOrGrabbed(ctx, s)); err != nil {
		return err
	}
	return errors.Join(b.typeUntilReady(ctx, s, tty), attempt(ctx, s), gone(ctx, s))
}

// typeUntilReady types again and again until the desk has the scanner.
func (b *bench) typeUntilReady(ctx context.Context, s scanner, tty *screen) error {
	return until(ctx, func(ctx context.Context) error {
		if err := attempt(ctx, s); err != nil {
			return err
		}
		if err := tty.silent("while the desk took it:"); err != nil {
			return fmt.Errorf("%w: %w", errLeak, err)
		}
		d, err := device(ctx, s.name)
		if err == nil && d.State != "ready" {
			err = fmt.Errorf("%s is %s", s.name, d.State)
		}
		return err
	})
}

// attempt types as a scanner does that does not ask whether anybody listens: what is not taken is lost.
func attempt(ctx context.Context, s scanner) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.scan(ctx, "11111111111111")
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// gagged waits until udev's rule has silenced the scanner.
func gagged(ctx context.Context, s scanner) error {
	return until(ctx, func(context.Context) error {
		found, err := inputs(strings.TrimPrefix(s.node, "input "))
		if err != nil {
			return err
		}
		for _, dir := range found {
			text, err := os.ReadFile(filepath.Join(dir, "inhibited"))
			if err == nil && strings.TrimSpace(string(text)) == "1" {
				return nil
			}
		}
		return fmt.Errorf("nobody has silenced %s", s.name)
	})
}

// gaggedOrGrabbed waits until it is silenced or was: the desk takes the gag off in its time.
func gaggedOrGrabbed(ctx context.Context, s scanner) error {
	return until(ctx, func(ctx context.Context) error {
		if d, err := device(ctx, s.name); err == nil && d.State == "ready" {
			return nil
		}
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		return gagged(short, s)
	})
}

// inputNode is the event node of what has these numbers.
func inputNode(id string) (string, error) {
	found, err := inputs(id)
	if err != nil || len(found) == 0 {
		return "", errors.Join(err, fmt.Errorf("no input device %s", id))
	}
	events, err := filepath.Glob(filepath.Join(found[0], "event*"))
	if err != nil || len(events) == 0 {
		return "", errors.Join(err, fmt.Errorf("%s has no events", found[0]))
	}
	return "/dev/input/" + filepath.Base(events[0]), nil
}

func systemctl(ctx context.Context, verb, unit string) error {
	out, err := exec.CommandContext(ctx, "systemctl", verb, unit).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("systemctl %s %s: %w: %s", verb, unit, err, out)
	}
	return err
}
