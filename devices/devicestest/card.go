package devicestest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A cardFrame is what goes through the air in one direction: bits, the lowest of
// each byte first. Parity bits are not shown.
type cardFrame struct {
	data   []byte
	bits   int  // in all; the last byte may be short of some
	sealed bool // encrypted by Crypto1, which the simulation does not compute
}

// wholeFrame returns a frame of whole bytes.
func wholeFrame(data ...byte) cardFrame {
	return cardFrame{data: data, bits: 8 * len(data)}
}

// crcFrame returns a frame of data and its CRC_A.
func crcFrame(data ...byte) cardFrame {
	low, high := crcA(data)
	return wholeFrame(append(slices.Clip(data), low, high)...)
}

// nibble returns the 4-bit frame in which cards say yes (A) and no.
func nibble(v byte) cardFrame { return cardFrame{data: []byte{v}, bits: 4} }

// silence is the answer of a card that says nothing.
var silence = cardFrame{}

// crcA returns the CRC of ISO 14443-3 type A in the order in which it is sent.
func crcA(data []byte) (low, high byte) {
	crc := crc16(0x6363, data)
	return byte(crc), byte(crc >> 8)
}

// crc16 goes on from preset with the reflected polynomial 8408.
func crc16(preset uint16, data []byte) uint16 {
	crc := preset
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= 0x8408
			}
		}
	}
	return crc
}

// The states of ISO 14443-3. READY* and ACTIVE* are told by Card.woken.
type cardState int

const (
	cardIdle cardState = iota
	cardReady
	cardActive
	cardHalt
)

// cardKind says which commands a selected card knows.
type cardKind int

const (
	plainCard cardKind = iota
	classicCard
	ntagCard
)

// A Card is an ISO 14443A card. Its methods but Set… are for the chip that it
// lies on; whoever sets something does so before the card is placed.
type Card struct {
	uid  []byte
	atqa uint16
	sak  byte
	kind cardKind

	memory []byte        // Classic: 16-byte blocks; NTAG: 4-byte pages
	random *rand.Rand    // nil: the UID stays the same
	bad    bool          // sends a wrong check byte
	badCRC bool          // sends a wrong CRC behind its SAK
	loud   bool          // drowns the answers of other cards
	stuck  bool          // does not obey HLTA
	leave  int           // after so many more frames it is gone; negative: stays
	torn   int           // bits of the last answer that still come through
	delay  time.Duration // from a command to its answer, beyond the shortest
	state  cardState     // since it was last without power
	woken  bool          // from HALT, to which it goes back
	level  int           // the cascade level that it is at
	sector int           // the trailer of the authenticated one; negative: none
}

// NewCard returns a card that can be selected and nothing else. It panics if uid
// has not 4, 7 or 10 bytes.
func NewCard(uid []byte, atqa uint16, sak byte) *Card {
	if len(uid) != 4 && len(uid) != 7 && len(uid) != 10 {
		panic(fmt.Sprintf("devicestest: a UID of %d bytes", len(uid)))
	}
	return &Card{uid: slices.Clone(uid), atqa: atqa, sak: sak, leave: -1, sector: -1}
}

// NewClassic1K returns a MIFARE Classic 1K with its transport keys.
func NewClassic1K(uid []byte) *Card { return newClassic(uid, 64, 0x0004, 0x08) }

// NewClassic4K returns a MIFARE Classic 4K with its transport keys.
func NewClassic4K(uid []byte) *Card { return newClassic(uid, 256, 0x0002, 0x18) }

