package devices

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// The kernel's interface to GPIO lines, version 2 (linux/gpio.h). The library's
// own way to it reads the chips once when the program starts, so that a line that
// is missing or forbidden then stays so; ours are looked up at every opening.
type (
	chipInfo struct {
		_, label [32]byte
		lines    uint32
	}
	lineAttribute struct {
		id, _ uint32
		value uint64 // flags, values or a debounce period
	}
	lineInfo struct {
		name, _   [32]byte
		offset, _ uint32
		_         uint64
		_         [10]lineAttribute
		_         [4]uint32
	}
	lineConfig struct {
		flags   uint64
		n       uint32
		_       [5]uint32
		entries [10]struct {
			attribute lineAttribute
			mask      uint64
		}
	}
	lineRequest struct {
		offsets  [64]uint32
		consumer [32]byte
		config   lineConfig
		n        uint32
		_        uint32
		_        [5]uint32
		fd       int32
	}
	lineValues struct{ bits, mask uint64 }
)

// A Direction says how a line is opened.
type Direction int

// The directions.
const (
	Input      Direction = iota
	PulledUp             // an input with its pull-up on
	OutputLow            // an output that begins low
	OutputHigh           // an output that begins high, which is what a reset pin rests at
)

// The kernel's flags of a line.
const (
	input    = 1 << 2
	output   = 1 << 3
	pullUp   = 1 << 8
	pullDown = 1 << 9

	// outputValues is the attribute that has the first level of an output.
	outputValues = 2
)

// flags are the kernel's words for a direction.
func (d Direction) flags() uint64 {
	switch d {
	case PulledUp:
		return input | pullUp
	case OutputLow, OutputHigh:
		return output
	}
	return input
}

// errInUse is the answer to the second who wants a line.
var errInUse = errors.New("another program uses this line")

// The requests; the direction is 2 for an answer and 3 for a question with one.
const (
	getChipInfo = 2<<30 | uint(unsafe.Sizeof(chipInfo{}))<<16 | 0xB4<<8 | 0x01
	getLineInfo = 3<<30 | uint(unsafe.Sizeof(lineInfo{}))<<16 | 0xB4<<8 | 0x05
	getLine     = 3<<30 | uint(unsafe.Sizeof(lineRequest{}))<<16 | 0xB4<<8 | 0x07
	setConfig   = 3<<30 | uint(unsafe.Sizeof(lineConfig{}))<<16 | 0xB4<<8 | 0x0D
	getValues   = 3<<30 | uint(unsafe.Sizeof(lineValues{}))<<16 | 0xB4<<8 | 0x0E
	setValues   = 3<<30 | uint(unsafe.Sizeof(lineValues{}))<<16 | 0xB4<<8 | 0x0F
)

// ioctl asks the kernel.
func ioctl[T any](fd int, request uint, arg *T) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(unsafe.Pointer(arg))); errno != 0 {
		return errno
	}
	return nil
}

// A Line is a GPIO line that is ours. It does what our devices need of a pin;
// anything else fails.
type Line struct {
	gpio.PinIO
	name string
	fd   int
}

// OpenLine takes a line: "GPIO25" by its name, which is looked for on the board's
// own chip first, or "gpiochip0:25" by its number.
func OpenLine(name string, d Direction) (*Line, error) {
	chip, offset, err := findLine(name)
	if err != nil {
		return nil, fmt.Errorf("GPIO line %q: %w", name, err)
	}
	defer chip.Close()
	request := lineRequest{offsets: [64]uint32{offset}, n: 1}
	copy(request.consumer[:], "circdesk")
	request.config.flags = d.flags()
	if d == OutputHigh {
		request.config.n = 1
		request.config.entries[0].attribute = lineAttribute{id: outputValues, value: 1}
		request.config.entries[0].mask = 1
	}
	err = ioctl(int(chip.Fd()), getLine, &request)
	if errors.Is(err, unix.EBUSY) {
		err = errInUse
	}
	if err != nil {
		return nil, fmt.Errorf("GPIO line %q: %w", name, err)
	}
	return &Line{PinIO: gpio.INVALID, name: name, fd: int(request.fd)}, nil
}

