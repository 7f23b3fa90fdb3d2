package pn5180

import (
	"bytes"
	"testing"

	"circdesk/devices/devicestest"
)

// wantEAS checks what the gate and the tag say.
func (p *pad) wantEAS(uid UID, alarm, tag bool) {
	p.t.Helper()
	if got, err := p.EASAlarm(p.t.Context()); got != alarm || err != nil {
		p.t.Errorf("the alarm sounds: %v, %v; want %v", got, err, alarm)
	}
	if got, err := p.EAS(p.t.Context(), uid); got != tag || err != nil {
		p.t.Errorf("EAS of %v: %v, %v; want %v", uid, got, err, tag)
	}
}

func TestEASIsSetAndReset(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		p.wantEAS(book(1), false, false)
		for _, uid := range []UID{book(1), book(2)} {
			if err := p.SetEAS(t.Context(), uid, true); err != nil {
				t.Error(err)
			}
		}
		p.wantEAS(book(1), true, true) // both say the same at once
		if err := p.SetEAS(t.Context(), book(1), false); err != nil {
			t.Error(err)
		}
		p.wantTags(book(1), book(2)) // which leaves them quiet
		p.wantEAS(book(1), true, false)
		if err := p.SetEAS(t.Context(), book(2), false); err != nil {
			t.Error(err)
		}
		p.wantEAS(book(2), false, false)
	})
}

func TestAnEASBitThatIsNotThereIsNeverReported(t *testing.T) {
	for name, c := range map[string]struct {
		is   devicestest.TagSpec
		kind error
	}{
		"password-protected": {devicestest.TagSpec{EASProtected: true}, TagError(0x0F)},
		"not programmed":     {devicestest.TagSpec{FailWrites: true}, TagError(0x0F)},
		"worn out":           {devicestest.TagSpec{Worn: true}, ErrNotWritten},
	} {
		t.Run(name, func(t *testing.T) {
			for _, on := range []bool{true, false} {
				onPad(t, func(t *testing.T, p *pad) {
					c.is.UID, c.is.EAS = book(1), !on
					tags := p.put(c.is)
					wantError(t, p.SetEAS(t.Context(), book(1), on), c.kind)
					if tags[0].Look().EAS == on {
						t.Error("it has changed")
					}
				})
			}
		})
	}
}

func TestSilenceIsNotARelease(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.EAS = true
		tag := p.put(is)[0]
		p.wantEAS(book(1), true, true)
		p.chip.LoseRequests(1)
		wantError(t, p.SetEAS(t.Context(), book(1), false), ErrNoTag)
		p.chip.Take(tag)
		wantError(t, p.SetEAS(t.Context(), book(1), false), ErrNoTag)
		_, err := p.EAS(t.Context(), book(1))
		wantError(t, err, ErrNoTag)
	})
}

func TestATagWithoutEAS(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		uid := UID{0xE0, 0x16, 0, 0, 0, 0, 0, 1}
		p.put(devicestest.TagSpec{UID: uid})
		if err := p.SetEAS(t.Context(), uid, true); err == nil {
			t.Error("another maker's tag takes an EAS bit")
		}
	})
}

func TestThePasswordOpensTheAFI(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.AFIProtected, is.EASProtected = true, true
		is.Passwords = map[byte]uint32{PasswordEAS: 0x12345678}
		tags := p.put(is)
		p.wantTags(book(1))
		if err := p.SetPassword(t.Context(), book(1), PasswordEAS, 0x12345678); err != nil {
			t.Fatal(err)
		}
		if err := p.WriteAFI(t.Context(), book(1), 0xC2); err != nil {
			t.Error(err)
		}
		if err := p.SetEAS(t.Context(), book(1), true); err != nil {
			t.Error(err)
		}
		if is := tags[0].Look(); is.AFI != 0xC2 || !is.EAS {
			t.Errorf("the tag has AFI %02X, EAS %v", is.AFI, is.EAS)
		}
		p.wantTags(book(1)) // which takes the field away for a moment
		wantError(t, p.WriteAFI(t.Context(), book(1), 0x07), TagError(0x0F))
	})
}

func TestAWrongPasswordMutesNoTagForLong(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.Passwords = map[byte]uint32{PasswordEAS: 1}
		p.put(is)
		wantError(t, p.SetPassword(t.Context(), book(1), PasswordEAS, 2), ErrPassword)
		p.wantTags(book(1))
		if err := p.SetPassword(t.Context(), book(1), PasswordEAS, 1); err != nil {
			t.Error(err)
		}
	})
}

func TestThePasswordIsMaskedOnBothHalves(t *testing.T) {
	if got := masked(0x12345678, 0xABCD); !bytes.Equal(got, []byte{0xB5, 0xFD, 0xF9, 0xB9}) {
		t.Errorf("masked: % X", got)
	}
}
