package scanner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Vendors whose HID-POS scanners have ways of their own.
const newlandVendor = 0x1EAB

func isHoneywell(vendor uint16) bool {
	return slices.Contains([]uint16{0x0536, 0x0C2E, 0x23D0}, vendor)
}

// openHIDPOS opens a raw HID device. One that may not be written to still reads;
// then orders do nothing.
func openHIDPOS(c Config, t *teller) (*node, error) {
	n, err := openNamed(c, os.O_RDWR, t)
	if errors.Is(err, fs.ErrPermission) {
		n, err = openNamed(c, os.O_RDONLY, t)
	}
	if err != nil {
		return nil, err
	}
	d, note, err := n.introduce()
	if err != nil {
		n.Close()
		return nil, fmt.Errorf("open %q: %w", n.file.Name(), err)
	}
	t.noted(note)
	n.dialect = d
	return n, nil
}

// introduce asks a raw HID device what its reports are, and tells it to send
// scans. Where it is none, but a stand-in that knows no ioctl, its reports are the
// usual ones.
func (n *node) introduce() (d *hidpos, note string, err error) {
	desc, err := n.descriptor()
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL):
		return &hidpos{form: usual()}, "", nil
	case err != nil:
		return nil, "", err
	case !desc.scans:
		return nil, "", errors.New("is not a scanner in HID-POS mode: its reports have no page for barcodes")
	}
	info := make([]byte, 8) // bus, vendor, product
	if _, err := n.host.Ioctl(n.file, hidiocinfo, info); err != nil {
		return nil, "", err
	}
	vendor := binary.NativeEndian.Uint16(info[4:])
	d = &hidpos{form: usual(), honeywell: isHoneywell(vendor), outputs: desc.outputs}
	switch {
	case desc.known:
		d.form = desc.form
	case vendor == newlandVendor:
		d.form = newlandForm()
	}
	if d.honeywell {
		// These keep silent until they are asked for their reports.
		if _, err := n.host.Ioctl(n.file, hidiocsfeat|2<<16, []byte{0xFE, 1}); errors.Is(err, unix.ENODEV) {
			return nil, "", err
		} else if err != nil {
			note = fmt.Sprintf("may keep silent: it refuses to be set to barcode reports: %v", err)
		}
	}
	return d, note, nil
}

func (n *node) descriptor() (descriptor, error) {
	size := make([]byte, 4)
	if _, err := n.host.Ioctl(n.file, hidiocsize, size); err != nil {
		return descriptor{}, err
	}
	text := make([]byte, 4+4096)
	copy(text, size)
	if _, err := n.host.Ioctl(n.file, hidiocdesc, text); err != nil {
		return descriptor{}, err
	}
	return parseDescriptor(text[4 : 4+min(binary.NativeEndian.Uint32(size), 4096)])
}

// hidpos is the dialect of scanners that send reports made for barcodes.
type hidpos struct {
	form      form
	honeywell bool
	outputs   map[byte]int

	code  []byte // the parts so far
	aim   []byte // of code
	open  bool   // another part is to come
	long  bool   // the code was too long: skip its other parts
	drops uint64
}

func (h *hidpos) Hello() [][]byte { return nil }
func (h *hidpos) Replies() []byte { return nil }
func (h *hidpos) Fault() error    { return nil }
func (h *hidpos) Drops() uint64   { return h.drops }

// Order wraps Honeywell's serial commands into report FD.
func (h *hidpos) Order(o Order) []byte {
	command := honeywell()[o]
	if !h.honeywell || command == nil {
		return nil
	}
	report := append([]byte{0xFD, byte(len(command))}, command...)
	if fill := h.outputs[0xFD] - len(report); fill > 0 {
		report = append(report, make([]byte, fill)...)
	}
	return report
}

// Feed takes whole reports. The kernel hands them on one by one.
func (h *hidpos) Feed(p []byte) [][]byte {
	var codes [][]byte
	for len(p) > h.form.size {
		if code := h.report(p[:h.form.size]); code != nil {
			codes = append(codes, code)
		}
		p = p[h.form.size:]
	}
	if code := h.report(p); code != nil {
		codes = append(codes, code)
	}
	return codes
}

// report takes one report and returns the code that ends with it.
func (h *hidpos) report(p []byte) []byte {
	f := h.form
	if len(p) == 0 || f.numbered && p[0] != f.id {
		return nil // about something else
	}
	if len(p) < f.size {
		h.giveUp()
		return nil
	}
	data, aim := f.place(p)
	if f.count == none {
		data = bytes.TrimRight(data, "\x00")
	}
	n := len(data)
	if f.count != none {
		n = int(p[f.count])
	}
	if n > len(data) {
		h.giveUp()
		return nil
	}
	more := f.more != none && p[f.more]&f.moreBit != 0
	return h.part(aim, data[:n], more)
}

// place finds data and AIM identifier. Zebra and Datalogic put a byte before the
// identifier, which is not in their descriptors.
func (f form) place(p []byte) (data, aim []byte) {
	shift := 0
	if f.aim != none {
		if p[f.aim] != ']' && f.aim+4 <= len(p) && p[f.aim+1] == ']' {
			shift = 1
		}
		aim = p[f.aim+shift : f.aim+shift+3]
	}
	from := min(f.data+shift, len(p))
	return p[from:min(from+f.room, len(p))], aim
}

// part adds to the code and returns it when it is whole.
func (h *hidpos) part(aim, text []byte, more bool) []byte {
	if h.open && !bytes.Equal(aim, h.aim) {
		h.giveUp()
	}
	if len(h.code)+len(text) > MaxCode {
		h.code, h.long = nil, true
	}
	if !h.long {
		h.code = append(h.code, text...)
	}
	h.open, h.aim = more, bytes.Clone(aim)
	if more {
		return nil
	}
	if h.long {
		h.giveUp()
		return nil
	}
	code := h.code
	h.code = nil
	if bytes.Equal(aim, []byte("]Z6")) {
		return nil // the answer to a command
	}
	code, drops := clean(code)
	h.drops += drops
	if len(code) > 0 && isAIM(aim) && len(code)+3 <= MaxCode {
		code = append(bytes.Clone(aim), code...)
	}
	return code
}

// giveUp drops the code that was begun, or the one report that was broken.
func (h *hidpos) giveUp() {
	h.code, h.open, h.long = nil, false, false
	h.drops++
}

// Quiet gives up a code whose other parts do not come.
func (h *hidpos) Quiet(gap time.Duration) []byte {
	if h.open && gap >= patience {
		h.giveUp()
	}
	return nil
}

func (h *hidpos) Reset() {
	if h.open {
		h.giveUp()
	}
}
