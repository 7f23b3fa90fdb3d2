package devicestest

import (
	"bytes"
	"slices"
)

// Error codes of ISO 15693-3.
const (
	tagUnsupported   = 0x01
	tagFormat        = 0x02
	tagOption        = 0x03
	tagUnknown       = 0x0F
	tagNoBlock       = 0x10
	tagAlreadyLocked = 0x11
	tagLocked        = 0x12
	tagNotProgrammed = 0x13
)

// A tagRequest is a request that is meant for this tag.
type tagRequest struct {
	option    bool
	addressed bool
	args      []byte // what follows the UID
}

// command answers what is no inventory.
func (t *Tag) command(frame []byte) *tagAnswer {
	code, args := frame[1], frame[2:]
	if code >= 0xA0 {
		// The code of the maker follows, before the UID.
		if len(args) == 0 || args[0] != 0x04 || !t.isICODE() {
			return nil
		}
		args = args[1:]
	}
	const selected, addressed, option = 0x10, 0x20, 0x40
	r := tagRequest{option: frame[0]&option != 0, addressed: frame[0]&addressed != 0}
	mine := true
	if r.addressed {
		if len(args) < 8 {
			return nil
		}
		mine = bytes.Equal(args[:8], t.wireUID())
		args = args[8:]
	}
	r.args = args
	switch {
	case code == 0x25:
		return t.selection(r, mine)
	case !mine:
		return nil
	case frame[0]&selected != 0 && t.state != tagSelected:
		return nil
	case frame[0]&(selected|addressed) == 0 && t.state == tagQuiet:
		return nil
	}
	if code >= 0xA0 {
		return t.custom(code, r)
	}
	return t.standard(code, r)
}

// standard answers the commands of ISO 15693-3.
func (t *Tag) standard(code byte, r tagRequest) *tagAnswer {
	switch code {
	case 0x02:
		if r.addressed {
			t.state = tagQuiet
		}
		return nil
	case 0x20:
		return t.readSingle(r)
	case 0x21:
		return t.writeSingle(r)
	case 0x22:
		return t.lockBlock(r)
	case 0x23:
		return t.readMultiple(r)
	case 0x26:
		t.state = tagReady
		return say(0)
	case 0x27:
		return t.writeAFI(r)
	case 0x28:
		return t.write(r, func() { t.is.AFILocked = true }, nil)
	case 0x29:
		return t.writeDSFID(r)
	case 0x2B:
		return t.systemInfo(r)
	case 0x2C:
		return t.security(r)
	}
	return t.refuse(r, tagUnsupported)
}

// refuse is the error answer. An ICODE has one code for nearly everything, and
// no tag says anything wrong unless it was addressed.
func (t *Tag) refuse(r tagRequest, code byte) *tagAnswer {
	if !r.addressed {
		return nil
	}
	if t.isICODE() {
		code = tagUnknown
	}
	return say(1, code)
}

// isICODE tells whether NXP made the tag.
func (t *Tag) isICODE() bool { return t.is.UID[1] == 0x04 }

// selection makes this tag the selected one, or no more.
func (t *Tag) selection(r tagRequest, mine bool) *tagAnswer {
	switch {
	case r.addressed && mine:
		t.state = tagSelected
		return say(0)
	case t.state == tagSelected:
		t.state = tagReady
	}
	return nil
}

// block returns the place in memory of a block's number.
func (t *Tag) block(number int) ([]byte, bool) {
	at := (number - t.is.FirstBlock) * t.is.BlockSize
	if at < 0 || at >= len(t.is.Memory) {
		return nil, false
	}
	return t.is.Memory[at : at+t.is.BlockSize], true
}

// ordered returns a block as the tag gives and takes it.
func (t *Tag) ordered(block []byte) []byte {
	block = slices.Clone(block)
	if t.is.Reversed {
		slices.Reverse(block)
	}
	return block
}

func (t *Tag) readSingle(r tagRequest) *tagAnswer {
	if len(r.args) != 1 {
		return t.refuse(r, tagFormat)
	}
	number := int(r.args[0])
	if _, ok := t.block(number); !ok {
		return t.refuse(r, tagNoBlock)
	}
	return say(t.appendBlock([]byte{0}, number, r.option)...)
}

// appendBlock appends a block that is there, after its lock if that is asked for.
func (t *Tag) appendBlock(data []byte, number int, withLock bool) []byte {
	block, _ := t.block(number)
	if withLock {
		data = append(data, t.lock(number))
	}
	return append(data, t.ordered(block)...)
}