func newClassic(uid []byte, blocks int, atqa uint16, sak byte) *Card {
	if len(uid) == 7 {
		atqa |= 0x0040
	}
	c := NewCard(uid, atqa, sak)
	c.kind, c.memory, c.delay = classicCard, make([]byte, blocks*16), 400*time.Microsecond
	copy(c.memory, uid)
	for block := range blocks {
		if trailerOf(block) == block {
			copy(c.memory[block*16:], []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x80, 0x69, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
		}
	}
	return c
}

// trailerOf returns the last block of a block's sector: there are 32 sectors of 4
// blocks and then 8 of 16.
func trailerOf(block int) int {
	if block < 128 {
		return block | 3
	}
	return block | 15
}

// NewNTAG213 returns an NTAG213 whose page n holds n 01 02 03 from page 4 on.
func NewNTAG213(uid []byte) *Card {
	c := NewCard(uid, 0x0044, 0x00)
	c.kind, c.memory, c.delay = ntagCard, make([]byte, 45*4), 400*time.Microsecond
	copy(c.memory, uid[:3])
	c.memory[3] = 0x88 ^ uid[0] ^ uid[1] ^ uid[2]
	copy(c.memory[4:], uid[3:])
	for page := 4; page < 45; page++ {
		copy(c.memory[4*page:], []byte{byte(page), 1, 2, 3})
	}
	return c
}

// NewRandomCard returns a card as phones play them: every activation draws
// another UID of four bytes that starts with 08.
func NewRandomCard(seed uint64) *Card {
	c := NewCard([]byte{0x08, 0, 0, 0}, 0x0004, 0x20)
	c.random = rand.New(rand.NewPCG(seed, 8))
	return c
}

// SetBlock writes a Classic's block of 16 bytes or an NTAG's page of 4.
func (c *Card) SetBlock(n int, data []byte) { copy(c.memory[n*len(data):], data) }

// SetKeyA sets the first key of the sector that a Classic's block is in.
func (c *Card) SetKeyA(block int, key [6]byte) { copy(c.memory[trailerOf(block)*16:], key[:]) }

// SetWrongBCC makes the card send wrong check bytes.
func (c *Card) SetWrongBCC() { c.bad = true }

// SetWrongCRC makes the card send a wrong CRC when it is selected.
func (c *Card) SetWrongCRC() { c.badCRC = true }

// SetLoud makes the card so strong that others are not heard beside it.
func (c *Card) SetLoud() { c.loud = true }

// SetDeafToHalt makes the card answer REQA also after HLTA, as bad copies do.
func (c *Card) SetDeafToHalt() { c.stuck = true }

// UID returns the card's number; a random card's is the last one drawn.
func (c *Card) UID() []byte { return slices.Clone(c.uid) }

// powerOff is what leaving the field does to the card.
func (c *Card) powerOff() { c.state, c.woken, c.level, c.sector = cardIdle, false, 0, -1 }

// fallBack is the answer to whatever a card does not understand.
func (c *Card) fallBack() cardFrame {
	c.state, c.level, c.sector = cardIdle, 0, -1
	if c.woken {
		c.state = cardHalt
	}
	return silence
}

// receive takes a frame and returns the card's answer.
func (c *Card) receive(f cardFrame) cardFrame {
	switch {
	case f.sealed != (c.sector >= 0):
		if f.sealed && c.state != cardReady && c.state != cardActive {
			return silence
		}
		return c.fallBack()
	case f.bits == 7:
		return c.request(f.data[0] & 0x7F)
	case c.state == cardReady:
		return c.anticollide(f)
	case c.state == cardActive:
		answer := c.command(f)
		answer.sealed = f.sealed
		return answer
	}
	return silence
}

// request answers REQA (26) and WUPA (52).
func (c *Card) request(command byte) cardFrame {
	asleep := c.state == cardHalt
	switch {
	case command != 0x26 && command != 0x52:
		return c.fallBack()
	case asleep && command == 0x26 && !c.stuck:
		return silence
	case !asleep && c.state != cardIdle && !c.stuck:
		return c.fallBack()
	}
	c.state, c.level, c.woken = cardReady, 0, asleep
	if c.random != nil {
		c.uid = []byte{0x08, byte(c.random.Uint32()), byte(c.random.Uint32()), byte(c.random.Uint32())}
	}
	return wholeFrame(byte(c.atqa), byte(c.atqa>>8))
}

// part returns the bytes of cascade level n and whether it is the last one.
func (c *Card) part(n int) (part []byte, last bool) {
	last = 3*n+4 == len(c.uid)
	if last {
		part = slices.Clone(c.uid[3*n:])
	} else {
		part = append([]byte{0x88}, c.uid[3*n:3*n+3]...)
	}
	bcc := part[0] ^ part[1] ^ part[2] ^ part[3]
	if c.bad {
		bcc ^= 0x10
	}
	return append(part, bcc), last
}

// anticollide answers ANTICOLLISION and SELECT of the card's cascade level.
func (c *Card) anticollide(f cardFrame) cardFrame {
	if f.bits < 16 || f.data[0] != 0x93+byte(2*c.level) {
		return c.fallBack()
	}
	part, last := c.part(c.level)
	nvb := f.data[1]
	if nvb == 0x70 {
		return c.choose(f, part, last)
	}
	known := 8*int(nvb>>4) + int(nvb&7) - 16
	if known < 0 || known >= 40 || f.bits != 16+known {
		return c.fallBack()
	}
	for i := range known {
		if bitOf(f.data[2:], i) != bitOf(part, i) {
			return c.fallBack()
		}
	}
	rest := cardFrame{bits: 40 - known, data: make([]byte, (40-known+7)/8)}
	for i := range rest.bits {
		rest.data[i/8] |= bitOf(part, known+i) << (i % 8)
	}
	return rest
}

// choose answers a SELECT.
func (c *Card) choose(f cardFrame, part []byte, last bool) cardFrame {
	if f.bits != 72 || !bytes.Equal(f.data[2:7], part) || !crcFits(f.data) {
		return c.fallBack()
	}
	if !last {
		c.level++
		return crcFrame(0x04)
	}
	c.state = cardActive
	answer := crcFrame(c.sak)
	if c.badCRC {
		answer.data[2] ^= 0x01
	}
	return answer
}

// command answers what a selected card is told.
func (c *Card) command(f cardFrame) cardFrame {
	if f.bits%8 != 0 || f.bits < 24 || !crcFits(f.data) {
		return c.fallBack()
	}
	body := f.data[:len(f.data)-2]
	switch {
	case bytes.Equal(body, []byte{0x50, 0x00}):
		if !c.stuck {
			c.state, c.level, c.sector = cardHalt, 0, -1
		}
		return silence
	case c.kind == classicCard:
		return c.classic(body)
	case c.kind == ntagCard:
		return c.ntag(body)
	}
	return c.fallBack()
}

// classic answers READ of the authenticated sector.
func (c *Card) classic(body []byte) cardFrame {
	if len(body) != 2 || body[0] != 0x30 {
		return c.fallBack()
	}
	block := int(body[1])
	if trailerOf(block) != c.sector {
		c.fallBack()
		return nibble(0x04)
	}
	data := slices.Clone(c.memory[16*block : 16*block+16])
	if trailerOf(block) == block {
		clear(data[:6]) // the first key can never be read
	}
	return crcFrame(data...)
}

// authenticate tells whether the card accepts a key for a block's sector.
func (c *Card) authenticate(command, block byte, key, uid []byte) bool {
	trailer := trailerOf(int(block)) * 16
	if c.kind != classicCard || c.state != cardActive || trailer >= len(c.memory) {
		c.fallBack()
		return false
	}
	if command == 0x61 {
		trailer += 10
	}
	if !bytes.Equal(c.memory[trailer:trailer+6], key) || !bytes.Equal(c.uid[len(c.uid)-4:], uid) {
		c.fallBack()
		return false
	}
	c.sector = trailerOf(int(block))
	return true
}

// ntag answers READ, FAST_READ, GET_VERSION and WRITE.
func (c *Card) ntag(body []byte) cardFrame {
	pages := len(c.memory) / 4
	switch {
	case len(body) == 1 && body[0] == 0x60:
		return crcFrame(0x00, 0x04, 0x04, 0x02, 0x01, 0x00, 0x0F, 0x03)
	case len(body) == 2 && body[0] == 0x30 && int(body[1]) < pages:
		twice := slices.Concat(c.memory, c.memory[:12]) // the end is followed by the start
		return crcFrame(slices.Clone(twice[4*int(body[1]):][:16])...)
	case len(body) == 3 && body[0] == 0x3A && body[1] <= body[2] && int(body[2]) < pages:
		return crcFrame(slices.Clone(c.memory[4*int(body[1]) : 4*int(body[2])+4])...)
	case len(body) == 6 && body[0] == 0xA2 && body[1] >= 4 && int(body[1]) < pages:
		copy(c.memory[4*int(body[1]):], body[2:])
		return nibble(0x0A)
	}
	c.fallBack()
	return nibble(0x00)
}

// pause is how long the card takes to answer f.
func (c *Card) pause(f cardFrame) time.Duration {
	const frameDelay = 91 * time.Microsecond // the shortest and, before ACTIVE, the only one
	if c.state == cardActive {
		return frameDelay + c.delay
	}
	return frameDelay
}

// crcFits tells whether data ends with its CRC_A.
func crcFits(data []byte) bool {
	n := len(data) - 2
	low, high := crcA(data[:n])
	return data[n] == low && data[n+1] == high
}

// bitOf returns bit i of data, counted from the lowest of the first byte.
func bitOf(data []byte, i int) byte { return data[i/8] >> (i % 8) & 1 }
