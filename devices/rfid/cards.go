package rfid

import (
	"context"
	"time"

	"circdesk/devices"
)

const (
	// again is how soon a card that has left is the same card held up once, by a
	// hand that is not steady.
	again = 1200 * time.Millisecond
	// readTries is how many polls try to read a memory before it is told without.
	readTries = 3
	// randomCard stands for the number of any card without one of its own.
	randomCard = "random"
)

// A hand is what is known of the card that is held up.
type hand struct {
	told    string // the number of the card that was told and has not left
	several bool   // that there is more than one was told
	missed  int    // polls in a row that found none
	tries   int    // to read the memory of one that is not told yet

	left   string // the card before
	leftAt time.Time
}

// number is what tells cards apart.
func (f *found) number() string {
	if f.random {
		return randomCard
	}
	return string(f.uid)
}

// miss is a poll that finds no card.
func (h *hand) miss(now time.Time) {
	if h.missed++; h.missed < missLimit {
		return
	}
	if h.told != "" {
		h.left, h.leftAt = h.told, now
	}
	h.told, h.several, h.tries = "", false, 0
}

// returned tells whether a card is one that left only a moment ago.
func (h *hand) returned(card *found, now time.Time) bool {
	return card.number() == h.left && now.Sub(h.leftAt) < again
}

// pollCards looks for a card and tells a new one.
func (r *Reader) pollCards(ctx context.Context, ch cardChip, count func(devices.Tally)) error {
	card, err := ch.look(ctx)
	now, h := time.Now(), &r.hand
	if isSeveral(err) {
		h.missed = 0
		if !h.several {
			h.several = true
			r.emit(Carded{Device: r.config.Name, Several: true, At: now})
		}
		return nil
	}
	if err != nil {
		if isAir(err) {
			return nil // the next poll will show whether a card is there
		}
		return err
	}
	if card == nil {
		h.miss(now)
		return nil
	}
	h.missed, h.several = 0, false
	switch {
	case card.number() == h.told:
		return nil
	case h.told == "" && h.returned(card, now):
		h.told = card.number()
		count(devices.Tally{Repeats: 1})
		return nil
	}
	return r.tellCard(ctx, ch, card, count)
}

// tellCard tells a new card, with its memory if that is wanted and can be read.
func (r *Reader) tellCard(ctx context.Context, ch cardChip, card *found, count func(devices.Tally)) error {
	event := Carded{Device: r.config.Name, Random: card.random, At: time.Now()}
	if !card.random {
		event.UID = card.uid
	}
	if r.config.Read != "" && !card.random {
		stored, err := ch.read(ctx, card)
		if err != nil && !isAir(err) {
			return err
		}
		if r.hand.tries++; err != nil && r.hand.tries < readTries {
			return nil
		}
		if err == nil {
			event.Stored = stored
		}
	}
	r.hand.told, r.hand.tries = card.number(), 0
	count(devices.Tally{Reads: 1})
	r.emit(event)
	return nil
}
