package mfrc522

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// What is wrong with other drivers (facts: hardware 1.8), each of which must not
// be wrong here, and what is known of the chips and cards (1.9).

func TestNoIRQPinIsNeededAndNoResetPin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d, err := New(chip.Bus(), nil, Opts{})
		if err != nil {
			t.Fatal(err)
		}
		card := four()
		chip.Put(card)
		lab{t, chip, d}.wantFound(card)
	})
}

func TestPollingDoesNotResetTheChip(t *testing.T) {
	inLab(t, func(l lab) {
		before := l.chip.Counts().Resets
		for range 100 {
			l.wantNone()
		}
		card := four()
		l.chip.Put(card)
		for range 100 {
			l.wantFound(card)
		}
		if n := l.chip.Counts().Resets - before; n != 0 {
			l.Errorf("%d resets", n)
		}
	})
}

func TestAFailedStartLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	synctest.Test(t, func(t *testing.T) { // which waits for what was started in it
		chip := devicestest.NewMFRC522()
		for _, dead := range []byte{0x00, 0xFF} {
			chip.SetFaults(devicestest.MFRC522Faults{Dead: true, DeadByte: dead})
			began := time.Now()
			if _, err := New(chip.Bus(), chip.ResetPin(), Opts{}); !errors.Is(err, ErrHung) {
				t.Errorf("got %v, want ErrHung", err)
			}
			if took := time.Since(began); took > longest {
				t.Errorf("took %v", took)
			}
		}
	})
	nothingLeft(t, before)
}

// nothingLeft waits until no more goroutines run than before: the runtime's own come and go.
func nothingLeft(t *testing.T, before int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, before %d", runtime.NumGoroutine(), before)
		case <-again.C:
		}
	}
}

func TestALongUIDIsSelectedAtEveryLevelAndCanBeRead(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.Put(seven())
		data, err := l.dev.ReadNTAG(l.Context(), 4)
		if want := []byte{4, 1, 2, 3, 5, 1, 2, 3, 6, 1, 2, 3, 7, 1, 2, 3}; err != nil || !bytes.Equal(data[:], want) {
			l.Errorf("got % X, %v", data, err)
		}
	})
}

func TestALongUIDAuthenticatesWithItsLastFourBytes(t *testing.T) {
	inLab(t, func(l lab) {
		card := devicestest.NewClassic1K([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80})
		l.chip.Put(card)
		cards, err := l.poll()
		if err != nil || len(cards) != 1 {
			l.Fatal(cards, err)
		}
		data, err := l.dev.ReadClassic(l.Context(), cards[0], 0, transport())
		if err != nil || !bytes.Equal(data[:7], card.UID()) {
			l.Errorf("got % X, %v", data, err)
		}
	})
}

func TestACardThatWasToldToBeQuietIsFoundAgain(t *testing.T) {
	inLab(t, func(l lab) {
		card := four()
		l.chip.Put(card)
		cards, err := l.poll()
		if err != nil || len(cards) != 1 {
			l.Fatal(cards, err)
		}
		if _, err := l.dev.sight(l.Context(), reqa); !errors.Is(err, errSilent) {
			l.Errorf("REQA: %v, want silence", err)
		}
		for range 100 {
			if here, err := l.dev.Present(l.Context(), cards[0]); !here || err != nil {
				l.Errorf("got %t, %v", here, err)
			}
		}
		l.chip.Take(card)
		if here, err := l.dev.Present(l.Context(), cards[0]); here || err != nil {
			l.Errorf("taken away: %t, %v", here, err)
		}
		l.chip.Put(seven())
		if here, err := l.dev.Present(l.Context(), cards[0]); here || err != nil {
			l.Errorf("exchanged: %t, %v", here, err)
		}
	})
}

func TestEveryBitOfTheErrorRegisterIsAnError(t *testing.T) {
	for _, bit := range []int{0, 1, 2, 3, 4, 6, 7} { // 5 has no meaning
		inLab(t, func(l lab) {
			l.chip.Put(seven())
			l.chip.SetFaults(devicestest.MFRC522Faults{Errors: 1 << bit})
			if cards, err := l.poll(); err == nil || len(cards) != 0 {
				l.Errorf("bit %d: found %d cards", bit, len(cards))
			}
			if _, err := l.dev.ReadNTAG(l.Context(), 4); err == nil {
				l.Errorf("bit %d: read", bit)
			}
		})
	}
}

