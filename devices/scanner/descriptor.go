package scanner

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Usages of the HID usage tables, page and number in one.
const (
	useByteCount  = 0x0001_003B
	usePOS        = 0x008C
	useSymbology1 = 0x008C_00FB
	useData       = 0x008C_00FE
	useContinued  = 0x008C_00FF
)

// none is a place in a form that there is not.
const none = -1

// A form is where the parts of a scan stand in a report, in bytes from its
// beginning.
type form struct {
	numbered bool // the first byte is the report's number
	id       byte
	size     int // of the report
	count    int // the number of data bytes, or none
	aim      int // three bytes, or none
	data     int
	room     int // for data
	more     int // a byte with a bit that says that the code goes on, or none
	moreBit  byte
}

// usual is the form of most scanners, for those whose descriptor tells nothing.
func usual() form {
	return form{numbered: true, id: 2, size: 64, count: 1, aim: 2, data: 5, room: 56, more: 63, moreBit: 1}
}

// newlandForm is what Newland's scanners send.
func newlandForm() form {
	return form{numbered: true, id: 2, size: 64, count: 1, aim: none, data: 2, room: 56, more: 63, moreBit: 1}
}

// A descriptor is what a HID device says of its reports.
type descriptor struct {
	scans   bool // it has a page for scanners
	known   bool // form is filled in
	form    form
	outputs map[byte]int // sizes of what it takes, by number
}

// A hidGlobal is what items of a descriptor share, until it is changed.
type hidGlobal struct {
	page, size, count uint32
	id                byte
}

// A hidParser reads a descriptor item by item (HID 1.11, 6.2.2).
type hidParser struct {
	hidGlobal
	stack  []hidGlobal
	usages []uint32
	low    uint32 // usage minimum
	bits   map[byte]int
	outs   map[byte]int
	forms  map[byte]*form
	order  []byte // of forms
	ids    bool   // reports have numbers
	out    descriptor
}

// maxBits bounds a report: the kernel's own limit is 16 KiB.
const maxBits = 16 << 13

// parseDescriptor reads a report descriptor. One that says nothing of scans is no
// error.
func parseDescriptor(d []byte) (descriptor, error) {
	p := hidParser{bits: map[byte]int{}, outs: map[byte]int{}, forms: map[byte]*form{}}
	for at := 0; at < len(d); {
		prefix := d[at]
		if prefix == 0xFE { // a long item: length, tag, data; none is defined
			if at+2 >= len(d) || at+3+int(d[at+1]) > len(d) {
				return descriptor{}, fmt.Errorf("report descriptor ends in the item at byte %d", at)
			}
			at += 3 + int(d[at+1])
			continue
		}
		n := int(prefix & 3)
		if n == 3 {
			n = 4
		}
		if at+1+n > len(d) {
			return descriptor{}, fmt.Errorf("report descriptor ends in the item at byte %d", at)
		}
		var value [4]byte
		copy(value[:], d[at+1:at+1+n])
		if err := p.item(prefix&^3, binary.LittleEndian.Uint32(value[:]), n); err != nil {
			return descriptor{}, fmt.Errorf("report descriptor, byte %d: %w", at, err)
		}
		at += 1 + n
	}
	return p.done(), nil
}

// item takes one item with its n bytes of value.
func (p *hidParser) item(tag byte, v uint32, n int) error {
	switch tag {
	case 0x04:
		p.page = v
		p.out.scans = p.out.scans || v == usePOS
	case 0x74:
		p.size = v
	case 0x84:
		p.id, p.ids = byte(v), true
	case 0x94:
		p.count = v
	case 0xA4:
		p.stack = append(p.stack, p.hidGlobal)
	case 0xB4:
		if len(p.stack) == 0 {
			return errors.New("pop without push")
		}
		p.hidGlobal = p.stack[len(p.stack)-1]
		p.stack = p.stack[:len(p.stack)-1]
	case 0x08, 0x18, 0x28:
		p.usage(tag, v, n)
	case 0x80:
		return p.input(v)
	case 0x90:
		return p.grow(p.outs)
	case 0xB0, 0xA0, 0xC0: // feature, collection and its end
		p.usages = nil
	}
	return nil
}

// usage notes what the next fields are for.
func (p *hidParser) usage(tag byte, v uint32, n int) {
	if n < 4 {
		v |= p.page << 16
	}
	switch tag {
	case 0x08:
		p.usages = append(p.usages, v)
	case 0x18:
		p.low = v
	case 0x28: // the maximum: all from the minimum on
		for u := p.low; u <= v && u-p.low < 256; u++ {
			p.usages = append(p.usages, u)
		}
	}
	p.usages = p.usages[:min(len(p.usages), 1024)]
}

// grow adds the present fields to a report.
func (p *hidParser) grow(bits map[byte]int) error {
	p.usages = nil
	if p.size > maxBits || p.count > maxBits || bits[p.id]+int(p.size)*int(p.count) > maxBits {
		return fmt.Errorf("%d fields of %d bits are too long", p.count, p.size)
	}
	bits[p.id] += int(p.size) * int(p.count)
	return nil
}

// input takes the fields of an input report.
func (p *hidParser) input(flags uint32) error {
	usages, at := p.usages, p.bits[p.id]
	if err := p.grow(p.bits); err != nil || flags&1 != 0 { // constant: filling
		return err
	}
	f := p.forms[p.id]
	if f == nil {
		f = &form{id: p.id, count: none, aim: none, data: none, more: none}
		p.forms[p.id] = f
		p.order = append(p.order, p.id)
	}
	for i := 0; i < int(p.count) && i < len(usages); i++ {
		last := i == len(usages)-1
		width := int(p.size)
		if last { // it is that of all fields that are left
			width *= int(p.count) - i
		}
		f.note(usages[i], at+i*int(p.size), int(p.size), width)
	}
	return nil
}

// note enters a field of size bits, of which there are width bits in a row.
func (f *form) note(usage uint32, at, size, width int) {
	byteWise := at%8 == 0 && size == 8
	switch {
	case usage == useByteCount && byteWise && f.count == none:
		f.count = at / 8
	case usage == useSymbology1 && byteWise && f.aim == none:
		f.aim = at / 8
	case usage == useData && byteWise && f.data == none:
		f.data, f.room = at/8, width/8
	case usage == useContinued && size > 0 && f.more == none: // a field without bits is nowhere
		f.more, f.moreBit = at/8, 1<<(at%8)
	}
}

// done chooses the first report that has data and counts its number in.
func (p *hidParser) done() descriptor {
	d := p.out
	shift := 0
	if p.ids {
		shift = 1
	}
	d.outputs = map[byte]int{}
	for id, bits := range p.outs {
		d.outputs[id] = (bits+7)/8 + shift
	}
	for _, id := range p.order {
		f := *p.forms[id]
		if f.data == none {
			continue
		}
		f.numbered, f.size = p.ids, (p.bits[id]+7)/8+shift
		f.data += shift
		for _, place := range []*int{&f.count, &f.aim, &f.more} {
			if *place != none {
				*place += shift
			}
		}
		if f.aim != none && f.aim+3 > f.size {
			f.aim = none
		}
		d.form, d.known = f, true
		break
	}
	return d
}
