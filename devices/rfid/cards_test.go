package rfid_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
	"circdesk/devices/rfid"
)

// card waits for the next card event and checks its number; nil is none.
func (d *desk) card(uid []byte) rfid.Carded {
	d.t.Helper()
	got, ok := d.next().(rfid.Carded)
	if !ok || !slices.Equal(got.UID, uid) || got.Device == "" || got.At.IsZero() {
		d.t.Errorf("got %v, want a card of %d bytes", got, len(uid))
	}
	return got
}

func TestACardIsToldOnceUntilItHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d := start(t, cardReader(chip))
		one := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		two := devicestest.NewCard([]byte{4, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}, 0x44, 0)
		three := devicestest.NewCard([]byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0x84, 0x20)
		for _, c := range []*devicestest.Card{one, two, three} {
			chip.Put(c)
			d.card(c.UID())
			d.wantNone(10)
			chip.Take(c)
			d.wantNone(10)
		}
		if s := d.now(); s.Reads != 3 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAnUnsteadyHandIsOneCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d := start(t, cardReader(chip))
		card := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		chip.Put(card)
		d.card(card.UID())
		chip.Take(card)
		d.wantNone(20) // long enough to have left
		chip.Put(card)
		d.until("known again", func(s devices.Status) bool { return s.Repeats == 1 })
		d.wantNone(10)
		chip.Take(card)
		d.wantNone(150) // and now it is somebody who comes again
		chip.Put(card)
		d.card(card.UID())
	})
}

func TestTwoCardsAreToldAsSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d := start(t, cardReader(chip))
		one := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		two := devicestest.NewCard([]byte{0xDE, 0x2D, 0xBE, 0xEF}, 4, 8)
		chip.Put(one)
		d.card(one.UID())
		chip.Put(two)
		if got := d.card(nil); !got.Several {
			t.Errorf("%v", got)
		}
		d.wantNone(10)
		chip.Take(two) // the first has been told and did not leave
		d.wantNone(10)
		chip.Put(two)
		if got := d.card(nil); !got.Several {
			t.Errorf("%v", got)
		}
		chip.Take(one)
		d.card(two.UID())
	})
}

func TestAPhoneIsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		d := start(t, cardReader(chip))
		phone := devicestest.NewRandomCard(1)
		chip.Put(phone)
		if got := d.card(nil); !got.Random {
			t.Errorf("%v", got)
		}
		d.wantNone(20) // each activation draws another number
	})
}

func TestACardIsReadOnAPadToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		c := bookPad(chip, "none")
		c.Use = "both"
		d := start(t, c)
		card, tag := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8), book(t, 1, "30123000012345", 1, 1)
		chip.PutCard(card)
		d.card(card.UID())
		chip.Put(tag)
		d.set("30123000012345 1/1")
		chip.TakeCard(card)
		chip.Take(tag)
		d.set()
		two := devicestest.NewCard([]byte{0xDE, 0x2D, 0xBE, 0xEF}, 4, 8)
		chip.PutCard(card)
		chip.PutCard(two)
		if got := d.card(nil); !got.Several {
			t.Errorf("%v", got)
		}
	})
}

func TestTheMemoryOfACard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		c := cardReader(chip)
		c.Read, c.Key = "classic:8", "A0A1A2A3A4A5"
		d := start(t, c)
		classic := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF})
		classic.SetBlock(8, []byte("2012300000456700"))
		classic.SetKeyA(8, [6]byte{0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5})
		chip.Put(classic)
		if got := d.card(classic.UID()); string(got.Stored) != "2012300000456700" {
			t.Errorf("stored %q", got.Stored)
		}
		chip.Take(classic)
		d.wantNone(10)
		foreign := devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEE}) // has another key
		chip.Put(foreign)
		if got := d.card(foreign.UID()); got.Stored != nil {
			t.Errorf("stored %q", got.Stored)
		}
	})
}

func TestAHungChipRecovers(t *testing.T) {
	card := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
	for name, fault := range map[string]devicestest.MFRC522Faults{
		"until the reset line moves": {Hung: true},
		"until a soft reset":         {SoftHung: true},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			chip := devicestest.NewMFRC522()
			d := start(t, cardReader(chip))
			d.until("ready", ready)
			chip.SetFaults(fault)
			d.until("seen to fail", func(s devices.Status) bool { return s.Drops > 0 })
			chip.Put(card)
			d.card(card.UID())
			if s := d.now(); s.Opens != 1 {
				t.Errorf("the driver's own reset was not waited for: %+v", s)
			}
		}))
	}
}

func TestADeadBusIsToldAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		chip := devicestest.NewMFRC522()
		c := cardReader(chip)
		c.Poll = 0
		d := start(t, c)
		chip.Put(card)
		d.card(card.UID())
		began := time.Now()
		chip.SetFaults(devicestest.MFRC522Faults{Dead: true, DeadByte: 0xFF})
		d.until("failed", func(s devices.Status) bool { return s.State == devices.Failed })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("told after %v", took)
		}
		chip.SetFaults(devicestest.MFRC522Faults{})
		d.until("ready", ready)
		d.wantNone(20) // the card lay there all the time
	})
}

func TestNoiseIsNobodysCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewMFRC522()
		chip.SetFaults(devicestest.MFRC522Faults{Phantom: true})
		d := start(t, cardReader(chip))
		d.wantNone(50)
		chip.SetFaults(devicestest.MFRC522Faults{Noise: 2})
		card := devicestest.NewCard([]byte{0xDE, 0xAD, 0xBE, 0xEF}, 4, 8)
		chip.Put(card)
		d.card(card.UID())
	})
}

func TestACardsNumberIsNotPrinted(t *testing.T) {
	card := rfid.Carded{Device: "cards", UID: []byte{0xDE, 0xAD, 0xBE, 0xEF}, Stored: []byte("20123")}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		s := strings.ToLower(fmt.Sprintf(format, card))
		for _, secret := range []string{"dead", "222", "de ad", "20123"} {
			if strings.Contains(s, secret) {
				t.Errorf("%s: %s", format, s)
			}
		}
	}
}
