package mfrc522

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"
)

func four() *devicestest.Card {
	return devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 0x0004, 0x08)
}

func seven() *devicestest.Card {
	return devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80})
}

func ten() *devicestest.Card {
	return devicestest.NewCard([]byte{0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}, 0x0344, 0x20)
}

func TestCardsOfEveryLengthComeAndGo(t *testing.T) {
	inLab(t, func(l lab) {
		l.wantNone()
		for _, card := range []*devicestest.Card{four(), seven(), ten()} {
			l.chip.Put(card)
			l.wantFound(card)
			l.wantFound(card)
			l.chip.Take(card)
			l.wantNone()
		}
	})
}

func TestTwoCardsAreOneTooMany(t *testing.T) {
	pairs := map[string][2]*devicestest.Card{
		"at bit 16":        {four(), devicestest.NewCard([]byte{0xDE, 0x2D, 0xBE, 0xEF}, 0x0004, 0x08)},
		"in the request":   {four(), seven()},
		"in the last byte": {four(), devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0x6F}, 0x0004, 0x08)},
		"at level 3":       {ten(), devicestest.NewCard([]byte{0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x9B}, 0x0344, 0x20)},
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				l.chip.Put(pair[0])
				l.chip.Put(pair[1])
				for range 3 {
					if cards, err := l.poll(); !errors.Is(err, ErrCollision) || len(cards) != 0 {
						l.Errorf("found %d cards, %v, want a collision", len(cards), err)
					}
				}
				l.chip.Take(pair[0])
				l.wantFound(pair[1])
			})
		})
	}
}

func TestASecondCardUnderAStrongerOneIsNoticed(t *testing.T) {
	inLab(t, func(l lab) {
		strong, weak := four(), devicestest.NewCard([]byte{1, 2, 3, 4}, 0x0004, 0x08)
		strong.SetLoud()
		l.chip.Put(strong)
		l.wantFound(strong)
		l.chip.Put(weak)
		for range 3 {
			if _, err := l.poll(); !errors.Is(err, ErrCollision) {
				l.Errorf("got %v, want a collision", err)
			}
		}
		l.chip.Take(strong)
		l.wantSoon(weak) // and now it sleeps
		l.chip.Put(strong)
		for range 3 {
			if _, err := l.poll(); !errors.Is(err, ErrCollision) {
				l.Errorf("weak before strong: got %v, want a collision", err)
			}
		}
	})
}

func TestASecondCardShowsInPresent(t *testing.T) {
	inLab(t, func(l lab) {
		card := four()
		l.chip.Put(card)
		cards, _ := l.poll()
		l.chip.Put(seven())
		if _, err := l.dev.Present(l.Context(), cards[0]); !errors.Is(err, ErrCollision) {
			l.Errorf("got %v, want a collision", err)
		}
	})
}

func TestACopyThatDoesNotObeyHaltIsOneCard(t *testing.T) {
	inLab(t, func(l lab) {
		card := four()
		card.SetDeafToHalt()
		l.chip.Put(card)
		l.wantFound(card)
	})
}

// TestACardTornAwayAtAnyMoment takes the card away after each frame, and in each
// byte of each answer.
func TestACardTornAwayAtAnyMoment(t *testing.T) {
	for _, make := range []func() *devicestest.Card{four, seven, ten} {
		for frames := range 25 {
			inLab(t, func(l lab) {
				for bits := range 44 {
					card := make()
					l.chip.Put(card)
					l.chip.TakeAfter(card, frames+1, bits)
					cards, err := l.poll()
					if len(cards) == 1 && !bytes.Equal(cards[0].UID, card.UID()) {
						l.Errorf("frame %d, bit %d: found UID % X", frames, bits, cards[0].UID)
					}
					if err != nil && !errors.Is(err, ErrNoise) {
						l.Errorf("frame %d, bit %d: %v", frames, bits, err)
					}
					l.chip.Take(card)
					l.wantNone()
				}
			})
		}
	}
}

func TestACardTornAwayWhileItIsRead(t *testing.T) {
	classic := func() *devicestest.Card { return devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF}) }
	for frames := range 8 {
		inLab(t, func(l lab) {
			for bits := range 144 {
				for _, card := range []*devicestest.Card{classic(), seven()} {
					l.chip.Put(card)
					l.chip.TakeAfter(card, frames+1, bits)
					l.readTorn(card)
					l.chip.Take(card)
				}
			}
			card := four()
			l.chip.Put(card)
			l.wantFound(card)
		})
	}
}