func TestBlocksAreCountedAsOnTheCard(t *testing.T) {
	inLab(t, func(l lab) {
		card := devicestest.NewClassic4K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		for _, block := range []int{1, 62, 126, 128, 142, 254} {
			card.SetBlock(block, bytes.Repeat([]byte{byte(block)}, 16))
		}
		l.chip.Put(card)
		cards, err := l.poll()
		if err != nil || len(cards) != 1 {
			l.Fatal(cards, err)
		}
		for _, block := range []byte{1, 62, 126, 128, 142, 254} {
			data, err := l.dev.ReadClassic(l.Context(), cards[0], block, transport())
			if err != nil || data[0] != block || data[15] != block {
				l.Errorf("block %d: % X, %v", block, data, err)
			}
		}
		for _, trailer := range []byte{3, 143, 255} {
			data, err := l.dev.ReadClassic(l.Context(), cards[0], trailer, transport())
			if err != nil || !bytes.Equal(data[6:10], []byte{0xFF, 0x07, 0x80, 0x69}) {
				l.Errorf("trailer %d: % X, %v", trailer, data, err)
			}
		}
	})
}

// A watchedPin tells how long it was low.
type watchedPin struct {
	gpio.PinOut
	fell time.Time
	low  time.Duration
}

func (p *watchedPin) Out(l gpio.Level) error {
	if l == gpio.Low {
		p.fell = time.Now()
	} else if !p.fell.IsZero() {
		p.low = time.Since(p.fell)
	}
	return p.PinOut.Out(l)
}

func TestTheResetLineIsPulsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		chip.SetFaults(devicestest.MFRC522Faults{Hung: true})
		pin := &watchedPin{PinOut: chip.ResetPin()}
		if _, err := New(chip.Bus(), pin, Opts{}); err != nil {
			t.Error(err)
		}
		if pin.low < 100*time.Nanosecond {
			t.Errorf("low for %v", pin.low)
		}
	})
}

func TestTheSpeedIsTheCallers(t *testing.T) {
	for _, speed := range []physic.Frequency{100 * physic.KiloHertz, physic.MegaHertz, 10 * physic.MegaHertz} {
		synctest.Test(t, func(t *testing.T) {
			chip := devicestest.NewMFRC522()
			conn, err := chip.Connect(speed, spi.Mode0, 8)
			if err != nil {
				t.Fatal(err)
			}
			d, err := New(conn, chip.ResetPin(), Opts{})
			if err != nil {
				t.Fatal(err)
			}
			card, l := seven(), lab{t, chip, d}
			l.wantNone()
			chip.Put(card)
			l.wantFound(card)
		})
	}
}

// A clipper is a bus that is too fast for its wires: it loses the last byte of an
// answer of five.
type clipper struct{ Bus }

func (b *clipper) Tx(w, r []byte) error {
	err := b.Bus.Tx(w, r)
	if w[0] == 0x80|regFIFOLevel<<1 && r[1] == 5 {
		r[1] = 4
	}
	return err
}

func TestAClippedUIDIsNoUID(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.Put(four())
		l.dev.bus = &clipper{l.dev.bus}
		if cards, err := l.poll(); !errors.Is(err, ErrNoise) || len(cards) != 0 {
			l.Errorf("%d cards, %v, want ErrNoise", len(cards), err)
		}
	})
}

func TestTheGainIsSaneAndTheCallers(t *testing.T) {
	for gain, want := range map[int]byte{0: 0x58, 18: 0x28, 23: 0x38, 33: 0x48, 38: 0x58, 43: 0x68, 48: 0x78} {
		synctest.Test(t, func(t *testing.T) {
			d, err := New(devicestest.NewMFRC522().Bus(), nil, Opts{Gain: gain})
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := d.get(regRFCfg); v != want {
				t.Errorf("%d dB: %02X, want %02X", gain, v, want)
			}
		})
	}
	if _, err := New(devicestest.NewMFRC522().Bus(), nil, Opts{Gain: 40}); err == nil || !strings.Contains(err.Error(), `"40"`) {
		t.Errorf("40 dB: %v", err)
	}
}

// An idleBus is a chip whose timer has always just ended.
type idleBus struct{ began time.Time }

func (b *idleBus) Tx(w, r []byte) error {
	clear(r)
	switch w[0] {
	case 0x1A:
		b.began = time.Now()
	case 0x88:
		if time.Since(b.began) >= time.Millisecond {
			r[1] = 0x01
		}
	}
	return nil
}

func TestAnEmptyPollTakesAMillisecondAndNoMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		d := &Dev{bus: &idleBus{}, freshAt: now, lookedAt: now}
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := d.Poll(t.Context()); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations", allocs)
		}
		if each := time.Since(now) / 101; each > 1500*time.Microsecond {
			t.Errorf("took %v", each)
		}
	})
}

