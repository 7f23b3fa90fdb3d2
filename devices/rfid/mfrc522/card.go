package mfrc522

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Commands to cards.
const (
	reqa       = 0x26 // wakes those that were not told to be quiet
	wupa       = 0x52 // wakes all
	cascadeTag = 0x88 // instead of a UID's byte: more levels follow
	incomplete = 0x04 // of a SAK: more levels follow
	isoPart4   = 0x20 // of a SAK: knows ISO 14443-4
)

// crcA returns the CRC of ISO 14443-3 type A, in the order in which it is sent.
func crcA(data []byte) (low, high byte) {
	crc := uint16(0x6363)
	for _, b := range data {
		b ^= byte(crc)
		b ^= b << 4
		crc = crc>>8 ^ uint16(b)<<8 ^ uint16(b)<<3 ^ uint16(b)>>4
	}
	return byte(crc), byte(crc >> 8)
}

// withCRC returns data with its CRC behind it.
func withCRC(data ...byte) []byte {
	low, high := crcA(data)
	return append(data, low, high)
}

// sight activates the card and tells it to be quiet again, so that the next WUPA
// finds it whatever came out. It returns errSilent if nobody is there.
func (d *Dev) sight(ctx context.Context, request byte) (Card, error) {
	card, err := d.activate(ctx, request)
	if err != nil && !unclear(err) {
		return Card{}, err
	}
	if failed := d.halt(ctx); failed != nil && (err == nil || !unclear(failed)) {
		err = failed
	}
	if err != nil {
		return Card{}, err
	}
	return card, nil
}

// activate wakes and selects the one card on the reader. It returns errSilent if
// nobody answers the request; who does not go on is not clear.
func (d *Dev) activate(ctx context.Context, request byte) (Card, error) {
	card, err := d.choose(ctx, request)
	if err != nil || !card.same(d.last) {
		d.last = Card{}
	}
	return card, err
}

// choose does the work of activate.
func (d *Dev) choose(ctx context.Context, request byte) (Card, error) {
	if err := d.timeout(shortTime); err != nil {
		return Card{}, err
	}
	rx, last, err := d.exchange(ctx, "request", []byte{request}, 7)
	if err != nil {
		return Card{}, err
	}
	if len(rx) != 2 || last != 0 {
		return Card{}, noise("request", fmt.Sprintf("%d bytes", len(rx)))
	}
	card := Card{ATQA: uint16(rx[1])<<8 | uint16(rx[0])}
	for level := range byte(3) {
		part, sak, err := d.climb(ctx, 0x93+2*level)
		if errors.Is(err, errSilent) {
			return Card{}, noise("select", "the card fell silent")
		}
		if err != nil {
			return Card{}, err
		}
		if sak&incomplete == 0 {
			card.UID, card.SAK = append(card.UID, part...), sak
			return card, card.settle()
		}
		if part[0] != cascadeTag {
			return Card{}, noise("select", "more levels without a cascade tag")
		}
		card.UID = append(card.UID, part[1:]...)
	}
	return Card{}, noise("select", "more than three levels")
}

// climb runs one cascade level: it asks for four bytes of the UID and selects
// them.
func (d *Dev) climb(ctx context.Context, level byte) (part []byte, sak byte, err error) {
	rx, last, err := d.exchange(ctx, "anticollision", []byte{level, 0x20}, 0)
	if err != nil {
		return nil, 0, err
	}
	if len(rx) != 5 || last != 0 {
		return nil, 0, noise("anticollision", fmt.Sprintf("%d bytes", len(rx)))
	}
	if rx[0]^rx[1]^rx[2]^rx[3] != rx[4] {
		return nil, 0, noise("anticollision", "wrong check byte")
	}
	part = slices.Clone(rx[:4])
	rx, last, err = d.exchange(ctx, "select", withCRC(append([]byte{level, 0x70}, rx...)...), 0)
	if err != nil {
		return nil, 0, err
	}
	if len(rx) != 3 || last != 0 {
		return nil, 0, noise("select", fmt.Sprintf("%d bytes", len(rx)))
	}
	if low, high := crcA(rx[:1]); rx[1] != low || rx[2] != high {
		return nil, 0, noise("select", "wrong CRC")
	}
	return part, rx[0], nil
}

