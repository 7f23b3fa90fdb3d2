package scanner

import (
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf8"

	"circdesk/devices"
)

// Types, codes and values of events, and the keys with a meaning of their own
// (linux/input-event-codes.h).
const (
	evSyn = 0x00
	evKey = 0x01
	evLED = 0x11

	synReport  = 0
	synDropped = 3
	ledCaps    = 1

	released = 0
	pressed  = 1
	repeated = 2

	keyEsc        = 1
	key1          = 2
	key0          = 11
	keyBackspace  = 14
	keyTab        = 15
	keyEnter      = 28
	keyLeftCtrl   = 29
	keyLeftShift  = 42
	keyRightShift = 54
	keyLeftAlt    = 56
	keySpace      = 57
	keyCaps       = 58
	keyNum        = 69
	keyPadEnter   = 96
	keyRightCtrl  = 97
	keyRightAlt   = 100
	keyLeftMeta   = 125
	keyRightMeta  = 126
	lastKey       = 0x2FF
)

const (
	// stuckAfter is how long a key may be down. No scanner holds one.
	stuckAfter = 3 * time.Second
	// stuckRepeats is the same in repeats, of which the kernel makes 30 a second.
	stuckRepeats = 90
)

// A bitmap of keys, as the kernel has it.
type bitmap [lastKey/8 + 1]byte

func (m *bitmap) set(n uint16, on bool) {
	if on {
		m[n/8] |= 1 << (n % 8)
	} else {
		m[n/8] &^= 1 << (n % 8)
	}
}

func (m *bitmap) any(codes ...uint16) bool {
	for _, n := range codes {
		if isSet(m[:], n) {
			return true
		}
	}
	return false
}

// A keyState is what the kernel says of a keyboard: the keys that are down, and
// whether its Caps Lock lamp is on.
type keyState struct {
	held bitmap
	caps bool
}

// keys is the dialect of a scanner that is a keyboard. It is fed the kernel's
// events and knows what they type: layout, Shift, Caps Lock, accents, Alt with
// the keypad, and Ctrl. Hotkeys type nothing, and are counted.
type keys struct {
	layout layout
	size   int                      // of an event: 24 bytes, 16 in a 32-bit process
	state  func() (keyState, error) // asks the device

	framer Framer
	rest   []byte // of an event that was cut off
	now    keyState
	accent rune   // waits for its letter
	pad    []byte // digits typed while Alt is held

	lost     bool // the kernel's queue was full: what comes up to the next report is half the story
	fragment bool // and so is the code after that, up to its end
	repeats  int  // of one key
	stuck    bool
	drops    uint64
}

// newKeys begins with the keys that are down already.
func newKeys(l layout, size int, f Framer, state func() (keyState, error)) (*keys, error) {
	now, err := state()
	return &keys{layout: l, size: size, state: state, framer: f, now: now}, err
}

func (k *keys) Hello() [][]byte    { return nil }
func (k *keys) Replies() []byte    { return nil }
func (k *keys) Order(Order) []byte { return nil }
func (k *keys) Drops() uint64      { return k.drops + k.framer.Drops() }

func (k *keys) Fault() error {
	if !k.stuck {
		return nil
	}
	return fmt.Errorf("a key is stuck: %w", devices.ErrNoisy)
}

// Feed takes events: a time, 16 bits of type, 16 of code, 32 of value.
func (k *keys) Feed(p []byte) [][]byte {
	var codes [][]byte
	k.rest = append(k.rest, p...)
	for len(k.rest) >= k.size {
		e := k.rest[k.size-8 : k.size]
		typ, code := binary.NativeEndian.Uint16(e), binary.NativeEndian.Uint16(e[2:])
		value := int32(binary.NativeEndian.Uint32(e[4:]))
		k.rest = k.rest[k.size:]
		for _, b := range k.event(typ, code, value) {
			if c := k.push(b); c != nil {
				codes = append(codes, c)
			}
		}
	}
	k.rest = append([]byte(nil), k.rest...)
	return codes
}

// event takes one event and returns what it types.
func (k *keys) event(typ, code uint16, value int32) []byte {
	switch {
	case typ == evSyn && code == synDropped:
		k.lost = true
		k.forget()
	case k.lost && typ == evSyn && code == synReport:
		k.resync()
	case k.lost:
	case typ == evLED && code == ledCaps:
		k.now.caps = value != 0
	case typ != evKey || code > lastKey:
	case value == pressed:
		k.repeats = 0
		k.now.held.set(code, true)
		return k.press(code)
	case value == released:
		k.repeats = 0
		k.now.held.set(code, false)
		return k.release(code)
	case value == repeated:
		k.repeats++
		k.stuck = k.stuck || k.repeats > stuckRepeats
	}
	return nil
}

