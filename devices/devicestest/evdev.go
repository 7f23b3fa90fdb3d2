package devicestest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The requests of ioctl(2) that a Keyboard knows (linux/input.h).
const (
	eviocgrab = 0x40044590
	eviocgid  = 0x80084502
	eviocgkey = 0x80604518
	eviocgled = 0x80084519
	eviocgbit = 0x80604521
)

// Keys by their codes, and values of events.
const (
	ctrlKey  = 29
	shiftKey = 42
	altKey   = 56
	capsKey  = 58
	altgrKey = 100

	Up     = 0
	Down   = 1
	Repeat = 2
)

// EventSize is the size of an event in this process.
const EventSize = int(unsafe.Sizeof(unix.Timeval{})) + 8

// An Event is one of the kernel's input events (struct input_event) without its
// time.
type Event struct {
	Type, Code uint16
	Value      int32
}

// Events that come often.
var (
	Report  = Event{0, 0, 0} // the end of what belongs together
	Dropped = Event{0, 3, 0} // some events were lost
)

// Key is a key that goes down, up or is repeated.
func Key(code uint16, value int32) Event { return Event{1, code, value} }

// Bytes returns events as they are read in a process whose events have size bytes.
func Bytes(size int, events ...Event) []byte {
	var all []byte
	for _, e := range events {
		p := make([]byte, size)
		binary.NativeEndian.PutUint16(p[size-8:], e.Type)
		binary.NativeEndian.PutUint16(p[size-6:], e.Code)
		binary.NativeEndian.PutUint32(p[size-4:], uint32(e.Value))
		all = append(all, p...)
	}
	return all
}

// A Keyboard is a scanner that types. It is a composite device, as most are: its
// first interface has only keys for the volume. It belongs to one goroutine; its
// fields are for between Unplug and Plug.
type Keyboard struct {
	ID         ID
	Layout     string // what the scanner is set to, as in the config
	Gagged     bool   // udev's rules know it: they inhibit it when it is plugged in
	RefuseGrab error  // what who wants to grab it gets

	bus   *Bus
	units []*unit // nil: unplugged
	held  [96]byte
	lamp  bool
}

// NewKeyboard returns a scanner that is not yet plugged in.
func (b *Bus) NewKeyboard(id ID, layout string) *Keyboard {
	return &Keyboard{ID: id, Layout: layout, bus: b}
}

// Plug plugs the scanner in, into the port of its ID.
func (k *Keyboard) Plug() error {
	k.bus.mu.Lock()
	defer k.bus.mu.Unlock()
	if k.units != nil {
		return fmt.Errorf("plug in %v: already plugged in", k.ID)
	}
	k.held = [96]byte{}
	inhibited := "0\n"
	if k.Gagged {
		inhibited = "1\n"
	}
	for iface, keys := range [][96]byte{keysOf(113, 114, 115), typingKeys()} {
		k.bus.last++
		u := &unit{name: fmt.Sprintf("event%d", k.bus.last), class: "input", number: fmt.Sprintf("13:%d", 64+k.bus.last), ioctl: k.ioctlOf(iface, keys)}
		err := k.bus.plug(k.ID, iface, u, map[string]string{
			"name": "Simulated Scanner\n", "uniq": k.ID.Serial + "\n", "inhibited": inhibited,
			"capabilities/key": words(keys[:])})
		k.units = append(k.units, u)
		if err = errors.Join(err, k.record(u)); err != nil {
			return errors.Join(fmt.Errorf("plug in %v: %w", k.ID, err), k.bus.unplug(k.ID.Port, k.units))
		}
	}
	return nil
}

// record writes down what udev has found out about a node.
func (k *Keyboard) record(u *unit) error {
	text := "I:1234567\nE:ID_INPUT=1\n"
	if k.Gagged {
		text += "E:CIRCDESK_SCANNER=1\n"
	}
	return os.WriteFile(filepath.Join(k.bus.udev, "data", "c"+u.number), []byte(text), 0o644)
}

// Ruled gives udev a rule that knows the scanner, and has it look at it again, which
// does not inhibit it.
func (k *Keyboard) Ruled() error {
	k.Gagged = true
	return k.record(k.units[1])
}

