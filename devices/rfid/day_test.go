package rfid_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
	"circdesk/devices/rfid"
)

// A day at the pad: books come and go, also in the middle of things, and the chip
// has every fault that it can have. Whatever happens, no tag is called secured
// that is not, no item is told that was never there, and once it is quiet the pad
// tells exactly what lies on it.
func TestADayFullOfFaults(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), inBubble(func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 5180))
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "both"))
			shelf := make([]*devicestest.Tag, 6)
			for i := range shelf {
				shelf[i] = book(t, byte(rng.Uint32())&0x78|byte(i), item(i), 1, 1)
			}
			for range 40 {
				shuffle(chip, shelf, rng)
				trouble(chip, rng)
				securing(d, chip, shelf, rng)
			}
			chip.OnFrame(nil)
			chip.Calm()
			<-time.After(long)
			// One more book has the pad tell all of them.
			shelf = append(shelf, book(t, 0xFF, item(len(shelf)), 1, 1))
			chip.Put(shelf[len(shelf)-1])
			d.settles(chip, shelf)
		}))
	}
}

// shuffle lays a book or takes one away, sometimes in a few frames' time.
func shuffle(chip *devicestest.PN5180, shelf []*devicestest.Tag, rng *rand.Rand) {
	tag := shelf[rng.IntN(len(shelf))]
	frames, act := rng.IntN(300), chip.Put
	if rng.IntN(2) == 0 {
		act = chip.Take
	}
	if rng.IntN(2) == 0 {
		act(tag)
		return
	}
	chip.OnFrame(func() {
		if frames--; frames == 0 {
			act(tag)
		}
	})
}

// trouble gives the chip a fault, or none.
func trouble(chip *devicestest.PN5180, rng *rand.Rand) {
	n := rng.IntN(40)
	switch rng.IntN(8) {
	case 0:
		chip.Freeze(n)
	case 1:
		chip.Garble(n % 4)
	case 2:
		chip.LoseAnswers(n % 10)
	case 3:
		chip.SpoilAnswers(n % 10)
	case 4:
		chip.LoseRequests(n % 10)
	case 5:
		chip.Kill(byte(-rng.IntN(2)))
		defer chip.Revive()
	}
}

// securing has some books secured and holds the reader to its word.
func securing(d *desk, chip *devicestest.PN5180, shelf []*devicestest.Tag, rng *rand.Rand) {
	d.t.Helper()
	var names []string
	var tags []*devicestest.Tag
	for _, tag := range shelf {
		if rng.IntN(2) == 0 {
			tags, names = append(tags, tag), append(names, name(tag))
		}
	}
	on := rng.IntN(2) == 0
	failed := d.reader.Secure(d.t.Context(), names, on)
	want := map[bool]string{true: "07 true", false: "C2 false"}[on]
	for i, tag := range tags {
		if !slices.Contains(failed, names[i]) && security(tag) != want {
			d.t.Errorf("%s is called %s, but is %s", names[i], want, security(tag))
		}
	}
}

// settles waits until the pad has told what really lies there.
func (d *desk) settles(chip *devicestest.PN5180, shelf []*devicestest.Tag) {
	d.t.Helper()
	var want []string
	for _, tag := range chip.Tags() {
		is := tag.Look()
		i := slices.Index(shelf, tag)
		want = append(want, fmt.Sprintf("%s %t %t ", item(i), is.EAS, (is.AFI == 0x07) == is.EAS))
	}
	slices.Sort(want)
	var last []string
	for quiet := time.After(long); ; {
		select {
		case e := <-d.events:
			last = nil
			for _, tag := range e.(rfid.Laid).Tags {
				last = append(last, fmt.Sprintf("%s %t %t %s", tag.Item, tag.Secured, tag.Known, tag.Err))
			}
			slices.Sort(last)
		case <-quiet:
			if !sameSet(want, last) {
				d.t.Errorf("the pad tells\n%q, but there lies\n%q; %+v", last, want, d.now())
			}
			return
		}
	}
}

// sameSet compares the sets by what must be true: the items, and the state where
// it is said to be known.
func sameSet(want, got []string) bool {
	return slices.EqualFunc(want, got, func(w, g string) bool {
		var item, told string
		var eas, known, secured, sure bool
		if _, err := fmt.Sscan(w, &item, &eas, &known); err != nil {
			return false
		}
		if _, err := fmt.Sscan(g, &told, &secured, &sure); err != nil {
			return false
		}
		return item == told && (!sure || known && secured == eas)
	})
}

// A day at the card reader: cards come and go, also in the middle of being read,
// and the chip hangs and hears noise. No card is told that was never there.
func TestADayAtTheCardReader(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), inBubble(func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 522))
			chip := devicestest.NewMFRC522()
			d := start(t, cardReader(chip))
			cards := []*devicestest.Card{
				devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8),
				devicestest.NewCard([]byte{4, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}, 0x44, 0),
				devicestest.NewCard([]byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0x84, 0x20),
			}
			for range 60 {
				card := cards[rng.IntN(len(cards))]
				chip.Put(card)
				faults := devicestest.MFRC522Faults{}
				switch rng.IntN(6) {
				case 0:
					faults.Noise = rng.IntN(20)
				case 1:
					faults.Hung = true
				case 2:
					faults.Garbage = true
				case 3:
					chip.TakeAfter(card, rng.IntN(12), rng.IntN(40))
				case 4:
					chip.BrownOut()
				}
				chip.SetFaults(faults)
				d.passes(time.Duration(rng.IntN(300))*time.Millisecond, cards)
				chip.SetFaults(devicestest.MFRC522Faults{})
				chip.Take(card)
				d.passes(time.Duration(rng.IntN(100))*time.Millisecond, cards)
			}
			d.passes(3*time.Second, cards)
			chip.Put(cards[0])
			d.card(cards[0].UID())
		}))
	}
}

// passes lets time pass and checks what comes.
func (d *desk) passes(span time.Duration, cards []*devicestest.Card) {
	d.t.Helper()
	for over := time.After(span); ; {
		select {
		case e := <-d.events:
			got := e.(rfid.Carded)
			there := slices.ContainsFunc(cards, func(c *devicestest.Card) bool { return slices.Equal(c.UID(), got.UID) })
			if !there && !got.Several {
				d.t.Errorf("a card that nobody has: % X, random %t", got.UID, got.Random)
			}
		case <-over:
			return
		}
	}
}

// The same at once for both, each with its own settings, in real time of no
// length: neither waits for the other.
func TestAHungReaderHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mf, pn := devicestest.NewMFRC522(), devicestest.NewPN5180()
		cards, pad := start(t, cardReader(mf)), start(t, bookPad(pn, "afi"))
		cards.until("ready", ready)
		pn.Kill(0x00)
		pad.until("failed", func(s devices.Status) bool { return s.State == devices.Failed })
		card := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		laid := time.Now()
		mf.Put(card)
		cards.card(card.UID())
		if took := time.Since(laid); took > 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}
