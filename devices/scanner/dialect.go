package scanner

import (
	"bytes"
	"time"
)

// soh follows STX where Newland's scanners answer.
const soh = 0x01

// A dialect is how a scanner says codes and understands orders. Feed, Quiet,
// Reset and Drops are as a Framer's.
type dialect interface {
	Feed(p []byte) [][]byte
	Quiet(gap time.Duration) []byte
	Reset()
	Drops() uint64

	// Hello is what to send, one after the other, to a scanner that was opened.
	Hello() [][]byte
	// Replies takes what is to be sent back for what was fed.
	Replies() []byte
	// Order is the command for o, nil if there is none. It may be called from
	// another goroutine than the rest.
	Order(o Order) []byte
	// Fault says why this device should not be listened to any longer.
	Fault() error
}

// The dialects of serial scanners, by their names in the config.
func dialects() []string {
	return []string{"plain", "honeywell", "datalogic", "newland", "ssi", "gm65", "gm67"}
}

// newDialect returns the dialect of a serial scanner.
func newDialect(name string, f Framer) dialect {
	switch name {
	case "honeywell":
		return &plain{Framer: f, orders: honeywell()}
	case "datalogic":
		// F also disables the scanner, so E follows; and one that was left disabled
		// by whoever had it before is enabled at the start.
		return &plain{Framer: f, hello: []byte("E"), orders: map[Order][]byte{
			Good: []byte("B"), Bad: []byte("FE"), Trigger: []byte("T"), Release: []byte("X"),
			Disable: []byte("D"), Enable: []byte("E")}}
	case "newland":
		return &answering{plain: plain{Framer: f}, second: soh, length: untilETX}
	case "gm65":
		return &answering{plain: plain{Framer: f, orders: map[Order][]byte{
			Trigger: gm65(0x08, 0x0002, 1), Release: gm65(0x08, 0x0002, 0)}}, second: 0, length: gm65Reply}
	case "ssi":
		return &packets{enable: ssi(opParamSend, 0x08, 0xFF, 0xEE, 0x01)}
	case "gm67":
		return &packets{enable: ssi(opParamSend, 0x08, 0x00, 0xEE, 0x01)}
	}
	return &plain{Framer: f}
}

// honeywell are the commands of Honeywell's scanners. The beep is one and the
// same; three of them are what they do themselves for an error.
func honeywell() map[Order][]byte {
	beep := []byte{0x16, 0x07, cr}
	return map[Order][]byte{Good: beep, Bad: bytes.Repeat(beep, 3),
		Trigger: {0x16, 0x54, cr}, Release: {0x16, 0x55, cr}}
}

// A plain is text with a suffix, and commands without answers.
type plain struct {
	Framer
	hello  []byte
	orders map[Order][]byte
}

func (p *plain) Hello() [][]byte {
	if p.hello == nil {
		return nil
	}
	return [][]byte{p.hello}
}

func (p *plain) Replies() []byte      { return nil }
func (p *plain) Order(o Order) []byte { return p.orders[o] }
func (p *plain) Fault() error         { return nil }

// An answering is text between which the scanner answers commands that somebody
// has given, by a host or a barcode on paper. An answer begins with STX and a
// second byte that begins no text, and is never a scan.
type answering struct {
	plain
	second byte
	length func(answer []byte) (n int, ok bool) // n is 0 as long as it is not known

	held  []byte // an STX, or an answer as far as it has come
	wrong uint64
}

func (a *answering) Feed(p []byte) [][]byte {
	var codes [][]byte
	for _, b := range p {
		switch {
		case len(a.held) == 0 && b == stx:
			a.held = append(a.held, b)
		case len(a.held) == 1 && b != a.second:
			text := append(a.held, b)
			a.held = nil
			codes = append(codes, a.plain.Feed(text)...)
		case len(a.held) > 0:
			a.answer(b)
		default:
			codes = append(codes, a.plain.Feed([]byte{b})...)
		}
	}
	return codes
}

// answer takes one more byte of an answer and forgets it when it is whole.
func (a *answering) answer(b byte) {
	a.held = append(a.held, b)
	switch n, ok := a.length(a.held); {
	case !ok || len(a.held) == MaxCode:
		a.wrong++
		a.held = nil
	case n > 0 && len(a.held) >= n:
		a.held = nil
	}
}

// Quiet also gives up an answer whose end does not come.
func (a *answering) Quiet(gap time.Duration) []byte {
	if gap >= a.Idle && len(a.held) > 0 {
		a.dropHeld()
	}
	return a.plain.Quiet(gap)
}

func (a *answering) dropHeld() {
	if len(a.held) > 1 {
		a.wrong++
	}
	a.held = nil
}

func (a *answering) Reset() {
	a.dropHeld()
	a.plain.Reset()
}

func (a *answering) Drops() uint64 { return a.wrong + a.plain.Drops() }

// untilETX is the length of Newland's answers, STX SOH 0000@NAME, a control byte,
// ";" and ETX.
func untilETX(answer []byte) (int, bool) {
	if answer[len(answer)-1] == etx {
		return len(answer), true
	}
	return 0, true
}

// gm65Reply is the length of GM65's answers, 02 00 00 and the length of what
// follows before the checksum. It is not ok if the checksum is wrong.
func gm65Reply(answer []byte) (int, bool) {
	if len(answer) < 4 {
		return 0, true
	}
	n := 4 + int(answer[3]) + 2
	if len(answer) < n {
		return 0, true
	}
	crc := crc16(answer[2 : n-2])
	return n, answer[n-2] == byte(crc>>8) && answer[n-1] == byte(crc)
}

// gm65 is a command of GM65 for one byte at an address: type 8 writes.
func gm65(typ byte, at uint16, value byte) []byte {
	c := []byte{0x7E, 0x00, typ, 1, byte(at >> 8), byte(at), value}
	crc := crc16(c[2:])
	return append(c, byte(crc>>8), byte(crc))
}

// crc16 has the polynomial 1021 and begins with 0 (CRC-16/XMODEM).
func crc16(p []byte) uint16 {
	var crc uint16
	for _, b := range p {
		crc ^= uint16(b) << 8
		for range 8 {
			high := crc & 0x8000
			crc <<= 1
			if high != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc
}

// clean makes a code of what came in packets: it takes off one suffix, and the
// control bytes that a Framer would not let through, which it counts.
func clean(p []byte) (code []byte, drops uint64) {
	p = bytes.TrimSuffix(bytes.TrimSuffix(p, []byte{lf}), []byte{cr})
	for _, b := range p {
		if b < ' ' && (len(code) == 0 || b != gs && b != rs && b != eot) {
			drops++
			continue
		}
		code = append(code, b)
	}
	return code, drops
}

// isAIM tells whether p begins like an AIM identifier.
func isAIM(p []byte) bool {
	return len(p) >= 3 && p[0] == ']' && (p[1]|0x20 >= 'a' && p[1]|0x20 <= 'z') && p[2] >= '0' && p[2] <= '9'
}