// Unplug pulls the scanner out. One that is not plugged in stays as it is.
func (k *Keyboard) Unplug() error {
	k.bus.mu.Lock()
	defer k.bus.mu.Unlock()
	units := k.units
	k.units = nil
	if units == nil {
		return nil
	}
	return k.bus.unplug(k.ID.Port, units)
}

// Path returns the node that types, "" if the scanner is not plugged in.
func (k *Keyboard) Path() string {
	if k.units == nil {
		return ""
	}
	return filepath.Join(k.bus.dev, "input", k.units[1].name)
}

// Inhibit writes the attribute, as udev would.
func (k *Keyboard) Inhibit(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	return os.WriteFile(filepath.Join(k.units[1].sys, "inhibited"), []byte(value), 0o644)
}

// Inhibited tells whether the scanner is to say nothing.
func (k *Keyboard) Inhibited() bool {
	text, err := os.ReadFile(filepath.Join(k.units[1].sys, "inhibited"))
	return err == nil && strings.HasPrefix(string(text), "1")
}

// Lamp turns the Caps Lock lamp on or off, as the console would.
func (k *Keyboard) Lamp(on bool) { k.lamp = on }

// WaitOpen returns when somebody has opened the scanner and let it speak.
func (k *Keyboard) WaitOpen(ctx context.Context) error {
	if k.units == nil {
		return fmt.Errorf("wait for a reader of %v: unplugged", k.ID)
	}
	u := k.units[1]
	return k.bus.until(ctx, fmt.Sprintf("a reader of %v", k.ID), func() bool {
		k.bus.prune(u)
		return len(u.ends) > 0 && !k.Inhibited() && (k.RefuseGrab != nil || grabber(u) != nil)
	})
}

// Type waits for a reader and types text as the scanner's layout has it.
func (k *Keyboard) Type(ctx context.Context, text string) error {
	var all []Event
	for _, r := range text {
		strokes, err := strokesFor(k.Layout, r)
		if err != nil {
			return err
		}
		for _, s := range strokes {
			all = append(all, s.events()...)
		}
	}
	return k.typed(ctx, all)
}

// TypeAlt types text in the mode that holds Alt and types each character's number
// on the keypad.
func (k *Keyboard) TypeAlt(ctx context.Context, text string) error {
	pad := []uint16{82, 79, 80, 81, 75, 76, 77, 71, 72, 73}
	var all []Event
	for _, r := range text {
		all = append(all, Key(altKey, Down), Report)
		for _, d := range fmt.Sprintf("%04d", r) {
			all = append(all, stroke{key: pad[d-'0']}.events()...)
		}
		all = append(all, Key(altKey, Up), Report)
	}
	return k.typed(ctx, all)
}

// TypeCaps types text with Caps Lock on, which the scanner turns on before and
// off after.
func (k *Keyboard) TypeCaps(ctx context.Context, text string) error {
	all := stroke{key: capsKey}.events()
	for _, r := range text {
		if unicode.IsUpper(r) {
			r = unicode.ToLower(r)
		} else {
			r = unicode.ToUpper(r)
		}
		strokes, err := strokesFor(k.Layout, r)
		if err != nil {
			return err
		}
		for _, s := range strokes {
			all = append(all, s.events()...)
		}
	}
	return k.typed(ctx, append(all, stroke{key: capsKey}.events()...))
}

// TypeCtrl types the key that a US keyboard has for r while Ctrl is held.
func (k *Keyboard) TypeCtrl(ctx context.Context, r rune) error {
	strokes, err := strokesFor("us", r)
	if err != nil {
		return err
	}
	all := []Event{Key(ctrlKey, Down), Report}
	all = append(all, stroke{key: strokes[0].key}.events()...)
	return k.typed(ctx, append(all, Key(ctrlKey, Up), Report))
}

// typed waits for a reader and sends it the events.
func (k *Keyboard) typed(ctx context.Context, all []Event) error {
	if err := k.WaitOpen(ctx); err != nil {
		return err
	}
	return k.Send(ctx, all...)
}