// settle refuses UIDs that no card has and marks those that are drawn anew each
// time: four bytes that start with 08, or with 80 on a DESFire.
func (c *Card) settle() error {
	uid := c.UID
	switch {
	case len(bytes.Trim(uid, "\x00")) == 0, len(bytes.Trim(uid, "\xFF")) == 0:
		return noise("select", "a ghost: all bits are the same")
	case len(uid) == 4 && uid[0] == cascadeTag:
		return noise("select", "a cascade tag without another level")
	}
	c.Random = len(uid) == 4 && (uid[0] == 0x08 || uid[0] == 0x80 && c.SAK&isoPart4 != 0)
	return nil
}

// halt tells the selected card to be quiet. A card obeys without a word.
func (d *Dev) halt(ctx context.Context) error {
	if err := d.timeout(shortTime); err != nil {
		return err
	}
	_, _, err := d.exchange(ctx, "halt", withCRC(0x50, 0x00), 0)
	switch {
	case errors.Is(err, errSilent):
		return nil
	case err == nil:
		return noise("halt", "the card answers")
	}
	return err
}

// ReadNTAG returns four pages of the NTAG or Ultralight on the reader, from page
// on. Behind the last page the card goes on with the first.
func (d *Dev) ReadNTAG(ctx context.Context, page byte) ([16]byte, error) {
	if d.closed {
		return [16]byte{}, errClosed
	}
	_, err := d.activate(ctx, wupa)
	var data [16]byte
	if err == nil {
		data, err = d.read16(ctx, page)
	}
	return data, d.leave(ctx, err)
}

// ReadClassic returns a block of a MIFARE Classic that Poll has found, with the
// first key of its sector.
func (d *Dev) ReadClassic(ctx context.Context, c Card, block byte, key [6]byte) ([16]byte, error) {
	if d.closed {
		return [16]byte{}, errClosed
	}
	found, err := d.activate(ctx, wupa)
	if err == nil && !found.same(c) {
		err = fmt.Errorf("mfrc522: read block %d: another card: %w", block, ErrGone)
	}
	if err == nil {
		err = d.authenticate(ctx, found, block, key)
	}
	var data [16]byte
	if err == nil {
		data, err = d.read16(ctx, block)
	}
	return data, d.leave(ctx, err)
}

// leave ends a visit to a card, however it went: the card is told to be quiet,
// encrypted if need be, and encryption ends, also if ctx is done.
func (d *Dev) leave(ctx context.Context, err error) error {
	if !errors.Is(err, ErrHung) {
		err = errors.Join(err, d.halt(ctx))
	}
	err = errors.Join(err, d.set(regStatus2, 0x00))
	if err == nil {
		return nil
	}
	return d.failed(ctx, err)
}

// read16 reads 16 bytes from the selected card.
func (d *Dev) read16(ctx context.Context, from byte) (data [16]byte, err error) {
	if err := d.timeout(longTime); err != nil {
		return data, err
	}
	rx, last, err := d.exchange(ctx, "read", withCRC(0x30, from), 0)
	switch {
	case err != nil:
		return data, err
	case len(rx) == 1 && last == 4 && rx[0]&0x0F != 0x0A:
		return data, fmt.Errorf("mfrc522: read %d: answer %X: %w", from, rx[0]&0x0F, ErrRefused)
	case len(rx) != 18 || last != 0:
		return data, noise("read", fmt.Sprintf("%d bytes", len(rx)))
	}
	if low, high := crcA(rx[:16]); rx[16] != low || rx[17] != high {
		return data, noise("read", "wrong CRC")
	}
	return [16]byte(rx), nil
}

// authenticate has the chip prove to the card that it knows key. Crypto1 is on
// afterwards. A card that does not accept the key says nothing.
func (d *Dev) authenticate(ctx context.Context, c Card, block byte, key [6]byte) error {
	if err := d.timeout(longTime); err != nil {
		return err
	}
	uid := c.UID[len(c.UID)-4:] // of longer UIDs, too, the last four
	if err := d.load(slices.Concat([]byte{0x60, block}, key[:], uid)); err != nil {
		return err
	}
	begun := time.Now()
	if err := d.set(regCommand, cmdMFAuthent); err != nil {
		return err
	}
	refused := fmt.Errorf("mfrc522: authenticate block %d: %w", block, ErrRefused)
	err := d.await(ctx, "authenticate", begun, irqIdle)
	switch {
	case errors.Is(err, errSilent):
		return refused
	case err != nil:
		return err
	}
	if err := d.complaint("authenticate"); err != nil {
		return err
	}
	v, err := d.get(regStatus2)
	if err == nil && v&crypto1On == 0 {
		err = refused
	}
	return err
}