// readTorn reads card, which is being taken away: the data or an error, and never
// other data.
func (l lab) readTorn(card *devicestest.Card) {
	l.Helper()
	var data [16]byte
	var err error
	if len(card.UID()) == 7 {
		if data, err = l.dev.ReadNTAG(l.Context(), 4); err == nil && data[0] != 4 {
			l.Errorf("read % X", data)
		}
	} else {
		data, err = l.dev.ReadClassic(l.Context(), Card{UID: card.UID(), ATQA: 0x0004, SAK: 0x08}, 0, transport())
		if err == nil && !bytes.Equal(data[:4], card.UID()) {
			l.Errorf("read % X", data)
		}
	}
	known := errors.Is(err, ErrNoise) || errors.Is(err, ErrGone) || errors.Is(err, ErrRefused)
	if err != nil && (!known || errors.Is(err, ErrHung)) {
		l.Errorf("read: %v", err)
	}
}

// A broken chip or card and what the driver says of it.
type illness struct {
	faults devicestest.MFRC522Faults
	card   func() *devicestest.Card // nil: four
	want   error                    // of every poll with a card on it
	empty  error                    // of every poll without one
	heals  bool                     // the driver cures it
}

func illnesses() map[string]illness {
	type faults = devicestest.MFRC522Faults
	wrongBCC := func() *devicestest.Card { c := four(); c.SetWrongBCC(); return c }
	wrongCRC := func() *devicestest.Card { c := four(); c.SetWrongCRC(); return c }
	return map[string]illness{
		"dead bus, zeros":       {faults: faults{Dead: true}, want: ErrHung, empty: ErrHung},
		"dead bus, ones":        {faults: faults{Dead: true, DeadByte: 0xFF}, want: ErrHung, empty: ErrHung},
		"stuck Rx":              {faults: faults{StuckIRQ: 0x20}, want: ErrHung, empty: ErrHung},
		"stuck Idle":            {faults: faults{StuckIRQ: 0x10}, want: ErrHung, empty: ErrHung},
		"stuck Rx and Idle":     {faults: faults{StuckIRQ: 0x30}, want: ErrHung, empty: ErrHung},
		"stuck Timer":           {faults: faults{StuckIRQ: 0x01}, want: ErrHung, empty: ErrHung},
		"all IRQs stuck":        {faults: faults{StuckIRQ: 0x7F}, want: ErrHung, empty: ErrHung},
		"no IRQ":                {faults: faults{NoIRQ: true}, want: ErrHung, empty: ErrHung},
		"garbage":               {faults: faults{Garbage: true}, want: ErrNoise},
		"phantom":               {faults: faults{Phantom: true}, want: ErrNoise, empty: ErrNoise},
		"noise":                 {faults: faults{Noise: 300}, want: ErrNoise},
		"protocol error":        {faults: faults{Errors: 0x01}, want: ErrNoise},
		"parity error":          {faults: faults{Errors: 0x02}, want: ErrNoise},
		"CRC error":             {faults: faults{Errors: 0x04}, want: ErrNoise},
		"collision error":       {faults: faults{Errors: 0x08}, want: ErrCollision},
		"buffer overflow":       {faults: faults{Errors: 0x10}, want: ErrNoise},
		"too hot":               {faults: faults{Errors: 0x40}, want: ErrHung},
		"write error":           {faults: faults{Errors: 0x80}, want: ErrHung},
		"wrong BCC":             {card: wrongBCC, want: ErrNoise},
		"wrong CRC":             {card: wrongCRC, want: ErrNoise},
		"hung":                  {faults: faults{Hung: true}, want: ErrHung, empty: ErrHung, heals: true},
		"hung softly":           {faults: faults{SoftHung: true}, want: ErrHung, empty: ErrHung, heals: true},
		"hung after 100 frames": {faults: faults{HangAfter: 100}, heals: true},
	}
}

func TestEveryIllnessIsSaidAndCured(t *testing.T) {
	for name, ill := range illnesses() {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				card := four()
				if ill.card != nil {
					card = ill.card()
				}
				l.wantNone()
				l.chip.SetFaults(ill.faults)
				if !ill.heals {
					l.suffer("empty", ill.empty)
				}
				l.chip.Put(card)
				if ill.heals {
					l.wantSoon(card)
					return
				}
				l.suffer("with a card", ill.want)
				l.chip.Take(card)
				l.chip.SetFaults(devicestest.MFRC522Faults{})
				l.chip.Put(seven())
				l.wantSoon(seven())
			})
		})
	}
}