func TestAnyVersionByteIsUsed(t *testing.T) {
	for _, v := range []byte{0x91, 0x92, 0x88, 0x90, 0x12, 0x15, 0x80, 0x82, 0x89, 0x9A, 0xB2, 0x00, 0xFF} {
		synctest.Test(t, func(t *testing.T) {
			chip := devicestest.NewMFRC522()
			chip.SetVersion(v)
			d, err := New(chip.Bus(), chip.ResetPin(), Opts{})
			if v == 0x00 || v == 0xFF {
				if !errors.Is(err, ErrHung) {
					t.Errorf("version %02X: %v, want ErrHung", v, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, name := d.Version(); got != v || name == "" {
				t.Errorf("got %02X %q, want %02X", got, name, v)
			}
			known := v == 0x91 || v == 0x92
			if (d.Warning() == "") != known || !known && !strings.Contains(d.Warning(), fmt.Sprintf("%02X", v)) {
				t.Errorf("version %02X: warning %q", v, d.Warning())
			}
			card := four()
			chip.Put(card)
			lab{t, chip, d}.wantFound(card)
		})
	}
}

func TestAVersionThatDriftsIsUsed(t *testing.T) {
	inLab(t, func(l lab) {
		card := four()
		l.chip.Put(card)
		for v := 1; v < 0xFF; v += 7 {
			l.chip.SetVersion(byte(v))
			if err := l.dev.restart(l.Context()); err != nil {
				l.Errorf("version %02X: %v", v, err)
			}
			l.wantSoon(card)
		}
	})
}

func TestASelfTestIsOnlyADiagnostic(t *testing.T) {
	for name, c := range map[string]struct {
		version byte
		copied  bool
		want    error
	}{"genuine": {0x92, false, nil}, "says 92": {0x92, true, ErrSelfTest}, "unknown": {0xB2, false, ErrSelfTest}} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l lab) {
				l.chip.SetVersion(c.version)
				l.chip.SetFaults(devicestest.MFRC522Faults{Copy: c.copied})
				if err := l.dev.SelfTest(l.Context()); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
					l.Errorf("got %v, want %v", err, c.want)
				}
				card := four()
				l.chip.Put(card)
				l.wantSoon(card)
			})
		})
	}
}

func TestASelfTestOfAHungChipEnds(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.SetFaults(devicestest.MFRC522Faults{Dead: true})
		l.timed(func() {
			if err := l.dev.SelfTest(l.Context()); !errors.Is(err, ErrHung) {
				l.Errorf("got %v, want ErrHung", err)
			}
		})
	})
}

func TestGhostsAreNoCards(t *testing.T) {
	for _, uid := range [][]byte{{0, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF}, {0x88, 1, 2, 3}} {
		inLab(t, func(l lab) {
			l.chip.Put(devicestest.NewCard(uid, 0x0004, 0x08))
			if cards, err := l.poll(); !errors.Is(err, ErrNoise) || len(cards) != 0 {
				l.Errorf("% X: %d cards, %v, want ErrNoise", uid, len(cards), err)
			}
		})
	}
	inLab(t, func(l lab) {
		l.chip.SetFaults(devicestest.MFRC522Faults{Phantom: true})
		if cards, err := l.poll(); !errors.Is(err, ErrNoise) || len(cards) != 0 {
			l.Errorf("five zeros: %d cards, %v, want ErrNoise", len(cards), err)
		}
	})
}

func TestOneReadingIsNotEnough(t *testing.T) {
	inLab(t, func(l lab) {
		first, second := four(), devicestest.NewCard([]byte{1, 2, 3, 4}, 0x0004, 0x08)
		l.chip.Put(first)
		l.chip.TakeAfter(first, 4, 0) // after its HLTA
		bus := &hook{Bus: l.dev.bus, at: 4, do: func() { l.chip.Put(second) }}
		l.dev.bus = bus
		if cards, err := l.poll(); !errors.Is(err, ErrNoise) || len(cards) != 0 {
			l.Errorf("%d cards, %v, want ErrNoise", len(cards), err)
		}
		l.wantFound(second)
	})
}

// A hook does something when the host sends its nth frame into the air.
type hook struct {
	Bus
	at int
	do func()
}

func (h *hook) Tx(w, r []byte) error {
	if len(w) == 2 && w[0] == 0x1A && w[1]&0x80 != 0 {
		if h.at--; h.at == -1 {
			h.do()
		}
	}
	return h.Bus.Tx(w, r)
}

func TestTwoPhonesAreNotOneButOnePhoneIs(t *testing.T) {
	inLab(t, func(l lab) {
		phone := devicestest.NewRandomCard(1)
		l.chip.Put(phone)
		for range 50 {
			cards, err := l.poll()
			if err != nil || len(cards) != 1 || !cards[0].Random {
				l.Fatalf("%v, %v, want one random card", cards, err)
			}
			if here, err := l.dev.Present(l.Context(), cards[0]); !here || err != nil {
				l.Errorf("present: %t, %v", here, err)
			}
		}
		l.chip.Put(devicestest.NewRandomCard(2))
		for range 50 {
			if cards, err := l.poll(); err == nil || len(cards) != 0 {
				l.Errorf("%d cards of two phones", len(cards))
			}
		}
	})
}