// findLine returns the open chip that has a line, and the line's number there.
func findLine(name string) (*os.File, uint32, error) {
	if chip, number, ok := strings.Cut(name, ":"); ok {
		offset, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return nil, 0, err
		}
		f, err := os.OpenFile(filepath.Join("/dev", chip), os.O_RDWR, 0)
		return f, uint32(offset), err
	}
	paths, err := filepath.Glob("/dev/gpiochip*")
	if err != nil {
		return nil, 0, err
	}
	chips, err := openChips(paths)
	missing := cmp.Or(err, error(fs.ErrNotExist))
	for i, c := range chips {
		if offset, ok := c.find(name); ok {
			closeAll(chips[:i])
			closeAll(chips[i+1:])
			return c.file, offset, nil
		}
	}
	closeAll(chips)
	return nil, 0, missing
}

// A gpioChip is an open GPIO controller.
type gpioChip struct {
	file  *os.File
	label string
	lines uint32
}

// openChips opens GPIO controllers, the board's own before those of its add-ons.
// It returns an error for those that it could not open beside those that it could.
func openChips(paths []string) (chips []gpioChip, err error) {
	for _, path := range paths {
		f, failed := os.OpenFile(path, os.O_RDWR, 0)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		var info chipInfo
		if failed := ioctl(int(f.Fd()), getChipInfo, &info); failed != nil {
			err = errors.Join(err, fmt.Errorf("ask %q: %w", path, failed), f.Close())
			continue
		}
		chips = append(chips, gpioChip{f, text(info.label[:]), info.lines})
	}
	slices.SortStableFunc(chips, func(a, b gpioChip) int {
		return cmp.Or(-compareBool(a.isBoard(), b.isBoard()), cmp.Compare(a.label, b.label))
	})
	return chips, err
}

func closeAll(chips []gpioChip) {
	for _, c := range chips {
		c.file.Close()
	}
}

// isBoard tells whether a chip is a Raspberry Pi's own.
func (c gpioChip) isBoard() bool { return strings.HasPrefix(c.label, "pinctrl-") }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// find returns the number of a named line.
func (c gpioChip) find(name string) (uint32, bool) {
	for offset := range c.lines {
		info := lineInfo{offset: offset}
		if ioctl(int(c.file.Fd()), getLineInfo, &info) == nil && text(info.name[:]) == name {
			return offset, true
		}
	}
	return 0, false
}

// text returns a name of the kernel's, which ends with a zero.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}

// Name returns the line's name in the config.
func (l *Line) Name() string { return l.name }

// String returns the line's name.
func (l *Line) String() string { return l.name }

// In makes the line an input. There are no edges.
func (l *Line) In(pull gpio.Pull, edge gpio.Edge) error {
	config := lineConfig{flags: input}
	switch {
	case edge != gpio.NoEdge:
		return fmt.Errorf("GPIO line %q: edges: %w", l.name, errors.ErrUnsupported)
	case pull == gpio.PullUp:
		config.flags |= pullUp
	case pull == gpio.PullDown:
		config.flags |= pullDown
	}
	if err := ioctl(l.fd, setConfig, &config); err != nil {
		return fmt.Errorf("GPIO line %q: make it an input: %w", l.name, err)
	}
	return nil
}

// Read returns the level. A line that cannot be read is high: a BUSY that never
// falls is noticed.
func (l *Line) Read() gpio.Level {
	v := lineValues{mask: 1}
	if err := ioctl(l.fd, getValues, &v); err != nil {
		return gpio.High
	}
	return v.bits&1 != 0
}

// Out sets the level of an output.
func (l *Line) Out(level gpio.Level) error {
	v := lineValues{mask: 1}
	if level {
		v.bits = 1
	}
	if err := ioctl(l.fd, setValues, &v); err != nil {
		return fmt.Errorf("GPIO line %q: set it %v: %w", l.name, level, err)
	}
	return nil
}

// Close gives the line up.
func (l *Line) Close() error { return unix.Close(l.fd) }
