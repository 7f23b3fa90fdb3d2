package tag

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The objects that a kiosk wants (ISO 28560-2, table 1). All others are skipped.
const (
	dsfID    = 0 // never in the memory
	itemID   = 1
	contents = 2 // which objects there are
	ownerID  = 3
	setInfo  = 4
	usageID  = 5
	extendID = 15 // the number stands in a byte of its own
)

// The ways to write an object shorter (ISO/IEC 15962, annex E).
const (
	byApplication = iota
	asInteger
	asNumeric
	asFiveBit
	asSixBit
	asSevenBit
	asLatin1
	asUTF8
)

const (
	longestISIL = 16 // ISO 15511
	longestItem = 32 // ours
)

// An object is one data set of a memory.
type object struct {
	id         int
	compaction byte
	data       []byte
	at         int // where data stands
}

// errNoItem is what is wrong with a memory that does not begin with an item's id.
var errNoItem = errors.New("byte 0: the first object is no item's id")

// decodeObjects reads a memory of objects up to the byte 00 that ends them, and
// returns what follows it. There is no checksum, so anything strange is an error.
func decodeObjects(memory []byte) (t Tag, rest []byte, err error) {
	t = Tag{Format: Objects, Usage: Unstated}
	seen := map[int]bool{}
	for rest = memory; len(rest) > 0 && rest[0] != 0; {
		o, after, err := nextObject(rest, len(memory)-len(rest))
		if err != nil {
			return Tag{}, nil, err
		}
		if seen[o.id] && o.id < extendID {
			return Tag{}, nil, fmt.Errorf("byte %d: object %d comes twice", o.at, o.id)
		}
		seen[o.id] = true
		if err := o.into(&t); err != nil {
			return Tag{}, nil, fmt.Errorf("byte %d: object %d: %w", o.at, o.id, err)
		}
		rest = after
	}
	return t, rest, nil
}

// nextObject cuts the first object off b, which stands at byte at: a precursor of
// offset bit, compaction and number, the number of padding bytes if the offset
// bit is set, a length, the data, the padding.
func nextObject(b []byte, at int) (object, []byte, error) {
	o := object{id: int(b[0] & 0x0F), compaction: b[0] >> 4 & 7}
	head, pad := 1, 0
	if o.id == extendID {
		head++
	}
	if b[0]&0x80 != 0 {
		if head >= len(b) {
			return o, nil, fmt.Errorf("byte %d: the memory ends in an object", at+head)
		}
		pad = int(b[head])
		head++
	}
	if head >= len(b) {
		return o, nil, fmt.Errorf("byte %d: the memory ends in an object", at+head)
	}
	size := int(b[head])
	head++
	if size == 0 || head+size+pad > len(b) {
		return o, nil, fmt.Errorf("byte %d: a length of %#02x with %d bytes left", at+head-1, size, len(b)-head-pad)
	}
	o.at, o.data = at+head, b[head:head+size]
	return o, b[head+size+pad:], nil
}

// into puts what o says into t.
func (o object) into(t *Tag) error {
	switch o.id {
	case dsfID:
		return errors.New("it has no place here")
	case contents:
		if o.compaction != byApplication {
			return fmt.Errorf("way %d is not the application's", o.compaction)
		}
	case itemID:
		return o.item(t)
	case ownerID:
		return o.owner(t)
	case setInfo:
		text, err := o.text()
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > 9999 {
			return fmt.Errorf("%q is no set information", text)
		}
		t.Parts, t.Part = n/100, n%100
		return checkPart(t.Part, t.Parts, o.at)
	case usageID:
		if o.compaction != byApplication || len(o.data) != 1 {
			return fmt.Errorf("% x is no usage", o.data)
		}
		t.Usage = Usage(o.data[0] >> 4)
	}
	return nil
}

// item puts the item's id into t. It has letters, digits and what Code 39 has
// besides, so that a memory of something else is not taken for an id.
func (o object) item(t *Tag) (err error) {
	t.Item, err = o.text()
	if err == nil && (len(t.Item) > longestItem || !consistsOf(t.Item, " -._/:+$%")) {
		err = fmt.Errorf("%q is no item's id", t.Item)
	}
	return err
}

// owner puts the ISIL into t.
func (o object) owner(t *Tag) error {
	text, err := "", error(nil)
	if o.compaction == byApplication {
		text = isil(o.data)
	} else {
		text, err = o.text()
	}
	if err != nil {
		return err
	}
	if text == "" || len(text) > longestISIL || !consistsOf(text, "-:/") {
		return fmt.Errorf("%q is no library's ISIL", text)
	}
	if country, library, ok := strings.Cut(text, "-"); ok && len(country) == 2 {
		t.Country, t.Library = country, library
		return nil
	}
	t.Library = text
	return nil
}