func TestRandomUIDsAreMarked(t *testing.T) {
	for _, c := range []struct {
		uid    []byte
		sak    byte
		random bool
	}{
		{[]byte{0x08, 1, 2, 3}, 0x20, true},
		{[]byte{0x08, 1, 2, 3}, 0x08, true},
		{[]byte{0x80, 1, 2, 3}, 0x20, true},  // DESFire EV1
		{[]byte{0x80, 1, 2, 3}, 0x08, false}, // a Classic
		{[]byte{0x18, 1, 2, 3}, 0x08, false},
		{[]byte{0x08, 1, 2, 3, 4, 5, 6}, 0x20, false},
		{[]byte{0x80, 1, 2, 3, 4, 5, 6}, 0x20, false},
	} {
		inLab(t, func(l lab) {
			l.chip.Put(devicestest.NewCard(c.uid, 0x0344, c.sak))
			cards, err := l.poll()
			if err != nil || len(cards) != 1 {
				l.Fatal(cards, err)
			}
			wantCard(t, cards[0], Card{UID: c.uid, ATQA: 0x0344, SAK: c.sak, Random: c.random})
		})
	}
}

func TestFortyCardsAndStillAlive(t *testing.T) {
	inLab(t, func(l lab) {
		l.chip.SetFaults(devicestest.MFRC522Faults{HangAfter: 300})
		card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		for range 400 {
			l.chip.Put(card)
			l.wantSoon(card)
			l.dev.ReadClassic(l.Context(), Card{UID: card.UID(), ATQA: 0x0004, SAK: 0x08}, 0, transport())
			l.chip.Take(card)
			l.wantSoonNone()
		}
		if l.dev.Resets() == 0 {
			l.Error("the chip did not hang even once")
		}
	})
}

// wantSoonNone polls until the reader is empty, 5 s at most.
func (l lab) wantSoonNone() {
	l.Helper()
	for range 100 {
		if cards, err := l.poll(); len(cards) == 0 && err == nil {
			return
		}
		l.pass(50 * time.Millisecond)
	}
	l.Error("not empty within 5 s")
}

func TestEncryptionEndsAfterEveryRead(t *testing.T) {
	inLab(t, func(l lab) {
		card := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		for frames := range 12 { // the card is taken away at every step
			l.chip.Put(card)
			l.chip.TakeAfter(card, frames+1, 0)
			l.dev.ReadClassic(l.Context(), Card{UID: card.UID(), ATQA: 0x0004, SAK: 0x08}, 0, transport())
			if v, _ := l.dev.get(regStatus2); v&crypto1On != 0 {
				l.Errorf("taken after %d frames: Status2 reads %02X", frames+1, v)
			}
			l.chip.Take(card)
		}
	})
}

func TestAnIdleReaderIsMadeFreshEveryFewMinutes(t *testing.T) {
	inLab(t, func(l lab) {
		for range 70 * 10 {
			l.wantNone()
			l.pass(time.Second)
		}
		if n := l.dev.Resets(); n != 3 {
			l.Errorf("%d resets in 700 s, want 3", n)
		}
	})
}

func TestMiswiringIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		bus := &miswired{chip.Bus()}
		_, err := New(bus, nil, Opts{})
		if !errors.Is(err, ErrHung) || !strings.Contains(err.Error(), "set to 3D: register 11 reads 2D") {
			t.Errorf("got %v, want the register", err)
		}
	})
}

// A miswired bus loses one bit of what is written to Mode.
type miswired struct{ Bus }

func (b *miswired) Tx(w, r []byte) error {
	if w[0] == 0x22 {
		return b.Bus.Tx([]byte{0x22, w[1] &^ 0x10}, r)
	}
	return b.Bus.Tx(w, r)
}

// A lateBus belongs to a process that gets no turn for a while after it has given
// a command.
type lateBus struct {
	Bus
	by time.Duration
}

func (b *lateBus) Tx(w, r []byte) error {
	err := b.Bus.Tx(w, r)
	if len(w) == 2 && w[0] == 0x1A && w[1]&0x80 != 0 {
		<-time.After(b.by)
	}
	return err
}

func TestABusyMachineBlamesNobody(t *testing.T) {
	for _, by := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 100 * time.Millisecond} {
		inLab(t, func(l lab) {
			l.dev.bus = &lateBus{l.dev.bus, by}
			for range 5 {
				if cards, err := l.dev.Poll(l.Context()); err != nil || len(cards) != 0 {
					l.Errorf("late by %v: %d cards, %v", by, len(cards), err)
				}
			}
			l.chip.Put(four())
			if cards, err := l.dev.Poll(l.Context()); err != nil || len(cards) != 1 {
				l.Errorf("late by %v: %d cards, %v", by, len(cards), err)
			}
		})
	}
}