// forget drops the code that was begun, once.
func (k *keys) forget() {
	before := k.framer.Drops()
	k.framer.Reset()
	if k.framer.Drops() == before {
		k.drops++
	}
	k.accent, k.pad, k.fragment = 0, nil, true
}

// resync asks which keys are down now. Without an answer none is: a Shift that is
// thought to be held makes every later code a wrong one.
func (k *keys) resync() {
	k.lost, k.repeats = false, 0
	caps := k.now.caps
	now, err := k.state()
	if err != nil {
		now = keyState{}
	}
	k.now = keyState{now.held, caps}
}

// push frames one byte, unless it is of a code whose beginning was lost.
func (k *keys) push(b byte) []byte {
	if !k.fragment {
		return k.framer.feed(b)
	}
	switch b {
	case cr, lf, tab, etx:
		k.whole()
	case stx:
		k.whole()
		return k.framer.feed(b)
	}
	return nil
}

// whole ends a fragment. A press of Caps Lock may have been lost with it; every
// scanner that presses it leaves it as it was.
func (k *keys) whole() {
	k.fragment = false
	if now, err := k.state(); err == nil {
		k.now.caps = now.caps
	}
}

// Quiet also ends fragments, and finds keys that nobody lets go.
func (k *keys) Quiet(gap time.Duration) []byte {
	if k.now.held != (bitmap{}) && gap >= stuckAfter {
		k.stuck = true
	}
	if k.fragment && !k.lost && k.framer.ends(gap) {
		k.whole()
	}
	if k.accent != 0 && gap >= k.framer.Idle {
		for _, b := range k.text(' ') {
			k.push(b)
		}
	}
	return k.framer.Quiet(gap)
}

func (k *keys) Reset() {
	k.framer.Reset()
	k.accent, k.pad = 0, nil
}

// press is what a key types when it goes down.
func (k *keys) press(code uint16) []byte {
	held := &k.now.held
	leftAlt, rightAlt := held.any(keyLeftAlt), held.any(keyRightAlt)
	ctrl := held.any(keyLeftCtrl, keyRightCtrl)
	altgr := rightAlt || leftAlt && ctrl // which is how Windows has it
	digit := padDigit(code)
	switch {
	case isModifier(code):
		return nil
	case code == keyCaps:
		k.now.caps = !k.now.caps
		return nil
	case (leftAlt || rightAlt) && digit != 0 && len(k.pad) < 6:
		k.pad = append(k.pad, digit)
		return nil
	case held.any(keyLeftMeta, keyRightMeta), leftAlt && !ctrl && !rightAlt:
		k.drops++
		return nil
	case ctrl && !altgr:
		if b, ok := k.layout.control(code); ok {
			return []byte{b}
		}
		k.drops++
		return nil
	}
	r := k.layout.char(code, held.any(keyLeftShift, keyRightShift), altgr, k.now.caps)
	if r == 0 {
		k.drops++
		return nil
	}
	return k.text(r)
}

// release is what a key types when it goes up: Alt, the number that was typed
// while it was held.
func (k *keys) release(code uint16) []byte {
	if code != keyLeftAlt && code != keyRightAlt || len(k.pad) == 0 || k.now.held.any(keyLeftAlt, keyRightAlt) {
		return nil
	}
	r := padChar(k.pad)
	k.pad = nil
	switch {
	case r == 0:
		k.drops++
		return nil
	case r < 0x80:
		return []byte{byte(r)} // a control character too
	}
	return k.text(r)
}

// text puts an accent that waits on r and returns the bytes of what is typed, if
// that is clear already.
func (k *keys) text(r rune) []byte {
	accent := k.accent
	isAccent := alone(r) != 0
	k.accent = 0
	switch {
	case accent == 0 && isAccent:
		k.accent = r
		return nil
	case accent == 0:
		return utf8.AppendRune(nil, r)
	case isAccent:
		return utf8.AppendRune(utf8.AppendRune(nil, alone(accent)), alone(r))
	case r == ' ':
		return utf8.AppendRune(nil, alone(accent))
	}
	if both := accented(accent, r); both != 0 {
		return utf8.AppendRune(nil, both)
	}
	return utf8.AppendRune(utf8.AppendRune(nil, alone(accent)), r)
}

func isModifier(code uint16) bool {
	switch code {
	case keyLeftShift, keyRightShift, keyLeftCtrl, keyRightCtrl, keyLeftAlt, keyRightAlt, keyLeftMeta, keyRightMeta, keyNum:
		return true
	}
	return false
}

// padDigit is a keypad's digit, or 0.
func padDigit(code uint16) byte {
	for i, c := range padKeys() {
		if c == code {
			return '0' + byte(i)
		}
	}
	return 0
}