// suffer polls for some time and wants no card and no error but want, and that at
// least in every second poll: a card that was woken in vain sleeps one over.
func (l lab) suffer(when string, want error) {
	l.Helper()
	said := 0
	for i := range 50 {
		cards, err := l.poll()
		if len(cards) != 0 || err != nil && !errors.Is(err, want) {
			l.Errorf("%s, poll %d: %d cards, %v, want %v", when, i, len(cards), err, want)
			return
		}
		if err != nil {
			said++
		}
		l.pass(50 * time.Millisecond)
	}
	if want != nil && said < 25 {
		l.Errorf("%s: %d polls of 50 said %v", when, said, want)
	}
}

func TestAHungChipIsBackAfterThreePolls(t *testing.T) {
	for _, hang := range []devicestest.MFRC522Faults{{Hung: true}, {SoftHung: true}} {
		inLab(t, func(l lab) {
			card := four()
			l.chip.Put(card)
			l.wantFound(card)
			l.chip.SetFaults(hang)
			for range hungLimit {
				if _, err := l.poll(); !errors.Is(err, ErrHung) || !strings.Contains(err.Error(), "register 04 reads") {
					l.Errorf("got %v, want the place and the register", err)
				}
			}
			l.wantFound(card)
			if l.dev.Resets() != 1 {
				l.Errorf("%d resets, want 1", l.dev.Resets())
			}
		})
	}
}

func TestAChipWithoutResetLineRecoversFromASoftHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d, err := New(chip.Bus(), nil, Opts{})
		if err != nil {
			t.Fatal(err)
		}
		chip.SetFaults(devicestest.MFRC522Faults{SoftHung: true})
		card := four()
		chip.Put(card)
		lab{t, chip, d}.wantSoon(card)
		chip.SetFaults(devicestest.MFRC522Faults{Hung: true})
		for range 2 * hungLimit {
			if _, err := d.Poll(t.Context()); !errors.Is(err, ErrHung) {
				t.Errorf("got %v, want ErrHung", err)
			}
		}
	})
}

func TestADipOfTheSupplyIsNoticed(t *testing.T) {
	inLab(t, func(l lab) {
		card := four()
		l.chip.Put(card)
		l.wantFound(card)
		l.chip.BrownOut()
		l.wantSoon(card)
	})
}

func TestASilentAntennaIsNoticedWithinASecond(t *testing.T) {
	inLab(t, func(l lab) {
		l.wantNone()
		l.dev.set(regTxControl, 0x80) // a glitch
		l.pass(lookEvery)
		l.wantNone()
		card := four()
		l.chip.Put(card)
		l.wantFound(card)
	})
}

func TestAnAntennaThatStaysOffIsAFault(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.SetFaults(devicestest.MFRC522Faults{NoAntenna: true})
		l.dev.restart(l.Context())
		l.pass(lookEvery)
		if _, err := l.poll(); !errors.Is(err, ErrHung) || !strings.Contains(err.Error(), "register 14 reads 80") {
			l.Errorf("got %v, want the antenna's register", err)
		}
	})
}

func TestABusThatIsGoneIsSaidAsItIs(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.SetFaults(devicestest.MFRC522Faults{Fail: fs.ErrClosed})
		if _, err := l.poll(); !errors.Is(err, fs.ErrClosed) {
			l.Errorf("got %v, want the bus driver's error", err)
		}
		if _, err := New(l.chip.Bus(), l.chip.ResetPin(), Opts{}); !errors.Is(err, fs.ErrClosed) {
			l.Errorf("got %v, want the bus driver's error", err)
		}
	})
}

func TestADoneContextEndsAnyWait(t *testing.T) {
	inLab(t, func(l lab) {
		card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		l.chip.Put(card)
		for limit := range 200 {
			ctx, cancel := context.WithTimeout(l.Context(), time.Duration(limit)*101*time.Microsecond)
			data, err := l.dev.ReadClassic(ctx, Card{UID: card.UID(), ATQA: 0x0004, SAK: 0x08}, 0, transport())
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrGone) || err == nil && !bytes.Equal(data[:4], card.UID()) {
				l.Errorf("after %d: % X, %v", limit, data, err)
			}
			if ctx.Err() != nil && err == nil {
				l.Errorf("after %d: no error", limit)
			}
			cancel()
		}
		l.wantSoon(card)
	})
}

