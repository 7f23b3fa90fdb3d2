package pn5180

import (
	"bytes"
	"testing"

	"circdesk/devices/devicestest"
)

func TestCardsOfEveryLength(t *testing.T) {
	for name, c := range map[string]struct {
		card *devicestest.Card
		want Card
	}{
		"4 bytes": {devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF}),
			Card{UID: []byte{0xDE, 0xAD, 0xBE, 0xEF}, ATQA: 0x0004, SAK: 0x08}},
		"7 bytes": {devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}),
			Card{UID: []byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}, ATQA: 0x0044}},
		"10 bytes": {devicestest.NewCard([]byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0x0084, 0x20),
			Card{UID: []byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}, ATQA: 0x0084, SAK: 0x20}},
		"a DESFire that draws": {devicestest.NewCard([]byte{0x80, 1, 2, 3}, 0x0344, 0x20),
			Card{UID: []byte{0x80, 1, 2, 3}, ATQA: 0x0344, SAK: 0x20, Random: true}},
		"no DESFire": {devicestest.NewCard([]byte{0x80, 1, 2, 3}, 0x0004, 0x08),
			Card{UID: []byte{0x80, 1, 2, 3}, ATQA: 0x0004, SAK: 0x08}},
	} {
		t.Run(name, func(t *testing.T) {
			onPad(t, func(t *testing.T, p *pad) {
				p.wantCard(nil)
				p.chip.PutCard(c.card)
				for range 50 { // a card that is left on the reader
					p.wantCard(&c.want)
				}
				p.chip.TakeCard(c.card)
				p.wantCard(nil)
			})
		})
	}
}

// wantCard checks what lies there; nil: nothing.
func (p *pad) wantCard(want *Card) {
	p.t.Helper()
	got, err := p.Cards(p.t.Context())
	switch {
	case err != nil:
		p.t.Error(err)
	case want == nil && len(got) == 0:
	case want == nil || len(got) != 1 || !same(got[0], *want):
		p.t.Errorf("found %+v, want %+v", got, want)
	}
}

func same(a, b Card) bool {
	return bytes.Equal(a.UID, b.UID) && a.ATQA == b.ATQA && a.SAK == b.SAK && a.Random == b.Random
}

func TestAPhoneIsFlaggedAsRandom(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.chip.PutCard(devicestest.NewRandomCard(1))
		first, err := p.Cards(t.Context())
		if err != nil || len(first) != 1 || !first[0].Random || first[0].UID[0] != 0x08 {
			t.Errorf("found %+v, %v", first, err)
		}
	})
}

func TestTwoCardsAreACollision(t *testing.T) {
	for name, other := range map[string]*devicestest.Card{
		"of the same kind":                devicestest.NewClassic1K([]byte{0xDE, 0x2D, 0xBE, 0xEF}),
		"of another kind":                 devicestest.NewNTAG213([]byte{0x04, 1, 2, 3, 4, 5, 6}),
		"of which one is not heard first": loudCard(),
	} {
		t.Run(name, func(t *testing.T) {
			onPad(t, func(t *testing.T, p *pad) {
				card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
				p.chip.PutCard(card)
				p.chip.PutCard(other)
				for i := range 10 {
					p.chip.SetComplaining(i >= 5)
					_, err := p.Cards(t.Context())
					wantError(t, err, ErrCollision)
				}
				p.chip.TakeCard(other)
				p.wantCard(&Card{UID: []byte{0xDE, 0xAD, 0xBE, 0xEF}, ATQA: 0x0004, SAK: 0x08})
			})
		})
	}
	t.Run("that begin alike", func(t *testing.T) {
		onPad(t, func(t *testing.T, p *pad) {
			p.chip.PutCard(devicestest.NewNTAG213([]byte{0x04, 1, 2, 3, 4, 5, 6}))
			p.chip.PutCard(devicestest.NewNTAG213([]byte{0x04, 1, 2, 3, 4, 5, 7}))
			_, err := p.Cards(t.Context())
			wantError(t, err, ErrCollision)
		})
	})
}

func loudCard() *devicestest.Card {
	c := devicestest.NewClassic1K([]byte{1, 2, 3, 4})
	c.SetLoud()
	return c
}

func TestACardThatDoesNotObeyHaltIsOneCard(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		card := devicestest.NewClassic1K([]byte{1, 2, 3, 4})
		card.SetDeafToHalt()
		p.chip.PutCard(card)
		for range 3 {
			p.wantCard(&Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08})
		}
	})
}

func TestNoiseIsNoCard(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		zero := devicestest.NewCard([]byte{0, 0, 0, 0}, 0x0004, 0x08)
		p.chip.PutCard(zero)
		_, err := p.Cards(t.Context())
		wantError(t, err, ErrProtocol)
		p.chip.TakeCard(zero)
		wrong := devicestest.NewClassic1K([]byte{1, 2, 3, 4})
		wrong.SetWrongBCC()
		p.chip.PutCard(wrong)
		_, err = p.Cards(t.Context())
		wantError(t, err, ErrProtocol)
		p.chip.TakeCard(wrong)
		p.wantCard(nil)
	})
}

func TestAFalsifiedCardNumberIsNotBelieved(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		frames := 0
		for n := range 400 {
			at := n % 200
			p.chip.OnFrame(func() {
				if frames++; frames == at {
					p.chip.Garble(1)
				}
			})
			frames = 0
			got, _ := p.Cards(t.Context())
			for _, card := range got {
				if !bytes.Equal(card.UID, []byte{1, 2, 3, 4}) {
					t.Errorf("found %X", card.UID)
				}
			}
			p.chip.Calm()
		}
	})
}

func TestACardInMidTransactionIsNeitherAbsentNorRead(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		p.wantCard(&Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08})
		for n := range 40 {
			if n%2 == 0 {
				p.chip.SpoilAnswers(1)
			} else {
				p.chip.FaultAnswers(1)
			}
			_, err := p.Cards(t.Context())
			wantError(t, err, ErrCRC)
			p.wantCard(&Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08})
		}
	})
}

func TestACardIsMissedOnlyOnce(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		for range 3 {
			p.chip.LoseAnswers(1)
			p.wantCard(nil)
			p.wantCard(&Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08})
		}
	})
}

func TestTagsAndCardsInTurn(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		p.chip.PutCard(devicestest.NewClassic1K([]byte{1, 2, 3, 4}))
		for range 5 {
			p.wantTags(book(1), book(2))
			p.wantCard(&Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08})
			if _, err := p.ReadBlocks(t.Context(), book(1), 0, 9, 4); err != nil {
				t.Error(err)
			}
		}
	})
}