// lock returns the security status of a block.
func (t *Tag) lock(number int) byte {
	if t.is.Locked[number] {
		return 1
	}
	return 0
}

// readMultiple gives what there is: a shortened answer at the end of memory, or
// where the tag gives no more at once.
func (t *Tag) readMultiple(r tagRequest) *tagAnswer {
	if t.is.NoMultiple {
		return t.refuse(r, tagUnsupported)
	}
	if len(r.args) != 2 {
		return t.refuse(r, tagFormat)
	}
	first, n := int(r.args[0]), int(r.args[1])+1
	if _, ok := t.block(first); !ok {
		return t.refuse(r, tagNoBlock)
	}
	if t.is.MaxRead > 0 {
		n = min(n, t.is.MaxRead)
	}
	data := []byte{0}
	for number := first; number < first+n; number++ {
		if _, ok := t.block(number); !ok {
			break
		}
		data = t.appendBlock(data, number, r.option)
	}
	return say(data...)
}

// write is the answer of every command that programs: after a while, or with the
// option flag when an EOF asks for it after that while.
func (t *Tag) write(r tagRequest, commit, torn func()) *tagAnswer {
	if t.is.EOFWrites && !r.option {
		return t.refuse(r, tagOption)
	}
	a := &tagAnswer{data: []byte{0}, after: max(t.is.WriteTime, tagTurn), commit: commit, torn: torn}
	switch {
	case t.is.FailWrites:
		a = t.refuse(r, tagNotProgrammed)
	case t.is.Worn:
		a.commit, a.torn = func() {}, nil
	}
	if !r.option || a == nil {
		return a
	}
	answer := &tagAnswer{data: a.data, after: tagTurn}
	return &tagAnswer{after: a.after, torn: a.torn, commit: func() {
		if a.commit != nil {
			a.commit()
		}
		t.waiting = answer
	}}
}

func (t *Tag) writeSingle(r tagRequest) *tagAnswer {
	if len(r.args) != 1+t.is.BlockSize {
		return t.refuse(r, tagFormat)
	}
	number := int(r.args[0])
	block, ok := t.block(number)
	if !ok {
		return t.refuse(r, tagNoBlock)
	}
	if t.is.Locked[number] {
		return t.refuse(r, tagLocked)
	}
	data := t.ordered(r.args[1:])
	return t.write(r,
		func() { copy(block, data) },
		func() { copy(block, data[:len(data)/2]) })
}

func (t *Tag) lockBlock(r tagRequest) *tagAnswer {
	if len(r.args) != 1 {
		return t.refuse(r, tagFormat)
	}
	number := int(r.args[0])
	if _, ok := t.block(number); !ok {
		return t.refuse(r, tagNoBlock)
	}
	if t.is.Locked[number] {
		return t.refuse(r, tagAlreadyLocked)
	}
	return t.write(r, func() { t.is.Locked[number] = true }, nil)
}

func (t *Tag) writeAFI(r tagRequest) *tagAnswer {
	switch {
	case len(r.args) != 1:
		return t.refuse(r, tagFormat)
	case t.is.AFILocked:
		return t.refuse(r, tagLocked)
	case t.is.AFIProtected && !t.open[passwordEAS]:
		return t.refuse(r, tagUnknown)
	}
	afi := r.args[0]
	return t.write(r, func() { t.is.AFI = afi }, nil)
}

func (t *Tag) writeDSFID(r tagRequest) *tagAnswer {
	if len(r.args) != 1 {
		return t.refuse(r, tagFormat)
	}
	dsfid := r.args[0]
	return t.write(r, func() { t.is.DSFID = dsfid }, nil)
}

func (t *Tag) systemInfo(r tagRequest) *tagAnswer {
	if t.is.NoInfo {
		return t.refuse(r, tagUnsupported)
	}
	if t.is.ShortInfo {
		return say(append([]byte{0, 0}, t.wireUID()...)...)
	}
	data := append([]byte{0, 0x0F}, t.wireUID()...)
	return say(append(data, t.is.DSFID, t.is.AFI, byte(t.is.Blocks-1), byte(t.is.BlockSize-1), t.is.IC)...)
}

func (t *Tag) security(r tagRequest) *tagAnswer {
	if len(r.args) != 2 {
		return t.refuse(r, tagFormat)
	}
	data := []byte{0}
	first := int(r.args[0])
	for number := first; number <= first+int(r.args[1]); number++ {
		if _, ok := t.block(number); !ok {
			break
		}
		data = append(data, t.lock(number))
	}
	if len(data) == 1 {
		return t.refuse(r, tagNoBlock)
	}
	return say(data...)
}
