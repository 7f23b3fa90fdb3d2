// Package scanner reads barcode scanners. It turns what a device sends into
// codes, one for each scan, and knows nothing of what a code means; package
// barcode does.
package scanner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"circdesk/devices"
)

// A Code is what one scan sent, without its suffix.
type Code struct {
	Device string    // the scanner's name
	Raw    []byte    // 1 to MaxCode bytes, of any value that Framer lets through
	At     time.Time // when its last byte was read, with the monotonic clock
}

// Kinds of scanners: how one is connected.
const (
	Serial   = "serial"   // RS-232, or USB in CDC-ACM mode
	Keyboard = "keyboard" // USB or Bluetooth, a keyboard that types (evdev)
	HIDPOS   = "hidpos"   // USB, with reports made for barcodes (hidraw)
)

// A Config names a scanner. A zero field has its default; Name is needed, and
// either Path or Match. A USB scanner in CDC-ACM mode ignores the line settings.
//
// The dialect says how a serial scanner frames codes, and which orders it obeys:
//
//	plain      text with a suffix or without one; none
//	honeywell  text; Good, Bad, Trigger, Release
//	datalogic  text; all
//	newland    text, and answers to commands, which are no scans; none
//	ssi        Zebra's packets with checksums, each acknowledged; all
//	gm65       text, and answers with a checksum; Trigger, Release
//	gm67       packets as in ssi; all
//
// Of the other kinds, Honeywell's HID-POS scanners obey what their serial ones do.
type Config struct {
	Name    string // unique: "desk"
	Kind    string // Serial, Keyboard or HIDPOS; Serial
	Path    string // a device, a link to one, or several with asterisks: "/dev/circdesk/scanner"
	Match   Match  // of its USB device, in whatever port or in one
	Layout  string // of a keyboard: us, uk, de, fr, es, nordic, se, fi, dk or no; "us"
	Dialect string // of a serial scanner; "plain"

	Baud     int           // bits per second; 9600
	Size     int           // data bits, 7 or 8; 8
	Parity   string        // "none", "odd" or "even"; "none"
	StopBits int           // 1 or 2; 1
	Idle     time.Duration // a pause this long ends a code without a suffix; 80 ms

	Remote  *Remote // where its orders come from; nil: there are none
	Backoff devices.Backoff
	Host    Host // this machine
}

// kind is Kind with its default.
func (c Config) kind() string { return cmp.Or(c.Kind, Serial) }

// idle is Idle with its default.
func (c Config) idle() time.Duration { return cmp.Or(c.Idle, defaultIdle) }

// where says which device is meant, for people.
func (c Config) where() string { return cmp.Or(c.Path, c.Match.String()) }

// rates are the line speeds that scanners offer.
func rates() []int {
	return []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}
}

// Check returns all that is wrong with c, joined, or nil. It touches no device.
func (c Config) Check() error {
	var wrong []error
	complain := func(ok bool, field string, value any, want string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %q is not %s", field, fmt.Sprint(value), want))
		}
	}
	isMatched := c.Match != Match{}
	complain(c.Name != "", "name", c.Name, "a name")
	complain(slices.Contains([]string{Serial, Keyboard, HIDPOS}, c.kind()), "kind", c.Kind, `"serial", "keyboard" or "hidpos"`)
	complain(c.Path != "" || isMatched, "path", c.Path, "a device's path")
	complain(c.Path == "" || !isMatched, "match", c.Match, "needed where there is a path")
	complain(c.Match.Serial == "" || c.Match.Vendor != 0, "match", c.Match.Serial, "a device without its vendor and product")
	complain(c.Layout == "" || slices.Contains(layouts(), c.Layout), "layout", c.Layout, "one of "+strings.Join(layouts(), ", "))
	complain(c.Dialect == "" || slices.Contains(dialects(), c.Dialect), "dialect", c.Dialect, "one of "+strings.Join(dialects(), ", "))
	complain(c.Baud == 0 || slices.Contains(rates(), c.Baud), "baud", c.Baud, "a scanner's line speed")
	complain(c.Size == 0 || c.Size == 7 || c.Size == 8, "size", c.Size, "7 or 8 data bits")
	complain(slices.Contains([]string{"", "none", "odd", "even"}, c.Parity), "parity", c.Parity, `"none", "odd" or "even"`)
	complain(c.StopBits >= 0 && c.StopBits <= 2, "stop_bits", c.StopBits, "1 or 2")
	complain(c.Idle >= 0 && c.Idle < patience, "idle", c.Idle, "a pause below "+patience.String())
	return errors.Join(wrong...)
}

// Try opens the scanner once, as Run would, and closes it again. It also returns
// what Run would only say in the Status of a scanner that works.
func Try(c Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	told := &teller{report: func(devices.Status) {}}
	d, err := open(c, told)
	if err != nil {
		return err
	}
	if err := d.Close(); err != nil {
		return err
	}
	if told.note != "" {
		return fmt.Errorf("open %q: it %s", told.path, told.note)
	}
	return nil
}

// Run reads the scanner until ctx is done, through every unplugging. It calls
// emit with each code and report with each change of the scanner's Status, both
// from its own goroutine; emit may wait, but not longer than ctx. The same code
// again within 1.2 s, however often, is one scan; unplugging ends that memory.
//
// A Status that is Ready and has an Err is that of a scanner that works, but not
// as it should: a keyboard, say, that could not be grabbed or has no udev rule.
//
// Run returns Check's error at once and nil within 300 ms after ctx is done.
func Run(ctx context.Context, c Config, report func(devices.Status), emit func(Code)) error {
	if err := c.Check(); err != nil {
		return err
	}
	told := &teller{report: report}
	spec := devices.Spec{Name: c.Name, Kind: c.kind(), Path: c.where(), Backoff: c.Backoff, Report: told.status,
		Look: func() string { return look(c) }}
	devices.Keep(ctx, spec,
		func(context.Context) (*opened, error) { return open(c, told) },
		func(ctx context.Context, d *opened, count func(devices.Tally)) error {
			return newReader(c, d.port, d.dialect, emit, count).read(ctx)
		})
	return nil
}

// An opened is an open scanner and how it speaks.
type opened struct {
	port
	dialect dialect
}

// open opens the scanner, of whatever kind, and tells what is to be said of it.
func open(c Config, told *teller) (*opened, error) {
	told.noted("")
	var n *node
	var err error
	switch c.kind() {
	case Keyboard:
		n, err = openKeyboard(c, told)
	case HIDPOS:
		n, err = openHIDPOS(c, told)
	default:
		t, err := openPort(c, told)
		if err != nil {
			return nil, err
		}
		return &opened{t, newDialect(c.Dialect, told.framer(c))}, nil
	}
	if err != nil {
		return nil, err
	}
	return &opened{n, n.dialect}, nil
}
