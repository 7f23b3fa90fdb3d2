package devicestest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The requests of ioctl(2) that a HID knows (linux/hidraw.h). The last takes its
// length in bits 16 to 29.
const (
	hidiocsize  = 0x80044801
	hidiocdesc  = 0x90044802
	hidiocinfo  = 0x80084803
	hidiocsfeat = 0xC0004806
	lengthBits  = 0x3FFF << 16
)

// POSDescriptor is what a scanner in HID-POS mode says of its reports: 64 bytes
// in, number 2, as Honeywell's have them, and 64 bytes out, number FD.
func POSDescriptor() []byte {
	return []byte{
		0x05, 0x8C, 0x09, 0x02, 0xA1, 0x01, // a barcode scanner
		0x09, 0x12, 0xA1, 0x02, 0x85, 0x02, // its scanned data, report 2
		0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08,
		0x95, 0x01, 0x05, 0x01, 0x09, 0x3B, 0x81, 0x02, // byte count
		0x95, 0x03, 0x05, 0x8C, 0x09, 0xFB, 0x09, 0xFC, 0x09, 0xFD, 0x81, 0x02, // symbology
		0x95, 0x38, 0x09, 0xFE, 0x82, 0x02, 0x01, // 56 bytes of data
		0x95, 0x02, 0x06, 0x66, 0xFF, 0x09, 0x04, 0x09, 0x00, 0x81, 0x02, // the maker's
		0x05, 0x8C, 0x75, 0x01, 0x95, 0x01, 0x09, 0xFF, 0x81, 0x02, // continued
		0x95, 0x07, 0x81, 0x03, 0xC0,
		0x06, 0x66, 0xFF, 0x09, 0x01, 0xA1, 0x02, 0x85, 0xFD, 0x75, 0x08, 0x95, 0x3F, 0x09, 0x02, 0x91, 0x02, 0xC0,
		0xC0,
	}
}

// A HID is a scanner in HID-POS mode. It belongs to one goroutine; its fields are
// for between Unplug and Plug.
type HID struct {
	ID         ID
	Descriptor []byte
	Silent     bool // says nothing until it was set to barcode reports (Honeywell)

	bus      *Bus
	unit     *unit // nil: unplugged
	features [][]byte
}

// NewHID returns a scanner that is not yet plugged in.
func (b *Bus) NewHID(id ID, descriptor []byte) *HID {
	return &HID{ID: id, Descriptor: descriptor, bus: b}
}

// Plug plugs the scanner in, into the port of its ID.
func (h *HID) Plug() error {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	if h.unit != nil {
		return fmt.Errorf("plug in %v: already plugged in", h.ID)
	}
	h.bus.last++
	h.features = nil
	h.unit = &unit{name: fmt.Sprintf("hidraw%d", h.bus.last), class: "hidraw", ioctl: h.ioctl}
	err := h.bus.plug(h.ID, 0, h.unit, map[string]string{"report_descriptor": string(h.Descriptor)})
	if err != nil {
		return errors.Join(fmt.Errorf("plug in %v: %w", h.ID, err), h.bus.unplug(h.ID.Port, []*unit{h.unit}))
	}
	return nil
}

// Unplug pulls the scanner out. One that is not plugged in stays as it is.
func (h *HID) Unplug() error {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	u := h.unit
	h.unit = nil
	if u == nil {
		return nil
	}
	return h.bus.unplug(h.ID.Port, []*unit{u})
}

// Path returns the scanner's node, "" if it is not plugged in.
func (h *HID) Path() string {
	if h.unit == nil {
		return ""
	}
	return filepath.Join(h.bus.dev, h.unit.name)
}

// WaitOpen returns when somebody has opened the scanner and, if that is needed,
// set it to barcode reports.
func (h *HID) WaitOpen(ctx context.Context) error {
	if h.unit == nil {
		return fmt.Errorf("wait for a reader of %v: unplugged", h.ID)
	}
	return h.bus.until(ctx, fmt.Sprintf("a reader of %v", h.ID), func() bool {
		h.bus.prune(h.unit)
		return len(h.unit.ends) > 0 && (!h.Silent || h.set())
	})
}

// set tells whether the scanner was set to barcode reports.
func (h *HID) set() bool {
	for _, f := range h.features {
		if bytes.Equal(f, []byte{0xFE, 1}) {
			return true
		}
	}
	return false
}

// Send waits for a reader and sends a report, or what is to be taken for one.
func (h *HID) Send(ctx context.Context, report []byte) error {
	if err := h.WaitOpen(ctx); err != nil {
		return err
	}
	h.bus.mu.Lock()
	ends := append([]*end(nil), h.unit.ends...)
	h.bus.mu.Unlock()
	for _, e := range ends {
		if err := send(ctx, e, report); err != nil {
			return fmt.Errorf("send from %v: %w", h.ID, err)
		}
	}
	return nil
}

// Scan sends a code in as many of the usual reports as it takes.
func (h *HID) Scan(ctx context.Context, aim, text string) error {
	for _, report := range POSReports(aim, text) {
		if err := h.Send(ctx, report); err != nil {
			return err
		}
	}
	return nil
}

// POSReports are the usual reports of 64 bytes for a code.
func POSReports(aim, text string) [][]byte {
	var all [][]byte
	for {
		n := min(56, len(text))
		r := make([]byte, 64)
		r[0], r[1] = 2, byte(n)
		copy(r[2:5], aim)
		copy(r[5:61], text[:n])
		text = text[n:]
		all = append(all, r)
		if text == "" {
			return all
		}
		r[63] = 1
	}
}

// Wrote waits for the next report that the host sends to the scanner.
func (h *HID) Wrote(ctx context.Context) ([]byte, error) {
	buf := make([]byte, 4096)
	n := 0
	err := h.bus.until(ctx, fmt.Sprintf("a report to %v", h.ID), func() bool {
		if h.unit == nil {
			return false
		}
		for _, e := range h.unit.ends {
			if got, err := unix.Read(e.fd, buf); err == nil && got > 0 {
				n = got
				return true
			}
		}
		return false
	})
	return buf[:n], err
}

// Features returns the feature reports that the host has set, oldest first.
func (h *HID) Features() [][]byte {
	h.bus.mu.Lock()
	defer h.bus.mu.Unlock()
	return append([][]byte(nil), h.features...)
}

func (h *HID) ioctl(_ *end, request uint32, data []byte) (int, error) {
	switch {
	case request == hidiocsize:
		binary.NativeEndian.PutUint32(data, uint32(len(h.Descriptor)))
	case request == hidiocdesc:
		binary.NativeEndian.PutUint32(data, uint32(len(h.Descriptor)))
		copy(data[4:], h.Descriptor)
	case request == hidiocinfo:
		binary.NativeEndian.PutUint32(data, 3)
		binary.NativeEndian.PutUint16(data[4:], h.ID.Vendor)
		binary.NativeEndian.PutUint16(data[6:], h.ID.Product)
	case request&^lengthBits == hidiocsfeat&^lengthBits && int(request&lengthBits>>16) == len(data):
		h.features = append(h.features, bytes.Clone(data))
		return len(data), nil
	default:
		return 0, unix.EINVAL
	}
	return 0, nil
}
