// Package scanner reads barcode scanners. It turns what a device sends into
// codes, one for each scan, and knows nothing of what a code means; package
// barcode does.
package scanner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"circdesk/devices"
)

// A Code is what one scan sent, without its suffix.
type Code struct {
	Device string    // the scanner's name
	Raw    []byte    // 1 to MaxCode bytes, of any value that Framer lets through
	At     time.Time // when its last byte was read, with the monotonic clock
}

// A Config names a serial scanner: one with an RS-232 cable, or a USB scanner in
// its CDC-ACM mode, which ignores the line settings. A zero field but Name and
// Path has its default.
type Config struct {
	Name     string        // unique: "desk"
	Path     string        // a terminal or a link to one: "/dev/circdesk/scanner"
	Baud     int           // bits per second; 9600
	Size     int           // data bits, 7 or 8; 8
	Parity   string        // "none", "odd" or "even"; "none"
	StopBits int           // 1 or 2; 1
	Idle     time.Duration // a pause this long ends a code without a suffix; 80 ms
	Backoff  devices.Backoff
}

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
	complain(c.Name != "", "name", c.Name, "a name")
	complain(c.Path != "", "path", c.Path, "a device's path")
	complain(c.Baud == 0 || slices.Contains(rates(), c.Baud), "baud", c.Baud, "a scanner's line speed")
	complain(c.Size == 0 || c.Size == 7 || c.Size == 8, "size", c.Size, "7 or 8 data bits")
	complain(slices.Contains([]string{"", "none", "odd", "even"}, c.Parity), "parity", c.Parity, `"none", "odd" or "even"`)
	complain(c.StopBits >= 0 && c.StopBits <= 2, "stop_bits", c.StopBits, "1 or 2")
	complain(c.Idle >= 0 && c.Idle < patience, "idle", c.Idle, "a pause below "+patience.String())
	return errors.Join(wrong...)
}

// Try opens the scanner once, as Run would, and closes it again.
func Try(c Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	port, err := openPort(c)
	if err != nil {
		return err
	}
	return port.Close()
}

// Run reads the scanner until ctx is done, through every unplugging. It calls
// emit with each code and report with each change of the scanner's Status, both
// from its own goroutine; emit may wait, but not longer than ctx. The same code
// again within 1.2 s, however often, is one scan; unplugging ends that memory.
//
// Run returns Check's error at once and nil within 300 ms after ctx is done.
func Run(ctx context.Context, c Config, report func(devices.Status), emit func(Code)) error {
	if err := c.Check(); err != nil {
		return err
	}
	spec := devices.Spec{Name: c.Name, Kind: "serial", Path: c.Path, Backoff: c.Backoff, Report: report}
	devices.Keep(ctx, spec,
		func(context.Context) (port, error) { return openPort(c) },
		func(ctx context.Context, p port, count func(devices.Tally)) error {
			return newReader(c, p, emit, count).read(ctx)
		})
	return nil
}