// Send sends events at once, to whoever is there: to the one who has grabbed the
// device, else to all who have it open and to the console. It waits for a reader
// that is slow until ctx is done; then it drops events, as the kernel does, and
// says so before the next.
func (k *Keyboard) Send(ctx context.Context, events ...Event) error {
	if k.units == nil {
		return fmt.Errorf("type on %v: unplugged", k.ID)
	}
	for _, e := range k.listeners(events) {
		if err := deliver(ctx, e, events); err != nil {
			return fmt.Errorf("type on %v: %w", k.ID, err)
		}
	}
	return nil
}

// listeners are those who get events that happen now, the console aside.
func (k *Keyboard) listeners(events []Event) []*end {
	k.bus.mu.Lock()
	defer k.bus.mu.Unlock()
	if k.Inhibited() {
		return nil
	}
	for _, e := range events {
		if e.Type == 1 && e.Code < 768 && e.Value != Repeat {
			k.held[e.Code/8] &^= 1 << (e.Code % 8)
			k.held[e.Code/8] |= byte(e.Value) << (e.Code % 8)
		}
	}
	u := k.units[1]
	k.bus.prune(u)
	if g := grabber(u); g != nil {
		return []*end{g}
	}
	for _, e := range events {
		if e.Type == 1 && e.Value == Down {
			k.bus.console = append(k.bus.console, e.Code)
		}
	}
	return append([]*end(nil), u.ends...)
}

// deliver sends events in pieces of 64, the length of the kernel's queue.
func deliver(ctx context.Context, e *end, events []Event) error {
	for len(events) > 0 {
		n := min(64, len(events))
		piece := events[:n]
		if e.lost {
			piece = append([]Event{Dropped, Report}, piece...)
		}
		err := send(ctx, e, Bytes(EventSize, piece...))
		if errors.Is(err, unix.EAGAIN) {
			e.lost = true
			return nil
		}
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			return nil // closed just now
		}
		if err != nil {
			return err
		}
		e.lost, events = false, events[n:]
	}
	return nil
}

func grabber(u *unit) *end {
	for _, e := range u.ends {
		if e.grabbed && !e.closed() {
			return e
		}
	}
	return nil
}

// ioctlOf answers for one node.
func (k *Keyboard) ioctlOf(iface int, keys [96]byte) func(*end, uint32, []byte) (int, error) {
	return func(e *end, request uint32, data []byte) (int, error) {
		switch request {
		case eviocgid:
			binary.NativeEndian.PutUint16(data, 3)
			binary.NativeEndian.PutUint16(data[2:], k.ID.Vendor)
			binary.NativeEndian.PutUint16(data[4:], k.ID.Product)
		case eviocgbit:
			return copy(data, keys[:]), nil
		case eviocgkey:
			return copy(data, k.held[:]), nil
		case eviocgled:
			data[0] = 0
			if k.lamp {
				data[0] = 2
			}
			return 8, nil
		case eviocgrab:
			g := grabber(k.units[iface])
			switch {
			case k.RefuseGrab != nil:
				return 0, k.RefuseGrab
			case data[0] == 0 && g == e:
				e.grabbed = false
			case data[0] == 0:
				return 0, unix.EINVAL
			case g != nil:
				return 0, unix.EBUSY
			default:
				e.grabbed = true
			}
		default:
			return 0, unix.EINVAL
		}
		return 0, nil
	}
}

// keysOf is a bit map of keys.
func keysOf(codes ...uint16) (m [96]byte) {
	for _, c := range codes {
		m[c/8] |= 1 << (c % 8)
	}
	return m
}

func typingKeys() (m [96]byte) {
	for c := uint16(1); c <= 88; c++ {
		m[c/8] |= 1 << (c % 8)
	}
	return m
}

// words is a bit map as /sys prints it.
func words(m []byte) string {
	var all []string
	size := bits.UintSize / 8
	for at := len(m) - size; at >= 0; at -= size {
		var n uint64
		for i := size - 1; i >= 0; i-- {
			n = n<<8 | uint64(m[at+i])
		}
		if n != 0 || len(all) > 0 {
			all = append(all, fmt.Sprintf("%x", n))
		}
	}
	return strings.Join(all, " ") + "\n"
}
