package devicestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Bus is a USB bus with keyboards and HID-POS scanners on it: folders like /sys,
// /dev and /run/udev, and the two system calls that are not about files. It
// keeps the kernel's rules: a grab is for one, an inhibited device says nothing,
// and what nobody has grabbed comes to the console.
type Bus struct {
	sys, dev, udev string

	mu      sync.Mutex
	units   map[string]*unit // by the path of their node
	opens   map[*os.File]*end
	last    int // the number of the newest device
	console []uint16
}

// An ID is what a USB device says of itself, and where it is plugged in.
type ID struct {
	Vendor, Product uint16
	Serial          string // empty: it has none
	Port            string // "1-1.2"
}

// A unit is one node of a device that is plugged in.
type unit struct {
	name   string // "event3"
	class  string // "input" or "hidraw"
	number string // of an input device: "13:67"
	sys    string // the folder of its device
	ends   []*end
	ioctl  func(e *end, request uint32, data []byte) (int, error)
}

// An end is the device's side of one open file.
type end struct {
	fd      int
	grabbed bool
	lost    bool // events did not fit
}

// NewBus returns a bus without devices below dir.
func NewBus(dir string) (*Bus, error) {
	b := &Bus{sys: filepath.Join(dir, "sys"), dev: filepath.Join(dir, "dev"), udev: filepath.Join(dir, "udev"),
		units: map[string]*unit{}, opens: map[*os.File]*end{}}
	for _, d := range []string{"class/input", "class/hidraw", "class/tty", "devices/usb1"} {
		if err := os.MkdirAll(filepath.Join(b.sys, d), 0o755); err != nil {
			return nil, fmt.Errorf("make a bus: %w", err)
		}
	}
	for _, d := range []string{filepath.Join(b.dev, "input"), filepath.Join(b.udev, "data")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make a bus: %w", err)
		}
	}
	return b, nil
}

// Sys returns the folder that is like /sys.
func (b *Bus) Sys() string { return b.sys }

// Dev returns the folder that is like /dev.
func (b *Bus) Dev() string { return b.dev }

// Udev returns the folder that is like /run/udev.
func (b *Bus) Udev() string { return b.udev }

// Console returns the codes of the keys that came to the console, all so far.
func (b *Bus) Console() []uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]uint16(nil), b.console...)
}

// Open opens a node of the bus, as open(2) would.
func (b *Bus) Open(path string, flag int) (*os.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.units[path]
	if u == nil {
		return nil, unix.ENOENT
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(pair[0]), path)
	e := &end{fd: pair[1]}
	u.ends = append(u.ends, e)
	b.opens[f] = e
	return f, nil
}

// Ioctl is ioctl(2) for the files that Open returned.
func (b *Bus) Ioctl(f *os.File, request uint32, data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	u, e := b.units[f.Name()], b.opens[f]
	if u == nil || e == nil {
		return 0, unix.ENODEV
	}
	return u.ioctl(e, request, data)
}

// prune forgets the open files of u that were closed. Only the goroutine that
// sends may do that: it writes to them without the lock.
func (b *Bus) prune(u *unit) {
	var left []*end
	for _, e := range u.ends {
		if e.closed() {
			b.close(e)
			continue
		}
		left = append(left, e)
	}
	u.ends = left
}

// closed tells whether whoever had opened e has closed it.
func (e *end) closed() bool { return hungUp(e.fd) }

// close ends one open file.
func (b *Bus) close(e *end) {
	unix.Close(e.fd)
	for f, other := range b.opens {
		if other == e {
			delete(b.opens, f)
		}
	}
}

// plug makes a node of a device with the files of /sys that are about it, below
// the interface that iface is. A device's own folder has its numbers.
func (b *Bus) plug(id ID, iface int, u *unit, attrs map[string]string) error {
	usb := filepath.Join(b.sys, "devices/usb1", id.Port)
	parent := filepath.Join(usb, fmt.Sprintf("%s:1.%d", id.Port, iface))
	u.sys = filepath.Join(parent, fmt.Sprintf("0003:%04X:%04X.%04X", id.Vendor, id.Product, b.last))
	node := filepath.Join(b.dev, u.name)
	if u.class == "input" {
		u.sys = filepath.Join(u.sys, "input", "input"+strconv.Itoa(b.last))
		node = filepath.Join(b.dev, "input", u.name)
	}
	leaf := filepath.Join(u.sys, u.name)
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	files := map[string]string{
		filepath.Join(usb, "idVendor"):            fmt.Sprintf("%04x\n", id.Vendor),
		filepath.Join(usb, "idProduct"):           fmt.Sprintf("%04x\n", id.Product),
		filepath.Join(parent, "bInterfaceNumber"): fmt.Sprintf("%02x\n", iface),
		node: "",
	}
	if u.number != "" {
		files[filepath.Join(leaf, "dev")] = u.number + "\n"
	}
	if id.Serial != "" {
		files[filepath.Join(usb, "serial")] = id.Serial + "\n"
	}
	for name, text := range attrs {
		files[filepath.Join(u.sys, name)] = text
	}
	for path, text := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	if err := os.Symlink(u.sys, filepath.Join(leaf, "device")); err != nil {
		return err
	}
	if err := os.Symlink(leaf, filepath.Join(b.sys, "class", u.class, u.name)); err != nil {
		return err
	}
	b.units[node] = u
	return nil
}

// unplug takes all of a device's nodes away; whoever has them open is hung up on.
func (b *Bus) unplug(port string, units []*unit) error {
	var wrong []error
	for _, u := range units {
		for path, other := range b.units {
			if other == u {
				delete(b.units, path)
				wrong = append(wrong, os.Remove(path))
			}
		}
		for _, e := range u.ends {
			b.close(e)
		}
		u.ends = nil
		wrong = append(wrong, os.Remove(filepath.Join(b.sys, "class", u.class, u.name)))
		if u.number != "" {
			wrong = append(wrong, os.Remove(filepath.Join(b.udev, "data", "c"+u.number)))
		}
	}
	return errors.Join(append(wrong, os.RemoveAll(filepath.Join(b.sys, "devices/usb1", port)))...)
}

// send sends p to one open file, and waits for room until ctx is done.
func send(ctx context.Context, e *end, p []byte) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		_, err := unix.Write(e.fd, p)
		if !errors.Is(err, unix.EAGAIN) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// until asks ok again and again, until it says yes or ctx is done.
func (b *Bus) until(ctx context.Context, what string, ok func() bool) error {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		b.mu.Lock()
		yes := ok()
		b.mu.Unlock()
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}

// Adopt makes a terminal at path, say that of a Port, a USB device's node name.
func (b *Bus) Adopt(id ID, name, path string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last++
	u := &unit{name: name, class: "tty"}
	if err := b.plug(id, 1, u, nil); err != nil {
		return fmt.Errorf("adopt %q: %w", path, err)
	}
	node := filepath.Join(b.dev, name)
	delete(b.units, node)
	return errors.Join(os.Remove(node), os.Symlink(path, node))
}
