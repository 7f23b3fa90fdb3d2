package scanner

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/tarm/serial"
	"golang.org/x/sys/unix"
)

// readTimeout is how long a Read waits: the shortest that termios(3) knows. It
// bounds how soon a code without a suffix ends and how soon a reader stops.
const readTimeout = 100 * time.Millisecond

// errInUse is the answer to the second who wants a port.
var errInUse = errors.New("another program uses this port")

// A terminal is an open serial port that nobody else may read.
//
// The serial package shows no descriptor, and its Close waits for a pending
// Read. So a second descriptor holds the lock and tells whether the device is
// still there, and the goroutine that reads is the one that closes.
type terminal struct {
	*serial.Port
	lock int
}

// openPort opens the port that c names, and says where it is.
func openPort(c Config, told *teller) (*terminal, error) {
	path, err := locate(c)
	if err != nil {
		return nil, err
	}
	c.Path = path
	told.found(path)
	t, err := claim(c)
	if err != nil {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("open %q: %w", c.Path, err)
	}
	return t, nil
}

// claim takes the lock and then opens the port itself.
func claim(c Config) (*terminal, error) {
	// A link may be pointed elsewhere in between; the node behind it may not.
	node, err := filepath.EvalSymlinks(c.Path)
	if err != nil {
		return nil, err
	}
	lock, err := unix.Open(node, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) {
		return nil, errInUse
	}
	if err != nil {
		return nil, err
	}
	t := &terminal{lock: lock}
	if err := t.prepare(); err != nil {
		unix.Close(lock)
		return nil, err
	}
	if t.Port, err = serial.OpenPort(line(node, c)); err != nil {
		unix.Close(lock)
		return nil, err
	}
	if err := t.settle(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// prepare locks the terminal and throws away what was sent while nobody
// listened. That is done before OpenPort sets the terminal to raw, which shows
// the other end of a pseudo terminal that it may send.
func (t *terminal) prepare() error {
	if err := t.Alive(); errors.Is(err, unix.ENOTTY) {
		return errors.New("not a serial port")
	}
	if err := unix.Flock(t.lock, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	} else if err != nil {
		return err
	}
	return unix.IoctlSetInt(t.lock, unix.TCFLSH, unix.TCIFLUSH)
}

// settle keeps out those who do not look at locks, and makes sure that both
// descriptors are of the same device: it was not exchanged in between.
func (t *terminal) settle() error {
	var node unix.Stat_t
	if err := unix.Fstat(t.lock, &node); err != nil {
		return err
	}
	// On a pseudo terminal (majors 136 to 143) the mark would outlive a killed
	// process for as long as the other end is open.
	if major := unix.Major(uint64(node.Rdev)); major < 136 || major > 143 {
		if err := unix.IoctlSetInt(t.lock, unix.TIOCEXCL, 0); err != nil {
			return err
		}
	}
	return t.Alive()
}

// Alive returns an error, mostly EIO, if the device is gone.
func (t *terminal) Alive() error {
	_, err := unix.IoctlGetTermios(t.lock, unix.TCGETS)
	return err
}

// Write does not wait, unlike that of the serial package: what the line does not
// take is lost.
func (t *terminal) Write(p []byte) (int, error) { return unix.Write(t.lock, p) }

// Close gives the port up for others.
func (t *terminal) Close() error {
	return errors.Join(t.Port.Close(), unix.Close(t.lock))
}

// line returns the settings of c for node.
func line(node string, c Config) *serial.Config {
	s := &serial.Config{
		Name: node, Baud: cmp.Or(c.Baud, 9600), ReadTimeout: readTimeout,
		Size: byte(c.Size), Parity: serial.ParityNone, StopBits: serial.StopBits(c.StopBits),
	}
	switch c.Parity {
	case "odd":
		s.Parity = serial.ParityOdd
	case "even":
		s.Parity = serial.ParityEven
	}
	return s
}
