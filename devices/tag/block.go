package tag

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// The fields of the fixed block: ISO 28560-3, basic block. What follows it, the
// extension blocks, is of no use to a kiosk and never spoils the block.
const (
	atParts   = 1
	atPart    = 2
	atItem    = 3
	atCRC     = 19
	atCountry = 21
	atLibrary = 23
	blockSize = 34

	version = 1
	// extended in the place of the id says that it did not fit: it stands in an
	// extension block.
	extended = 0x01
	// shortest is the memory that reaches to the end of the checksum.
	shortest = atCountry
	// unit is how many bytes a reversed tag turns round.
	unit = 4
)

// fixed returns the fixed block of memory. A small tag has only the first 32
// bytes; what is missing counts as zero.
func fixed(memory []byte) (b [blockSize]byte) {
	copy(b[:], memory)
	return b
}

// reverse returns memory with each whole block of four bytes turned round.
func reverse(memory []byte) []byte {
	turned := slices.Clone(memory[:len(memory)/unit*unit])
	for block := range slices.Chunk(turned, unit) {
		slices.Reverse(block)
	}
	return turned
}

// checksum returns what should stand in bytes 19 and 20: CRC-16/CCITT-FALSE
// (polynomial 1021, preset FFFF) over all the others.
func checksum(memory []byte) uint16 {
	b := fixed(memory)
	return crc(crc(0xFFFF, b[:atCRC]), b[atCountry:])
}

func crc(sum uint16, data []byte) uint16 {
	for _, b := range data {
		sum ^= uint16(b) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// stored returns what stands in bytes 19 and 20.
func stored(memory []byte) uint16 {
	b := fixed(memory)
	return binary.LittleEndian.Uint16(b[atCRC:])
}

func verify(memory []byte) bool {
	return len(memory) >= shortest && stored(memory) == checksum(memory)
}

// hasHead tells whether memory could begin a block.
func hasHead(memory []byte) bool {
	_, _, err := splitFirst(memory[0])
	return err == nil && checkPart(int(memory[atPart]), int(memory[atParts]), atPart) == nil
}

// decodeBlock reads the fixed block, whatever its checksum.
func decodeBlock(memory []byte) (Tag, error) {
	b := fixed(memory)
	t := Tag{Format: Block, Parts: int(b[atParts]), Part: int(b[atPart])}
	var err error
	if t.Usage, t.UsageFirst, err = splitFirst(b[0]); err != nil {
		return Tag{}, err
	}
	if err := checkPart(t.Part, t.Parts, atPart); err != nil {
		return Tag{}, err
	}
	if b[atItem] == extended {
		return Tag{}, fmt.Errorf("byte %d: %#02x: the item's id is too long for the block", atItem, extended)
	}
	if t.Item, err = field(b[atItem:atCRC], atItem); err != nil {
		return Tag{}, err
	}
	if t.Item == "" {
		return Tag{}, fmt.Errorf("byte %d: 0x00: no item's id", atItem)
	}
	if t.Country, err = field(b[atCountry:atLibrary], atCountry); err != nil {
		return Tag{}, err
	}
	if t.Library, err = field(b[atLibrary:], atLibrary); err != nil {
		return Tag{}, err
	}
	return t, nil
}

// decodeTurned reads a memory that was stored backwards and is turned round.
func decodeTurned(turned []byte) (Tag, error) {
	if len(turned) < shortest {
		return Tag{}, fmt.Errorf("%d bytes are less than %d", len(turned), shortest)
	}
	t, err := decodeBlock(turned)
	if err != nil {
		return Tag{}, fmt.Errorf("in reversed blocks: %w", err)
	}
	t.Reversed = true
	return t, nil
}

// splitFirst splits byte 0 into the version of the model, which is 1, and the
// usage. The model has the version in the high nibble, tags of the field also in
// the low one.
func splitFirst(b byte) (u Usage, usageFirst bool, err error) {
	high, low := b>>4, b&0x0F
	switch {
	case high == version:
		return Usage(low), false, nil
	case low == version:
		return Usage(high), true, nil
	}
	return 0, false, fmt.Errorf("byte 0: %#02x has no version %d", b, version)
}

// field returns the text of a field that is padded with zeros.
func field(b []byte, at int) (string, error) {
	text, rest, _ := bytes.Cut(b, []byte{0})
	if i := bytes.IndexFunc(rest, func(r rune) bool { return r != 0 }); i >= 0 {
		return "", fmt.Errorf("byte %d: %#02x after the end of %q", at+len(text)+1+i, rest[i], text)
	}
	return string(text), checkText(string(text), at)
}

// Encode returns the blocks that say t, 36 bytes; a tag of 32 bytes takes the
// first 32 if the library's name is short. It is for simulated tags: a kiosk
// never writes a tag's memory.
func Encode(t Tag) ([]byte, error) {
	if t.Format != Block {
		return nil, fmt.Errorf("format: %q is not %q, the only one written", t.Format, Block)
	}
	b := make([]byte, (blockSize+unit-1)/unit*unit)
	if err := joinFirst(b, t); err != nil {
		return nil, err
	}
	if t.Part < 0 || t.Parts < 0 || t.Part > 0xFF || t.Parts > 0xFF {
		return nil, fmt.Errorf("part %d of %d: not in one byte", t.Part, t.Parts)
	}
	b[atParts], b[atPart] = byte(t.Parts), byte(t.Part)
	for _, f := range []struct {
		text     string
		from, to int
	}{{t.Item, atItem, atCRC}, {t.Country, atCountry, atLibrary}, {t.Library, atLibrary, blockSize}} {
		if len(f.text) > f.to-f.from || strings.Contains(f.text, "\x00") {
			return nil, fmt.Errorf("%q does not fit in bytes %d to %d", f.text, f.from, f.to-1)
		}
		copy(b[f.from:f.to], f.text)
	}
	binary.LittleEndian.PutUint16(b[atCRC:], checksum(b))
	// What would be read as another Tag is no encoding of this one.
	plain := t
	plain.Reversed = false
	if back, err := decodeBlock(b); err != nil {
		return nil, err
	} else if back != plain {
		return nil, fmt.Errorf("%+v would read as %+v", t, back)
	}
	if t.Reversed {
		b = reverse(b)
	}
	return b, nil
}

// joinFirst sets byte 0.
func joinFirst(b []byte, t Tag) error {
	if t.Usage > 0x0F {
		return fmt.Errorf("usage: %d is not in four bits", t.Usage)
	}
	b[0] = version<<4 | byte(t.Usage)
	if t.UsageFirst {
		b[0] = byte(t.Usage)<<4 | version
	}
	return nil
}
