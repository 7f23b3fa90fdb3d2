package scanner

import (
	"bytes"
	"encoding/binary"
	"time"
)

// The opcodes of Zebra's Simple Serial Interface that are used here. GM67 speaks
// it too.
const (
	opACK         = 0xD0
	opNAK         = 0xD1
	opParamSend   = 0xC6
	opStart       = 0xE4
	opStop        = 0xE5
	opBeep        = 0xE6
	opScanEnable  = 0xE9
	opScanDisable = 0xEA
	opDecode      = 0xF3
	opDecodeLong  = 0xF4
)

const (
	fromHost = 0x04 // in the place of the source

	again = 0x01 // in the status: this packet was sent before
	more  = 0x02 // in the status: the code goes on in the next packet
)

// longest is the longest packet without its checksum: a code with all around it.
const longest = MaxCode + 8

// ssi is a packet to the scanner.
func ssi(opcode, status byte, data ...byte) []byte {
	p := append([]byte{byte(4 + len(data)), opcode, fromHost, status}, data...)
	return binary.BigEndian.AppendUint16(p, -sum(p))
}

// sum adds bytes up; a packet's checksum is its negative.
func sum(p []byte) uint16 {
	var s uint16
	for _, b := range p {
		s += uint16(b)
	}
	return s
}

// packets is the dialect of scanners that send codes in packets with a checksum
// and want each acknowledged. The zero packets sends no Hello.
type packets struct {
	enable []byte // makes the scanner send packets, not text

	in      []byte // not yet a whole packet
	code    []byte // the parts so far
	open    bool   // another part is to come
	long    bool   // the code was too long: skip its other parts
	kind    byte   // of code
	last    []byte // the decoded packet before
	bad     bool   // the packet before was refused, so what comes again is news
	strange bool   // nothing since the last packet was one
	replies []byte
	drops   uint64
}

// Hello wakes the scanner, which takes it 50 ms, asks for packets and makes sure
// that it is enabled.
func (s *packets) Hello() [][]byte {
	if s.enable == nil {
		return nil
	}
	return [][]byte{{0}, s.enable, ssi(opScanEnable, 0)}
}

// Order has beeps from SSI's table: one short high, and three long low.
func (s *packets) Order(o Order) []byte {
	switch o {
	case Good:
		return ssi(opBeep, 0, 0x00)
	case Bad:
		return ssi(opBeep, 0, 0x11)
	case Trigger:
		return ssi(opStart, 0)
	case Release:
		return ssi(opStop, 0)
	case Enable:
		return ssi(opScanEnable, 0)
	case Disable:
		return ssi(opScanDisable, 0)
	}
	return nil
}

func (s *packets) Fault() error  { return nil }
func (s *packets) Drops() uint64 { return s.drops }

func (s *packets) Replies() []byte {
	r := s.replies
	s.replies = nil
	return r
}

func (s *packets) Feed(p []byte) [][]byte {
	var codes [][]byte
	s.in = append(s.in, p...)
	for len(s.in) > 0 {
		n, ok := packetLength(s.in)
		if !ok {
			// Not the beginning of a packet: a byte of noise, or of text.
			s.in, s.drops, s.strange = s.in[1:], s.drops+1, true
			continue
		}
		if n == 0 || len(s.in) < n+2 {
			break
		}
		packet := s.in[:n+2]
		s.in = s.in[n+2:]
		if sum(packet[:n])+binary.BigEndian.Uint16(packet[n:]) != 0 {
			s.refuse()
			break
		}
		if code := s.take(packet[:n]); code != nil {
			codes = append(codes, code)
		}
	}
	s.in = bytes.Clone(s.in)
	return codes
}

// packetLength is the length of the packet at the beginning of p without its
// checksum, 0 if that is not known yet; not ok if no packet begins like this.
// A long one is FF, the opcode, 16 bits of length, and the opcode again.
func packetLength(p []byte) (n int, ok bool) {
	if p[0] != 0xFF || len(p) > 1 && p[1] != opDecodeLong {
		return int(p[0]), p[0] >= 4
	}
	if len(p) < 5 {
		return 0, true
	}
	n = int(binary.BigEndian.Uint16(p[2:]))
	return n, n >= 8 && n <= longest && p[4] == p[1]
}

// refuse asks for what has come broken once more. All that has come with it is
// thrown away: the scanner waits for an answer before it says anything else.
func (s *packets) refuse() {
	s.in, s.bad, s.strange = nil, true, true
	s.drops++
	s.replies = append(s.replies, ssi(opNAK, 0, 1)...)
}

// take acknowledges a whole packet and returns the code that ends with it.
func (s *packets) take(p []byte) []byte {
	s.strange = false
	if p[0] == 0xFF && p[1] == opDecodeLong {
		p = p[3:] // from here on as a short one
	}
	opcode, source, status, data := p[1], p[2], p[3], p[4:]
	if opcode == opACK || opcode == opNAK || source == fromHost {
		return nil
	}
	s.replies = append(s.replies, ssi(opACK, 0)...)
	if opcode != opDecode && opcode != opDecodeLong || len(data) == 0 {
		return nil
	}
	if status&again != 0 && !s.bad && bytes.Equal(data, s.last) {
		return nil // it did not hear that we have it
	}
	s.bad, s.last = false, bytes.Clone(data)
	return s.part(data[0], data[1:], status&more != 0)
}

// part adds to the code and returns it when it is whole.
func (s *packets) part(kind byte, text []byte, more bool) []byte {
	if s.open && s.kind != kind {
		s.giveUp()
	}
	s.open, s.kind = more, kind
	if len(s.code)+len(text) > MaxCode {
		s.code, s.long = nil, true
	}
	if !s.long {
		s.code = append(s.code, text...)
	}
	if more {
		return nil
	}
	if s.long {
		s.giveUp()
		return nil
	}
	code, drops := clean(s.code)
	s.code, s.drops = nil, s.drops+drops
	if len(code) > 0 && !isAIM(code) && len(code)+3 <= MaxCode {
		code = append([]byte(aimOf(kind)), code...)
	}
	return code
}

// aimOf is the AIM identifier of SSI's code type, empty if it is not known. The
// high bits of the EAN types are an add-on of two or five digits.
func aimOf(kind byte) string {
	switch kind {
	case 0x01:
		return "]A0"
	case 0x02:
		return "]F0"
	case 0x03:
		return "]C0"
	case 0x0A:
		return "]E4"
	case 0x0B:
		return "]E0"
	case 0x4B, 0x8B:
		return "]E3"
	case 0xF1:
		return "]Q1"
	}
	return ""
}

// Quiet asks again for a packet that was cut off, and gives up a code whose other
// parts do not come. Where no packet comes even then, the scanner sends text, as
// after a loss of power or where another was plugged into the adapter: it is awake
// now, and told anew to send packets.
func (s *packets) Quiet(gap time.Duration) []byte {
	switch {
	case gap < readTimeout:
	case len(s.in) > 0:
		s.refuse()
	case s.strange:
		s.strange = false
		s.replies = append(s.replies, s.enable...)
	}
	if s.open && gap >= 2*patience {
		s.giveUp()
	}
	return nil
}

// giveUp drops the code that was begun.
func (s *packets) giveUp() {
	s.code, s.open, s.long = nil, false, false
	s.drops++
}

func (s *packets) Reset() {
	if len(s.in) > 0 || s.open {
		s.giveUp()
	}
	s.in, s.last, s.bad, s.strange, s.replies = nil, nil, false, false, nil
}
