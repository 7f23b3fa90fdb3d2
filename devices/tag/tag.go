// Package tag reads what is written in a library book's RFID tag: the data
// models of ISO 28560-3 (the Danish model) and ISO 28560-2. It is pure: bytes
// come in, a Tag goes out. It knows no chip, and no rule of what a barcode looks
// like.
package tag

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Format is the data model that a tag's memory follows.
type Format string

// The data models.
const (
	Block   Format = "28560-3" // one block of fixed fields: ISO 28560-3, Danish model
	Objects Format = "28560-2" // objects of ISO/IEC 15962
)

// A Usage is what the tagged thing is for (ISO 28560-1, annex C).
type Usage byte

// The types of usage; 3 and 4 are for local use, the others are not yet given.
const (
	Acquisition Usage = iota
	Circulating
	NotForLoan
	Discarded  Usage = 7
	PatronCard Usage = 8
	Equipment  Usage = 9
	Unstated   Usage = 6
)

// ErrBlank is the error for a tag that nothing was written to.
var ErrBlank = errors.New("blank tag")

// ErrUnverified is wrapped by the error for a tag that reads well, but with
// another checksum than its own.
var ErrUnverified = errors.New("checksum is wrong")

// A Tag is what a tag's memory says.
type Tag struct {
	Format  Format
	Item    string // the primary item id: the book's barcode, or a patron's on a card
	Part    int    // this is part 1 to Parts of the item;
	Parts   int    // 0 of 0, as 1 of 1, is an item of one part
	Usage   Usage
	Country string // the first two letters of the owner's ISIL; may be empty
	Library string // what follows them, or the whole ISIL if there is no Country

	UsageFirst bool // the nibbles of byte 0 are usage and version, and not the other way round
	Reversed   bool // each block of four bytes is stored backwards
}

// Owner returns the ISIL of the library that the item belongs to, or "".
func (t Tag) Owner() string {
	country := strings.TrimSpace(t.Country)
	if country == "" || t.Library == "" {
		return country + t.Library
	}
	return country + "-" + t.Library
}

// Decode reads a tag's memory, from its first block on. It tries the model of
// the fixed block first, in both byte orders, for only that has a checksum.
//
// With an error that wraps ErrUnverified comes the Tag as far as it can be read,
// for people to look at; nothing may be lent on it. Other errors name the byte
// that is wrong.
func Decode(memory []byte) (Tag, error) {
	if len(memory) < shortest {
		return Tag{}, fmt.Errorf("%d bytes are no tag's memory: less than %d", len(memory), shortest)
	}
	turned := reverse(memory)
	switch {
	case verify(memory):
		return decodeBlock(memory)
	case verify(turned):
		return decodeTurned(turned)
	case isZero(memory[1:]): // some makers set the first byte
		return Tag{}, ErrBlank
	}
	return decodeUnsealed(memory, turned)
}

// decodeUnsealed reads a memory without a right checksum: objects, or a damaged
// block. Some damages look like objects, so where both could be, the block must
// not read well, the objects must be more than a tiny id, and nothing may follow.
func decodeUnsealed(memory, turned []byte) (Tag, error) {
	block, notBlock := decodeBlock(memory)
	if notBlock != nil {
		if t, err := decodeTurned(turned); err == nil {
			block, notBlock = t, nil
		}
	}
	couldBeBlock := notBlock == nil || hasHead(memory)
	objects, rest, notObjects := Tag{}, memory, errNoItem
	if memory[0]&0x0F == itemID {
		objects, rest, notObjects = decodeObjects(memory)
	}
	switch {
	case notObjects == nil && !couldBeBlock:
		return objects, nil
	case notObjects == nil && (notBlock != nil || stored(memory) == 0) && len(objects.Item) > 3 && isZero(rest):
		return objects, nil
	case couldBeBlock:
		return block, fmt.Errorf("byte %d: %w: %#04x instead of %#04x", atCRC, ErrUnverified, stored(memory), checksum(memory))
	}
	return Tag{}, fmt.Errorf("neither %s: %w; nor %s: %w", Block, notBlock, Objects, notObjects)
}

func isZero(b []byte) bool {
	return !slices.ContainsFunc(b, func(b byte) bool { return b != 0 })
}

// checkText returns what is wrong with s, which was stored at byte at.
func checkText(s string, at int) error {
	for i, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return fmt.Errorf("byte %d: %q is no text", at+i, s[i:])
		}
	}
	return nil
}

// checkPart returns what is wrong with part k of n, which was stored at byte at.
func checkPart(k, n, at int) error {
	if k <= 1 && n <= 1 || k >= 1 && k <= n {
		return nil
	}
	return fmt.Errorf("byte %d: there is no part %d of %d", at, k, n)
}
