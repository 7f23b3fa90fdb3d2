package intake

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ansel are the letters and signs of ANSEL (MARC-8's extended Latin) from 0xA1 to 0xC8; 0 is not in it.
var ansel = [...]rune{
	'Ł', 'Ø', 'Đ', 'Þ', 'Æ', 'Œ', 'ʹ', '·', '♭', '®', '±', 'Ơ', 'Ư', 'ʾ', 0, // 0xA1 to 0xAF
	'ʻ', 'ł', 'ø', 'đ', 'þ', 'æ', 'œ', 'ʺ', 'ı', '£', 'ð', 0, 'ơ', 'ư', 0, 0, // 0xB0
	'°', 'ℓ', '℗', '©', '♯', '¿', '¡', 'ß', '€', // 0xC0
}

// anselMarks are its combining marks from 0xE0 to 0xFE. The first half of a mark over two letters is
// Unicode's one mark between them, and the second half is nothing.
var anselMarks = [...]rune{
	0x309, 0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x30c, 0x30a, 0x361, noMark, 0x315, 0x30b, 0x310, // 0xE0
	0x327, 0x328, 0x323, 0x324, 0x325, 0x333, 0x332, 0x326, 0x31c, 0x32e, 0x360, noMark, 0, 0, 0x313, // 0xF0
}

const noMark = -1

// A marc8 decoder turns MARC-8 into UTF-8. ASCII and ANSEL are known, Greek symbols, subscripts and
// superscripts too (the last two as plain digits). Each run in another script, which needs an escape
// sequence, becomes "…": such a book can still be lent by its barcode.
type marc8 struct {
	out   strings.Builder
	marks []rune  // they stand before their letter
	other [2]bool // another script is in the lower half, in the upper half
	greek bool
	left  bool // text in another script was just left out
}

// decodeMARC8 is the text of a field, or why it has none.
func decodeMARC8(b []byte) (text, reason string) {
	var d marc8
	d.out.Grow(len(b) + len(b)/4)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == 0x1b:
			i += d.escape(b[i+1:])
		case c == subfieldMark || c == fieldEnd: // every subfield begins in the default sets
			d.flush()
			d.other, d.greek, d.left = [2]bool{}, false, false
			d.out.WriteByte(c)
		case d.other[c>>7]:
			d.leaveOut()
		case c < 0x80:
			d.letter(d.symbol(rune(c)))
		case c == 0x88 || c == 0x89: // around what is not sorted by
		case c == 0x8d || c == 0x8e:
			d.letter(map[byte]rune{0x8d: '\u200d', 0x8e: '\u200c'}[c])
		case c >= 0xa1 && int(c) < 0xa1+len(ansel) && ansel[c-0xa1] != 0:
			d.letter(ansel[c-0xa1])
		case c >= 0xe0 && c < 0xff && anselMarks[c-0xe0] != 0:
			if m := anselMarks[c-0xe0]; m != noMark && len(d.marks) < 16 {
				d.marks = append(d.marks, m)
			}
		default:
			return "", fmt.Sprintf("has the byte 0x%02X, which MARC-8 does not have", c)
		}
	}
	d.flush()
	return compose(d.out.String()), ""
}

// letter writes a letter and then the marks that stood before it.
func (d *marc8) letter(r rune) {
	d.out.WriteRune(r)
	d.flush()
	d.left = false
}

// leaveOut writes one "…" for a whole run.
func (d *marc8) leaveOut() {
	if d.flush(); !d.left {
		d.out.WriteString("…")
	}
	d.left = true
}

func (d *marc8) flush() {
	for _, m := range d.marks {
		d.out.WriteRune(m)
	}
	d.marks = d.marks[:0]
}

// symbol is a byte in the set of three Greek symbols.
func (d *marc8) symbol(r rune) rune {
	if d.greek && r >= 'a' && r <= 'c' {
		return [...]rune{'α', 'β', 'γ'}[r-'a']
	}
	return r
}

// escape reads what follows an ESC, and says how long it is.
func (d *marc8) escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case 's', 'g', 'b', 'p':
		d.greek, d.other[0] = b[0] == 'g', false
		return 1
	}
	i, half := 0, 0
	for i < len(b) && i < 3 && strings.IndexByte("$(,)-!", b[i]) >= 0 {
		if b[i] == ')' || b[i] == '-' {
			half = 1
		}
		i++
	}
	if i == 0 || i == len(b) {
		return i
	}
	d.other[half] = b[i] != 'B' && b[i] != 'E' // ASCII, ANSEL
	d.greek = d.greek && half == 1
	return i + 1
}

// fieldText is the text of a field of a record that says it is UTF-8, or else MARC-8. Many records say
// MARC-8 and are UTF-8, which no MARC-8 text looks like: a mark has its letter behind it.
func fieldText(b []byte, isUTF8 bool) (text string, old bool, reason string) {
	switch {
	case utf8.Valid(b) && (isUTF8 || bytes.IndexByte(b, 0x1b) < 0):
		return compose(string(b)), false, ""
	case isUTF8:
		return "", false, wrongByte(b, "field")
	}
	text, reason = decodeMARC8(b)
	return text, true, reason
}
