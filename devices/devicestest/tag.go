package devicestest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A TagSpec is everything that a Tag keeps without a field: how it was made and
// what was written on it. The zero value of a field is the usual tag.
type TagSpec struct {
	UID       [8]byte // as printed: E0, the maker, …
	DSFID     byte
	AFI       byte
	IC        byte
	EAS       bool
	Blocks    int    // 28
	BlockSize int    // bytes; 4
	Memory    []byte // Blocks × BlockSize bytes, filled with 00

	Reversed   bool // gives and takes every block back to front
	FirstBlock int  // the number of the first block; some count from 1
	MaxRead    int  // the most blocks that it gives at once; 0 is all
	NoMultiple bool // knows no READ MULTIPLE
	NoInfo     bool // knows no GET SYSTEM INFORMATION
	ShortInfo  bool // leaves everything but the UID out of it
	EOFWrites  bool // writes only with the option flag, when an EOF says so
	Strength   int  // two more than another's, and only this one is heard

	Locked       map[int]bool // blocks, by number
	AFILocked    bool
	AFIProtected bool // wants password 10 before the AFI changes
	EASProtected bool
	Passwords    map[byte]uint32 // by id: 10 is EAS and AFI

	WriteTime  time.Duration // how long programming takes; 4 ms
	FailWrites bool          // says that it could not write
	Worn       bool          // says that it has written and has not
}

// A Tag is a library tag of ISO 15693 as a state machine, an ICODE SLIX if its
// UID is one of NXP's. It is put on a PN5180, which powers it and talks to it.
type Tag struct {
	mu sync.Mutex
	is TagSpec

	// What is lost with the field.
	state   tagState
	slot    int        // EOFs until it is its turn; 0: it takes no part
	waiting *tagAnswer // what an EOF is answered after a write
	random  uint16
	drawn   bool // the random number was asked for
	open    map[byte]bool
	muted   bool // a wrong password was given
}

// A tagState is one of the three states of ISO 15693-3 in a field.
type tagState int

const (
	tagReady tagState = iota
	tagQuiet
	tagSelected
)

// A tagAnswer is what a tag says, how long after the end of the request, and
// what it does at that moment.
type tagAnswer struct {
	data   []byte // without CRC; nil: it only does something
	after  time.Duration
	commit func() // nil for a command that writes nothing
	torn   func() // instead of commit when the tag leaves before; may be nil
}

// tagTurn is t1, the time between a request and its answer.
const tagTurn = 321 * time.Microsecond

// NewTag returns a tag that lies nowhere yet.
func NewTag(is TagSpec) *Tag {
	if is.Blocks == 0 {
		is.Blocks = 28
	}
	if is.BlockSize == 0 {
		is.BlockSize = 4
	}
	if is.WriteTime == 0 {
		is.WriteTime = 4 * time.Millisecond
	}
	memory := make([]byte, is.Blocks*is.BlockSize)
	copy(memory, is.Memory)
	is.Memory = memory
	is.Locked = cloned(is.Locked)
	is.Passwords = cloned(is.Passwords)
	t := &Tag{is: is}
	t.powerOff()
	return t
}

// UID returns the tag's number as it is printed.
func (t *Tag) UID() [8]byte { return t.is.UID }

// Look returns what the tag has now.
func (t *Tag) Look() TagSpec {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := t.is
	is.Memory = slices.Clone(is.Memory)
	is.Locked = maps.Clone(is.Locked)
	is.Passwords = maps.Clone(is.Passwords)
	return is
}

// Change changes the tag as no command could, but for its UID and its size.
func (t *Tag) Change(change func(*TagSpec)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	uid, memory, blocks, size := t.is.UID, t.is.Memory, t.is.Blocks, t.is.BlockSize
	change(&t.is)
	copy(memory, t.is.Memory)
	t.is.UID, t.is.Memory, t.is.Blocks, t.is.BlockSize = uid, memory, blocks, size
}

// powerOff makes the tag forget what it knows only in a field.
func (t *Tag) powerOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.slot, t.waiting = tagReady, 0, nil
	t.drawn, t.muted = false, false
	t.open = map[byte]bool{}
}

// strength tells how loud the tag answers.
func (t *Tag) strength() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.is.Strength
}

// do runs a change of the tag's own.
func (t *Tag) do(change func()) {
	if change == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

// eof returns what the tag says to an end of frame without a frame: it is its
// turn in an inventory, or it begins to write.
func (t *Tag) eof() *tagAnswer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.waiting; a != nil {
		t.waiting = nil
		return a
	}
	if t.slot == 0 {
		return nil
	}
	if t.slot--; t.slot > 0 {
		return nil
	}
	return t.present()
}

// hear returns what the tag says to a request, nil for silence.
func (t *Tag) hear(frame []byte) *tagAnswer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slot, t.waiting = 0, nil
	const twoCarriers, highRate, inventory, extended = 1, 2, 4, 8
	if t.muted || len(frame) < 2 || frame[0]&(twoCarriers|highRate|extended) != highRate {
		return nil // also what the reader could not hear
	}
	if frame[0]&inventory != 0 {
		return t.inventory(frame[0], frame[1:])
	}
	return t.command(frame)
}

// inventory takes part in an inventory if AFI and mask are the tag's.
func (t *Tag) inventory(flags byte, rest []byte) *tagAnswer {
	const withAFI, oneSlot = 0x10, 0x20
	if t.state != tagReady || rest[0] != 0x01 {
		return nil
	}
	rest = rest[1:]
	if flags&withAFI != 0 {
		if len(rest) == 0 || !t.isOf(rest[0]) {
			return nil
		}
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return nil
	}
	bits, mask := int(rest[0]), rest[1:]
	longest := 64
	if flags&oneSlot == 0 {
		longest = 60
	}
	if bits > longest || len(mask) != (bits+7)/8 {
		return nil
	}
	for i := range bits {
		if t.bit(i) != mask[i/8]>>(i%8)&1 {
			return nil
		}
	}
	if flags&oneSlot != 0 {
		return t.present()
	}
	for i := range 4 {
		t.slot |= int(t.bit(bits+i)) << i
	}
	if t.slot == 0 {
		return t.present()
	}
	return nil
}

// isOf tells whether a request for an AFI means this tag: 00 means every tag,
// a low half of 0 the whole family.
func (t *Tag) isOf(afi byte) bool {
	return afi == 0 || afi == t.is.AFI || afi&0x0F == 0 && afi>>4 == t.is.AFI>>4
}

// bit returns a bit of the UID; 0 is the first one sent.
func (t *Tag) bit(i int) byte { return t.is.UID[7-i/8] >> (i % 8) & 1 }

// wireUID returns the UID as it is sent.
func (t *Tag) wireUID() []byte {
	uid := slices.Clone(t.is.UID[:])
	slices.Reverse(uid)
	return uid
}

// present answers an inventory.
func (t *Tag) present() *tagAnswer {
	return say(append([]byte{0, t.is.DSFID}, t.wireUID()...)...)
}

// say is an answer at the usual time.
func say(data ...byte) *tagAnswer { return &tagAnswer{data: data, after: tagTurn} }

// cloned is a copy that can be written to.
func cloned[K comparable, V any](m map[K]V) map[K]V {
	c := maps.Clone(m)
	if c == nil {
		c = map[K]V{}
	}
	return c
}
