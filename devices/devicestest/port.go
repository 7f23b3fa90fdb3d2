// Package devicestest stands in for hardware: a serial port that is plugged in
// and out like a real one. Tests use it, and whatever shows the kiosk without
// its devices.
package devicestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// look is how often a Port looks whether somebody has opened it.
const look = time.Millisecond

// A Port is a serial port with a device on it that types: a pair of pseudo
// terminals (pty(7)) with a name that stays the same over unplugging. It belongs
// to one goroutine.
type Port struct {
	path   string
	master *os.File // nil: unplugged
}

// Plug makes a plugged-in Port at path, which must not exist yet.
func Plug(path string) (*Port, error) {
	p := &Port{path: path}
	if err := p.Replug(); err != nil {
		return nil, err
	}
	return p, nil
}

// Path returns the port's name, a symbolic link as udev makes them.
func (p *Port) Path() string { return p.path }

// Replug plugs the device in again. It is another terminal under the same name.
func (p *Port) Replug() error {
	if p.master != nil {
		return fmt.Errorf("plug in %q: already plugged in", p.path)
	}
	master, err := os.OpenFile("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return fmt.Errorf("plug in %q: %w", p.path, err)
	}
	slave, err := unlock(master)
	if err == nil {
		err = os.Symlink(slave, p.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("plug in %q: %w", p.path, err), master.Close())
	}
	p.master = master
	return nil
}

// Unplug pulls the device out: its name disappears and whoever has it open is
// hung up on. An unplugged Port stays as it is.
func (p *Port) Unplug() error {
	if p.master == nil {
		return nil
	}
	err := errors.Join(os.Remove(p.path), p.master.Close())
	p.master = nil
	if err != nil {
		return fmt.Errorf("unplug %q: %w", p.path, err)
	}
	return nil
}

// WaitOpen returns when somebody has opened the port and set it up for reading.
// Before that the kernel would echo and edit what is typed, and whoever opens
// the port throws away what was typed earlier.
func (p *Port) WaitOpen(ctx context.Context) error {
	if p.master == nil {
		return fmt.Errorf("wait for a reader of %q: unplugged", p.path)
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		ready, err := isRead(p.master)
		if ready || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a reader of %q: %w", p.path, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Abandoned says that whoever had the port open has ended, so that Type waits for
// the next. The terminal's settings outlive a killed program, and the next one has
// the port open for a moment before it throws away what was typed earlier.
func (p *Port) Abandoned() error {
	if p.master == nil {
		return nil
	}
	if ready, err := isRead(p.master); ready || err != nil {
		return errors.Join(fmt.Errorf("abandon %q: it is still read", p.path), err)
	}
	return nil
}

// Type waits for a reader and sends s to it. It gives up at ctx's deadline, also
// when the reader takes no more.
func (p *Port) Type(ctx context.Context, s string) error {
	if err := p.WaitOpen(ctx); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	err := p.master.SetWriteDeadline(deadline)
	if err == nil {
		_, err = p.master.WriteString(s)
	}
	if err != nil {
		return fmt.Errorf("type on %q: %w", p.path, err)
	}
	return nil
}

// Receive waits for what the host sends and reads it into buf. It gives up at
// ctx's deadline.
func (p *Port) Receive(ctx context.Context, buf []byte) (int, error) {
	if p.master == nil {
		return 0, fmt.Errorf("receive on %q: unplugged", p.path)
	}
	deadline, _ := ctx.Deadline()
	err := p.master.SetReadDeadline(deadline)
	n := 0
	if err == nil {
		n, err = p.master.Read(buf)
	}
	if err != nil {
		return n, fmt.Errorf("receive on %q: %w", p.path, err)
	}
	return n, nil
}

// unlock makes master's other end usable and returns its name (unlockpt(3) and
// ptsname(3)).
func unlock(master *os.File) (slave string, err error) {
	err = control(master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		slave = fmt.Sprintf("/dev/pts/%d", n)
		return err
	})
	return slave, err
}

// isRead tells whether the other end of master is open and raw. A master shows
// the settings of its other end, which outlive those who opened it; so where
// nobody is left, isRead sets them back to what they are on a new terminal.
func isRead(master *os.File) (yes bool, err error) {
	err = control(master, func(fd int) error {
		t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil || t.Lflag&(unix.ICANON|unix.ECHO) != 0 {
			return err
		}
		if yes = !hungUp(fd); yes {
			return nil
		}
		raw := *t
		t.Lflag |= unix.ICANON | unix.ECHO
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil || hungUp(fd) {
			return err
		}
		// Somebody came in between and may have set it up already.
		return unix.IoctlSetTermios(fd, unix.TCSETS, &raw)
	})
	return yes, err
}

// hungUp tells whether the other end of a master was open and is no more. An
// interrupted poll says no.
func hungUp(fd int) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(polled, 0)
	return err == nil && n > 0 && polled[0].Revents&unix.POLLHUP != 0
}

// control runs do on f's descriptor without making f blocking, as f.Fd would.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
