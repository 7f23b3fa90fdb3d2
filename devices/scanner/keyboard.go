package scanner

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"circdesk/devices"

	"golang.org/x/sys/unix"
)

// A node is an open file of /dev that is no terminal.
type node struct {
	file    *os.File
	host    Host
	dialect dialect
	hold    *hold // of a keyboard; nil for others
}

// openNamed finds and opens the device that c names. It says where that is even
// if it cannot be opened.
func openNamed(c Config, flag int, t *teller) (*node, error) {
	path, err := locate(c)
	if err != nil {
		return nil, err
	}
	t.found(path)
	// A link may be pointed elsewhere in between; the node behind it may not.
	target, err := filepath.EvalSymlinks(path)
	host := c.Host.orThis()
	var file *os.File
	if err == nil {
		file, err = host.Open(target, flag)
	}
	if err != nil {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	return &node{file: file, host: host}, nil
}

// Read returns io.EOF after readTimeout without a byte.
func (n *node) Read(p []byte) (int, error) {
	if err := n.file.SetReadDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, err
	}
	got, err := n.file.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n.glance(p)
	}
	return got, err
}

// glance reads what is there without waiting. On a busy machine a deadline may
// pass before Read has looked at all; that is no silence.
func (n *node) glance(p []byte) (got int, err error) {
	conn, err := n.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	if err := n.file.SetReadDeadline(time.Time{}); err != nil {
		return 0, err
	}
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		got, failed = unix.Read(int(fd), p)
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(failed, unix.EAGAIN), errors.Is(failed, unix.EINTR), failed == nil && got == 0:
		return 0, io.EOF
	case failed != nil:
		return 0, failed
	}
	return got, nil
}

// Write does not wait: a device that takes nothing gets nothing.
func (n *node) Write(p []byte) (int, error) {
	if err := n.file.SetWriteDeadline(time.Now().Add(readTimeout)); err != nil {
		return 0, err
	}
	return n.file.Write(p)
}

// Alive returns an error if the device is gone. For a keyboard it also sees to it
// that nobody else gets what is typed.
func (n *node) Alive() error {
	size, request := 8, uint32(hidiocinfo)
	if n.hold != nil {
		request = eviocgid
	}
	if _, err := n.host.Ioctl(n.file, request, make([]byte, size)); errors.Is(err, unix.ENODEV) {
		return err
	}
	if n.hold != nil {
		return n.hold.again()
	}
	return nil
}

// Close gives the device up for others.
func (n *node) Close() error {
	if n.hold != nil {
		n.hold.letGo()
	}
	return n.file.Close()
}

// openKeyboard opens an event device for itself alone.
func openKeyboard(c Config, t *teller) (*node, error) {
	n, err := openNamed(c, os.O_RDONLY, t)
	if err != nil {
		return nil, err
	}
	if err := n.settle(c, t); err != nil {
		n.Close()
		return nil, fmt.Errorf("open %q: %w", n.file.Name(), err)
	}
	return n, nil
}

// settle takes hold of a keyboard before anything can be typed on it.
func (n *node) settle(c Config, t *teller) error {
	has := make([]byte, len(bitmap{}))
	if _, err := n.host.Ioctl(n.file, eviocgbit, has); err == nil && !canType(has) {
		return errors.New("is not the keyboard of a scanner: it has no keys for digits")
	} else if errors.Is(err, unix.ENODEV) {
		return err
	}
	n.hold = &hold{node: n, teller: t}
	n.hold.gag = filepath.Join(n.inSys(), "device/inhibited")
	if err := n.hold.take(); err != nil {
		return err
	}
	keys, err := newKeys(newLayout(c.Layout), eventSize, t.framer(c), n.keyState)
	if errors.Is(err, unix.ENODEV) {
		return err
	}
	n.dialect = keys
	return nil
}

// inSys is the folder of a keyboard's node below /sys.
func (n *node) inSys() string {
	return filepath.Join(n.host.Sys, "class/input", filepath.Base(n.file.Name()))
}

// eventSize is the size of the kernel's struct input_event in this process.
const eventSize = int(unsafe.Sizeof(unix.Timeval{})) + 8

// keyState asks which keys are down and whether the Caps Lock lamp is on.
func (n *node) keyState() (keyState, error) {
	var now keyState
	if _, err := n.host.Ioctl(n.file, eviocgkey, now.held[:]); err != nil {
		return keyState{}, err
	}
	lamps := make([]byte, 8)
	if _, err := n.host.Ioctl(n.file, eviocgled, lamps); err != nil {
		return keyState{}, err
	}
	now.caps = isSet(lamps, ledCaps)
	return now, nil
}

