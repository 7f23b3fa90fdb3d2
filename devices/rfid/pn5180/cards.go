package pn5180

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// A Card is an ISO 14443A card. Random means that it shows another number every
// time, which must not be anybody's.
type Card struct {
	UID    []byte // 4, 7 or 10 bytes
	ATQA   uint16
	SAK    byte
	Random bool
}

// cardCall is a call to cards.
func cardCall(expect int, frame ...byte) call {
	return call{frame: frame, expect: expect, turn: turnTime, unit: cardByte}
}

// Cards returns the card in the field, or none. Two cards are ErrCollision: the
// chip could tell them apart, but nobody could tell whose turn it is.
func (d *Dev) Cards(ctx context.Context) ([]Card, error) {
	var found []Card
	err := d.do(ctx, "look for cards", func() error {
		if err := d.readyCards(); err != nil {
			return err
		}
		card, err := d.onlyCard(ctx)
		if errors.Is(err, ErrNoTag) {
			return nil
		}
		// After an error nobody knows what state cards are in.
		d.unclear = err != nil
		if err == nil {
			found = []Card{card}
		}
		return err
	})
	return found, err
}

// readyCards has a field for cards in which each of them hears WUPA.
func (d *Dev) readyCards() error {
	if err := d.listen(cards); err != nil {
		return err
	}
	if d.unclear {
		if err := d.renew(); err != nil {
			return err
		}
	}
	return d.keepBits(systemConfig, 0xFFFFFFBF) // no encryption
}

// onlyCard returns the card that answers WUPA if, with that one halted, no other
// answers REQA.
func (d *Dev) onlyCard(ctx context.Context) (Card, error) {
	const wupa, reqa = 0x52, 0x26
	card, err := d.card(ctx, wupa)
	if errors.Is(err, ErrNoTag) {
		// A card whose answer got lost takes the next WUPA for a mistake and only
		// answers the one after that.
		card, err = d.card(ctx, wupa)
	}
	if err != nil {
		return Card{}, loud(err)
	}
	other, err := d.card(ctx, reqa)
	switch err = loud(err); {
	case err == nil && bytes.Equal(other.UID, card.UID): // it does not obey HLTA
	case err == nil:
		return Card{}, ErrCollision
	case !errors.Is(err, ErrNoTag):
		return Card{}, err
	}
	return card, nil
}

// A vanishedError is the silence of a card that has answered before.
type vanishedError struct{}

func (vanishedError) Error() string { return "card falls silent" }

// loud keeps the silence of a card in the middle of things apart from that of an
// empty field.
func loud(err error) error {
	if errors.As(err, new(vanishedError)) {
		return fmt.Errorf("%w: %w", ErrCRC, err)
	}
	return err
}

// card wakes a card up, returns what it is and halts it.
func (d *Dev) card(ctx context.Context, wake byte) (Card, error) {
	if err := d.useCRC(false); err != nil {
		return Card{}, err
	}
	call := cardCall(2, wake)
	call.bits = 7
	atqa, err := d.exchange(ctx, call)
	if err != nil {
		return Card{}, err
	}
	if len(atqa) != 2 {
		return Card{}, fmt.Errorf("%w: ATQA %X", ErrProtocol, atqa)
	}
	card := Card{ATQA: uint16(atqa[1])<<8 | uint16(atqa[0])}
	for level := 0; ; level++ {
		part, sak, err := d.cascade(ctx, level)
		if errors.Is(err, ErrNoTag) {
			return Card{}, vanishedError{}
		}
		if err != nil {
			return Card{}, err
		}
		card.UID = append(card.UID, part...)
		if card.SAK = sak; sak&0x04 == 0 {
			break
		}
	}
	card.Random = isRandom(card)
	return card, d.halt(ctx)
}

// isRandom tells whether a card has drawn its number. A DESFire shows that by 80.
func isRandom(c Card) bool {
	return len(c.UID) == 4 && (c.UID[0] == 0x08 || c.UID[0] == 0x80 && c.SAK&0x20 != 0)
}

// cascade returns what a level adds to the number, and the SAK of selecting it.
func (d *Dev) cascade(ctx context.Context, level int) (part []byte, sak byte, err error) {
	sel := byte(0x93 + 2*level)
	if err := d.useCRC(false); err != nil {
		return nil, 0, err
	}
	bits, err := d.exchange(ctx, cardCall(5, sel, 0x20))
	if err != nil {
		return nil, 0, err
	}
	if len(bits) != 5 || bits[0]^bits[1]^bits[2]^bits[3] != bits[4] {
		return nil, 0, fmt.Errorf("%w: %X has a wrong check byte", ErrProtocol, bits)
	}
	if err := d.useCRC(true); err != nil {
		return nil, 0, err
	}
	reply, err := d.exchange(ctx, cardCall(1, append([]byte{sel, 0x70}, bits...)...))
	if err != nil {
		return nil, 0, err
	}
	part, err = parseLevel(level, [4]byte(bits), reply[0])
	return part, reply[0], err
}

// parseLevel returns the bytes of a level that belong to the number.
func parseLevel(level int, bits [4]byte, sak byte) ([]byte, error) {
	const cascadeTag = 0x88
	more := sak&0x04 != 0
	same := bytes.Count(bits[:], bits[:1]) == 4
	switch {
	case more != (bits[0] == cascadeTag), level == 2 && more:
		return nil, fmt.Errorf("%w: SAK %02X at %X", ErrProtocol, sak, bits)
	case same && (bits[0] == 0x00 || bits[0] == 0xFF):
		return nil, fmt.Errorf("%w: %X is noise", ErrProtocol, bits)
	case more:
		return bits[1:4], nil
	}
	return bits[:], nil
}

// halt sends the selected card to sleep. Its yes is silence.
func (d *Dev) halt(ctx context.Context) error {
	_, err := d.exchange(ctx, cardCall(1, 0x50, 0x00))
	if err != nil && fatal(ctx, err) {
		return err
	}
	return nil
}

// useCRC has the chip add and check CRCs, or not.
func (d *Dev) useCRC(on bool) error {
	for _, reg := range []byte{crcTx, crcRx} {
		var err error
		if on {
			err = d.setBits(reg, 1)
		} else {
			err = d.keepBits(reg, 0xFFFFFFFE)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
