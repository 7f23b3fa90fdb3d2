package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// keyboardDescriptor is what every keyboard says of itself that a BIOS could use (HID 1.11, appendix B).
func keyboardDescriptor() []byte {
	return []byte{
		0x05, 0x01, 0x09, 0x06, 0xA1, 0x01, // a keyboard
		0x05, 0x07, 0x19, 0xE0, 0x29, 0xE7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, // Shift, Ctrl …
		0x95, 0x01, 0x75, 0x08, 0x81, 0x01, // a byte for nothing
		0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x95, 0x05, 0x75, 0x01, 0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, // lamps
		0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x15, 0x00, 0x25, 0x65, 0x95, 0x06, 0x75, 0x08, 0x81, 0x00, // six keys at once
		0xC0,
	}
}

// strokes are the reports that type text: each key down and up. It knows digits and Enter.
func strokes(text string) ([][]byte, error) {
	var all [][]byte
	for _, r := range text {
		usage := strings.IndexRune("1234567890\r", r)
		if usage < 0 {
			return nil, fmt.Errorf("there is no key for %q", r)
		}
		all = append(all, []byte{0, 0, 0x1E + byte(usage), 0, 0, 0, 0, 0}, make([]byte, 8))
	}
	return all, nil
}

// gadgetKeyboard is a scanner that types, on USB.
func gadgetKeyboard() scanner {
	g := gadget{name: "keyboard", vendor: "0c2e", product: "0b61", serial: "K1", function: "hid.keys", controller: keyboardPort,
		attributes: map[string]string{"protocol": "1", "subclass": "1", "report_length": "8", "no_out_endpoint": "1",
			"report_desc": string(keyboardDescriptor())}}
	send := func(ctx context.Context, text string) error {
		all, err := strokes(text)
		if err != nil {
			return err
		}
		path, err := g.hidNode()
		if err != nil {
			return err
		}
		return report(ctx, path, all)
	}
	return scanner{
		name: "keyboard", what: "keyboard (USB gadget)", node: eventOf("0c2e", "0b61"), plug: g.plug, pull: g.pull,
		scan:  func(ctx context.Context, code string) error { return send(ctx, code+"\r") },
		begin: send,
	}
}

// eventOf is a pattern for the input device's folder of what has these numbers: "id/vendor" is in it.
func eventOf(vendor, product string) string { return "input " + vendor + ":" + product }

// The events of uhid (linux/uhid.h) that are of use here.
const (
	uhidGetReport      = 9
	uhidGetReportReply = 10
	uhidCreate         = 11
	uhidInput          = 12
	uhidSetReport      = 13
	uhidSetReportReply = 14
	uhidEvent          = 4 + 4372 // the size of the longest
)

// A virtual is a HID device that this program plays, as Bluetooth's daemon does for scanners of its kind.
type virtual struct{ f *os.File }

// create plugs it in.
func (v *virtual) create(name, serial string, vendor, product uint16, descriptor []byte) error {
	if err := modprobe("uhid"); err != nil {
		return err
	}
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	event := binary.NativeEndian.AppendUint32(nil, uhidCreate)
	for _, text := range []struct {
		value string
		room  int
	}{{name, 128}, {"bench/input0", 64}, {serial, 64}} {
		event = append(event, text.value...)
		event = append(event, make([]byte, text.room-len(text.value))...)
	}
	event = binary.NativeEndian.AppendUint16(event, uint16(len(descriptor)))
	event = binary.NativeEndian.AppendUint16(event, 3) // USB
	for _, n := range []uint32{uint32(vendor), uint32(product), 0x100, 0} {
		event = binary.NativeEndian.AppendUint32(event, n)
	}
	event = append(event, descriptor...)
	if _, err := f.Write(append(event, make([]byte, uhidEvent-len(event))...)); err != nil {
		return errors.Join(err, f.Close())
	}
	v.f = f
	go v.serve(f)
	return nil
}

// serve refuses what the kernel asks, so that it does not wait, until the device is gone.
func (v *virtual) serve(f *os.File) {
	event := make([]byte, uhidEvent)
	for {
		if _, err := f.Read(event); err != nil {
			return
		}
		reply := map[uint32]uint32{uhidGetReport: uhidGetReportReply, uhidSetReport: uhidSetReportReply}[binary.NativeEndian.Uint32(event)]
		if reply == 0 {
			continue
		}
		answer := binary.NativeEndian.AppendUint32(nil, reply)
		answer = append(answer, event[4:8]...)
		answer = binary.NativeEndian.AppendUint16(answer, uint16(unix.EIO))
		// If the device has gone meanwhile nobody waits.
		_, _ = f.Write(append(answer, 0, 0))
	}
}

// keyPace is how often a scanner that types is asked for its next report.
const keyPace = 3 * time.Millisecond

// send has it send reports, at a scanner's pace.
func (v *virtual) send(reports [][]byte) error {
	if v.f == nil {
		return errors.New("it is not plugged in")
	}
	pace := time.NewTicker(keyPace)
	defer pace.Stop()
	for _, r := range reports {
		<-pace.C
		event := binary.NativeEndian.AppendUint32(nil, uhidInput)
		event = binary.NativeEndian.AppendUint16(event, uint16(len(r)))
		if _, err := v.f.Write(append(event, r...)); err != nil {
			return err
		}
	}
	return nil
}

// destroy pulls it out.
func (v *virtual) destroy() error {
	if v.f == nil {
		return nil
	}
	f := v.f
	v.f = nil
	return f.Close()
}

// uhid is a scanner that types and is not on USB.
func uhid() scanner {
	v := &virtual{}
	send := func(text string) error {
		all, err := strokes(text)
		if err != nil {
			return err
		}
		return v.send(all)
	}
	return scanner{
		name: "uhid", what: "keyboard (uhid)", node: eventOf("05e0", "1200"),
		plug: func(context.Context) error {
			if v.f != nil {
				return nil
			}
			return v.create("Wireless Scanner", "U1", 0x05E0, 0x1200, keyboardDescriptor())
		},
		pull:  func(context.Context) error { return v.destroy() },
		scan:  func(_ context.Context, code string) error { return send(code + "\r") },
		begin: func(_ context.Context, half string) error { return send(half) },
	}
}

// there tells whether a scanner's node is there.
func (s scanner) there() (bool, error) {
	if id, isRaw := strings.CutPrefix(s.node, "hidraw "); isRaw {
		node, err := rawNode(id)
		return node != "", err
	}
	if id, isInput := strings.CutPrefix(s.node, "input "); isInput {
		found, err := inputs(id)
		return len(found) > 0, err
	}
	found, err := filepath.Glob(s.node)
	return len(found) > 0, err
}

// inputs are the folders of the input devices with these numbers, vendor:product.
func inputs(id string) ([]string, error) {
	all, err := filepath.Glob("/sys/class/input/input*")
	var found []string
	for _, dir := range all {
		vendor, _ := os.ReadFile(filepath.Join(dir, "id/vendor")) // a device may go while we look
		product, _ := os.ReadFile(filepath.Join(dir, "id/product"))
		if strings.TrimSpace(string(vendor))+":"+strings.TrimSpace(string(product)) == id {
			found = append(found, dir)
		}
	}
	return found, err
}