func TestACancelledPollReturnsAtOnce(t *testing.T) {
	inLab(t, func(l lab) {
		ctx, cancel := context.WithCancel(l.Context())
		cancel()
		l.chip.SetFaults(devicestest.MFRC522Faults{NoIRQ: true})
		began := time.Now()
		if _, err := l.dev.Poll(ctx); !errors.Is(err, context.Canceled) || time.Since(began) > time.Millisecond {
			l.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestReadingAnNTAG(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.Put(seven())
		for _, page := range []byte{4, 20, 44} {
			data, err := l.dev.ReadNTAG(l.Context(), page)
			if err != nil || data[0] != page {
				l.Errorf("page %d: % X, %v", page, data, err)
			}
		}
		if _, err := l.dev.ReadNTAG(l.Context(), 45); !errors.Is(err, ErrRefused) {
			l.Errorf("behind the end: %v, want ErrRefused", err)
		}
		l.wantFound(seven())
	})
}

func TestReadingNobody(t *testing.T) {
	inLab(t, func(l lab) {
		if _, err := l.dev.ReadNTAG(l.Context(), 4); !errors.Is(err, ErrGone) {
			l.Errorf("got %v, want ErrGone", err)
		}
		gone := Card{UID: []byte{1, 2, 3, 4}, ATQA: 0x0004, SAK: 0x08}
		if _, err := l.dev.ReadClassic(l.Context(), gone, 4, transport()); !errors.Is(err, ErrGone) {
			l.Errorf("got %v, want ErrGone", err)
		}
		l.chip.Put(four())
		if _, err := l.dev.ReadClassic(l.Context(), gone, 4, transport()); !errors.Is(err, ErrGone) {
			l.Errorf("another card: %v, want ErrGone", err)
		}
	})
}

func TestAWrongKeyIsRefusedAndTheCardGoesOn(t *testing.T) {
	inLab(t, func(l lab) {
		card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		card.SetKeyA(4, [6]byte{1, 2, 3, 4, 5, 6})
		l.chip.Put(card)
		cards, err := l.poll()
		if err != nil || len(cards) != 1 {
			l.Fatal(cards, err)
		}
		for _, try := range []struct {
			block byte
			key   [6]byte
			want  error
		}{
			{0, transport(), nil},
			{4, transport(), ErrRefused},
			{4, [6]byte{1, 2, 3, 4, 5, 6}, nil},
			{64, transport(), ErrRefused},
			{63, transport(), nil},
		} {
			if _, err := l.dev.ReadClassic(l.Context(), cards[0], try.block, try.key); !errors.Is(err, try.want) {
				l.Errorf("block %d: %v, want %v", try.block, err, try.want)
			}
			l.wantFound(card)
		}
	})
}

func TestAnNTAGIsNoClassic(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.Put(seven())
		cards, _ := l.poll()
		if _, err := l.dev.ReadClassic(l.Context(), cards[0], 4, transport()); !errors.Is(err, ErrRefused) {
			l.Errorf("got %v, want ErrRefused", err)
		}
	})
}

func TestAClosedReaderIsQuiet(t *testing.T) {
	inLab(t, func(l lab) {
		for range 2 {
			if err := l.dev.Close(); err != nil {
				l.Error(err)
			}
		}
		if v, _ := l.dev.get(regTxControl); v != 0x80 {
			l.Errorf("TxControl reads %02X, want the antenna off", v)
		}
		if _, err := l.poll(); err == nil {
			l.Error("a closed reader polls")
		}
	})
}

func TestNobodyReadsAUIDInAMessage(t *testing.T) {
	card := Card{UID: []byte{0xDE, 0xAD, 0xBE, 0xEF}, ATQA: 0x0004, SAK: 0x08}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := strings.ToUpper(fmt.Sprintf(format, card) + fmt.Sprintf(format, []Card{card}))
		if strings.Contains(text, "DE") && strings.Contains(text, "AD BE") || strings.Contains(text, "222") || strings.Contains(text, "DEADBEEF") {
			t.Errorf("%s prints %q", format, text)
		}
	}
}

// TestInRealTime is the only one that lives in the clock of the machine; cards
// come and go from another goroutine.
func TestInRealTime(t *testing.T) {
	chip := devicestest.NewMFRC522()
	d, err := New(chip.Bus(), chip.ResetPin(), Opts{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	found, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			card := seven()
			chip.Put(card)
			<-found
			chip.Take(card)
		}
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		cards, err := d.Poll(t.Context())
		if err != nil && !errors.Is(err, ErrNoise) || time.Now().After(deadline) {
			t.Fatal(err)
		}
		if len(cards) == 1 {
			if !bytes.Equal(cards[0].UID, seven().UID()) {
				t.Errorf("found UID % X", cards[0].UID)
			}
			select {
			case found <- struct{}{}:
			case <-done:
				return
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