// consistsOf tells whether s has only ASCII letters, digits and others.
func consistsOf(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		letter := r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		return !letter && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

// text returns the object written out.
func (o object) text() (string, error) {
	text, err := "", error(nil)
	switch o.compaction {
	case asInteger:
		text, err = integer(o.data)
	case asNumeric:
		text, err = numeric(o.data)
	case asFiveBit:
		text = packed(o.data, 5, '@', func(v byte) byte { return v + '@' })
	case asSixBit:
		text = packed(o.data, 6, ' ', sixBit)
	case asSevenBit:
		text = packed(o.data, 7, 0x7F, func(v byte) byte { return v })
	case asLatin1:
		runes := make([]rune, len(o.data))
		for i, b := range o.data {
			runes[i] = rune(b)
		}
		text = string(runes)
	case asUTF8:
		text = string(o.data)
	default:
		return "", fmt.Errorf("% x in an unknown way", o.data)
	}
	if err == nil {
		err = checkText(text, 0)
	}
	if err != nil {
		return "", fmt.Errorf("% x in way %d: %w", o.data, o.compaction, err)
	}
	return text, nil
}

// integer reads a number, which has up to 19 digits and no zeros before it.
func integer(data []byte) (string, error) {
	if len(data) > 8 {
		return "", errors.New("more than 8 bytes")
	}
	if data[0] == 0 && len(data) > 1 {
		return "", errors.New("a zero before a number")
	}
	var n uint64
	for _, b := range data {
		n = n<<8 | uint64(b)
	}
	return strconv.FormatUint(n, 10), nil
}

// numeric reads a digit from each half byte; an F at the end fills the last one.
func numeric(data []byte) (string, error) {
	digits := fmt.Sprintf("%X", data)
	digits = strings.TrimSuffix(digits, "F")
	if strings.Trim(digits, "0123456789") != "" {
		return "", fmt.Errorf("%q are no digits", digits)
	}
	return digits, nil
}

// packed reads characters of width bits. Where a last one would fit by chance in
// what fills the last byte, and is the filler, it is none.
func packed(data []byte, width int, filler byte, char func(byte) byte) string {
	in := bits{data: data}
	var out []byte
	for in.left() >= width {
		out = append(out, char(in.take(width)))
	}
	if n := len(out); n > 0 && out[n-1] == filler && ((n-1)*width+7)/8 == len(data) {
		out = out[:n-1]
	}
	return string(out)
}

// sixBit returns the character of a six-bit value: the capitals, @ and [\]^_ have
// lost their bit 40.
func sixBit(v byte) byte {
	if v < 0x20 {
		return v | 0x40
	}
	return v
}

// bits are read from the highest of each byte on.
type bits struct {
	data []byte
	at   int
}

func (b *bits) left() int { return 8*len(b.data) - b.at }

// take returns the next n bits, which must be left.
func (b *bits) take(n int) (v byte) {
	for range n {
		v = v<<1 | b.data[b.at/8]>>(7-b.at%8)&1
		b.at++
	}
	return v
}

// A letterCase is one of the three tables of the ISIL's own code (ISO 28560-2,
// annex C). What is not a character changes the table: the first two controls
// latch and shift to the one other, the last two to the next.
type letterCase struct {
	width int
	chars string
	other [2]int
}

// isil reads the application's own code for an ISIL. A change of table with no
// character behind it fills the last byte.
func isil(data []byte) string {
	const upper, lower, digits = 0, 1, 2
	tables := [...]letterCase{
		upper:  {5, "-ABCDEFGHIJKLMNOPQRSTUVWXYZ:", [2]int{lower, digits}},
		lower:  {5, "-abcdefghijklmnopqrstuvwxyz/", [2]int{upper, digits}},
		digits: {4, "0123456789-:", [2]int{upper, lower}},
	}
	in := bits{data: data}
	var out []byte
	latched, now := upper, upper
	for in.left() >= tables[now].width {
		table := tables[now]
		v := int(in.take(table.width))
		if v < len(table.chars) {
			out = append(out, table.chars[v])
			now = latched
			continue
		}
		control := v - len(table.chars)
		now = table.other[control/2]
		if control%2 == 0 {
			latched = now
		}
	}
	return string(out)
}
