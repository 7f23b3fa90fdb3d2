package rfid

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"circdesk/devices"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// errInUse is the answer to the second who wants a bus.
var errInUse = errors.New("another program uses this device")

// spidev is the name of an SPI device's node, by bus and chip select.
var spidev = regexp.MustCompile(`^spidev(\d+)\.(\d+)$`)

// openBus opens the SPI device at path and the lines of the chip on it; a line
// without a name is left out. It asks the kernel for each of them anew: drivers
// and permissions may have changed since the last time.
func openBus(path, reset, busy string) (Bus, error) {
	port, err := openPort(path)
	if err != nil {
		return Bus{}, err
	}
	bus := Bus{Port: port}
	if reset != "" {
		l, err := devices.OpenLine(reset, devices.OutputHigh)
		if err != nil {
			return Bus{}, errors.Join(err, port.Close())
		}
		port.lines, bus.Reset = append(port.lines, l), l
	}
	if busy != "" {
		l, err := devices.OpenLine(busy, devices.Input)
		if err != nil {
			return Bus{}, errors.Join(err, port.Close())
		}
		port.lines, bus.Busy = append(port.lines, l), l
	}
	return bus, nil
}

// A port is an SPI device that nobody else of us uses, with the lines that are
// closed together with it.
type port struct {
	*sysfs.SPI
	path  string
	lock  *os.File
	lines []io.Closer
}

// openPort opens the SPI device at path. The lock is taken on a descriptor of its
// own, whose opening also tells why it fails in a way that can be tested.
func openPort(path string) (*port, error) {
	node, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	name := spidev.FindStringSubmatch(filepath.Base(node))
	if name == nil {
		return nil, fmt.Errorf("open %q: %q is no SPI device", path, node)
	}
	lock, err := os.OpenFile(node, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	p := &port{path: node, lock: lock}
	if err := p.claim(name[1], name[2]); err != nil {
		return nil, errors.Join(fmt.Errorf("open %q: %w", path, err), lock.Close())
	}
	return p, nil
}

// claim takes the lock and has the bus opened.
func (p *port) claim(bus, cs string) error {
	busNumber, err := strconv.Atoi(bus)
	if err != nil {
		return err
	}
	chipSelect, err := strconv.Atoi(cs)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return errInUse
	} else if err != nil {
		return err
	}
	p.SPI, err = sysfs.NewSPI(busNumber, chipSelect)
	return err
}

// Connect configures the bus, once.
func (p *port) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	conn, err := p.SPI.Connect(f, mode, bits)
	if err != nil {
		return nil, err
	}
	return wire{conn, p.path}, nil
}

// Close gives the bus and its lines up.
func (p *port) Close() error {
	err := p.SPI.Close()
	for _, l := range p.lines {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, p.lock.Close())
}

// A wire is a bus that tells when its device has gone, which the library's errors
// do not.
type wire struct {
	spi.Conn
	path string
}

// Tx is one frame.
func (w wire) Tx(send, receive []byte) error {
	err := w.Conn.Tx(send, receive)
	if err == nil {
		return nil
	}
	if _, gone := os.Stat(w.path); gone != nil {
		return fmt.Errorf("use %q: %w", w.path, devices.ErrGone)
	}
	return fmt.Errorf("use %q: %w", w.path, err)
}