// A hold keeps what a keyboard types away from everybody else, the console and
// the browser above all. It has two parts. The grab sends all events to us alone;
// it ends when the device is closed. The gag is the attribute "inhibited" of the
// kernel's input device, which makes it say nothing at all. The udev rule puts it
// on when the scanner is plugged in; it is taken off when the grab is there and
// put back before the grab ends, so that nothing gets out before and after.
type hold struct {
	node    *node
	teller  *teller
	gag     string // the attribute's file
	gagged  bool   // there is a rule that gags, so we do
	grabbed bool
	looks   int
}

// errGagged is what becomes of a scanner whose gag cannot be taken off.
var errGagged = errors.New("udev has made this keyboard silent (inhibited) and it cannot be undone")

// take grabs the device and then lets it speak. Without the grab, say because
// another program has it, we go on and say so: better than no scanner.
func (h *hold) take() error {
	_, err := h.node.host.Ioctl(h.node.file, eviocgrab, []byte{1, 0, 0, 0})
	h.grabbed = err == nil
	switch {
	case err == nil:
		h.teller.noted(h.unruled())
	case errors.Is(err, unix.ENODEV):
		return err
	case errors.Is(err, unix.EBUSY):
		h.teller.noted("is not ours alone: another program has grabbed it and may get what is scanned")
	default:
		h.teller.noted(fmt.Sprintf("is not ours alone: what is scanned may reach the console, as a grab is refused: %v", err))
	}
	return h.ungag()
}

// unruled says what to do where udev has seen the scanner and no rule of ours has
// known it, so that it has no gag and the browser uses it as a keyboard.
func (h *hold) unruled() string {
	n := h.node
	record, err := os.ReadFile(filepath.Join(n.host.Udev, "data", "c"+attr(n.inSys(), "dev")))
	if err != nil || slices.Contains(strings.Split(string(record), "\n"), "E:CIRCDESK_SCANNER=1") {
		return ""
	}
	d, _ := describe(n.host, "input", filepath.Base(n.file.Name()))
	return fmt.Sprintf("is not known to 70-circdesk.rules: when kioskd does not hold it, console and browser get what it types; "+
		`put KERNELS=="*:%04X:%04X.*", ENV{CIRCDESK_SCANNER}="1" into /etc/udev/rules.d/69-scanner.rules and plug it in again`, d.Vendor, d.Product)
}

// ungag takes the gag off, if there is one.
func (h *hold) ungag() error {
	text, err := os.ReadFile(h.gag)
	if err != nil || len(text) == 0 || text[0] != '1' {
		return nil
	}
	h.gagged = true
	if err := put(h.gag, "0"); err != nil {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return fmt.Errorf("%w: write %q: %w", errGagged, h.gag, err)
	}
	return nil
}

// again looks once a second whether the grab can be had now, and whether a rule
// that ran late has gagged the device in our hands or now knows it.
func (h *hold) again() error {
	if h.looks++; h.looks%int(time.Second/readTimeout) != 0 {
		return nil
	}
	if !h.grabbed {
		return h.take()
	}
	h.teller.noted(h.unruled())
	return h.ungag()
}

// letGo puts the gag back. The grab ends with the file.
func (h *hold) letGo() {
	if h.gagged {
		// A device that is gone has no such file any more.
		_ = put(h.gag, "1")
	}
}

// put writes to an attribute that is there already.
func put(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// A teller adds to a scanner's Status what Keep does not know: where the device
// was found, and what is not as it should be although it works. It outlives the
// unplugging of the scanner, as does what was learned of its suffix: the first
// code after it may come in pieces.
type teller struct {
	report func(devices.Status)
	last   devices.Status
	path   string
	note   string
	suffix bool
}

// framer cuts what the scanner says next.
func (t *teller) framer(c Config) Framer {
	return Framer{Idle: c.idle(), Patience: patience, Suffix: &t.suffix}
}

// status reports s. Keep calls it.
func (t *teller) status(s devices.Status) {
	t.last = s
	if t.path != "" {
		s.Path = t.path
	}
	if s.State == devices.Ready && t.note != "" {
		s.Err = t.note
	}
	t.report(s)
}

// found notes where the device is.
func (t *teller) found(path string) { t.path = path }

// noted notes what is wrong with a device that works, and tells it of one that is
// lent already.
func (t *teller) noted(note string) {
	news := note != t.note
	t.note = note
	if news && t.last.State == devices.Ready {
		t.status(t.last)
	}
}
