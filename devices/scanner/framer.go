package scanner

import (
	"bytes"
	"cmp"
	"time"
)

// MaxCode is the longest code in bytes. A QR code holds at most 4,296 characters
// (ISO/IEC 18004), and no library label comes near.
const MaxCode = 4096

// Bytes with a meaning in what scanners send, from ASCII.
const (
	stx = 0x02
	etx = 0x03
	eot = 0x04
	tab = 0x09
	lf  = 0x0A
	cr  = 0x0D
	gs  = 0x1D
	rs  = 0x1E
)

// A Framer cuts a scanner's bytes into codes. A code ends with CR, LF, TAB or
// ETX, or with silence where the scanner sends no suffix; STX begins a new one.
// GS, RS and EOT within a code belong to it (2D codes, ISO/IEC 15434), every
// other byte below 20 hex is dropped. An AIM identifier in front stays.
//
// Silence is trusted less once a suffix was seen: such a scanner that stops in
// the middle of a code was cut off, or the machine is busy and the rest is to
// come, and the half of a code may be somebody else's number.
//
// The zero Framer is ready and ends a code by silence at once.
type Framer struct {
	Idle     time.Duration // a pause this long ends a code without a suffix
	Patience time.Duration // the same for a scanner that has sent a suffix before
	Suffix   *bool         // the last code ended with a suffix; nil: nothing is known of the time before

	code  []byte // collected so far, at most MaxCode
	long  bool   // the code was too long: skip up to its end
	drops uint64
}

// Feed takes the next bytes and returns the codes that end in them, none of them
// empty. The codes are the caller's to keep.
func (f *Framer) Feed(p []byte) [][]byte {
	var codes [][]byte
	for _, b := range p {
		if code := f.feed(b); code != nil {
			codes = append(codes, code)
		}
	}
	return codes
}

func (f *Framer) feed(b byte) []byte {
	switch b {
	case cr, lf, tab, etx:
		return f.end(true)
	case stx:
		f.Reset()
		return nil
	}
	switch {
	case f.long:
	case b < ' ' && !f.belongs(b):
		f.drops++
	case len(f.code) == MaxCode:
		f.code, f.long = nil, true
		f.drops++
	default:
		f.code = append(f.code, b)
	}
	return nil
}

// belongs tells whether the control byte b is part of a code.
func (f *Framer) belongs(b byte) bool {
	return len(f.code) > 0 && (b == gs || b == rs || b == eot)
}

// Quiet says that nothing has come for gap, which makes what was collected a
// code if the pause is long enough. It returns nil if there is none.
func (f *Framer) Quiet(gap time.Duration) []byte {
	if !f.ends(gap) || len(f.code) == 0 && !f.long {
		return nil
	}
	return f.end(false)
}

// ends tells whether a silence of gap is the end of a code.
func (f *Framer) ends(gap time.Duration) bool {
	if f.Suffix != nil && *f.Suffix {
		return gap >= f.Patience
	}
	return gap >= f.Idle
}

// Reset drops what was collected: its end will not come.
func (f *Framer) Reset() {
	if len(f.code) > 0 {
		f.drops++
	}
	f.code, f.long = f.code[:0], false
}

// Drops returns how many codes and control bytes were thrown away so far.
func (f *Framer) Drops() uint64 { return f.drops }

// end closes the code and returns it, nil if there was none.
func (f *Framer) end(suffix bool) []byte {
	code := f.code
	if len(code) > 0 || f.long {
		f.Suffix = cmp.Or(f.Suffix, new(bool))
		*f.Suffix = suffix
	}
	f.code, f.long = f.code[:0], false
	if len(code) == 0 {
		return nil
	}
	return bytes.Clone(code)
}
