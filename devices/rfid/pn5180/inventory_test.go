package pn5180

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"circdesk/devices/devicestest"
)

func TestTheVersionsOfTheChip(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		product, firmware, eeprom := p.Versions()
		if product != "3.5" || firmware != "4.0" || eeprom != "145.0" {
			t.Errorf("versions %q, %q, %q", product, firmware, eeprom)
		}
	})
}

func TestOneTagIsFound(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.wantTags()
		p.put(spec(1))
		p.wantTags(book(1))
		p.wantTags(book(1))
	})
}

func TestAStackOfTwelve(t *testing.T) {
	for name, number := range map[string]func(i uint64) UID{
		"in a row":                    func(i uint64) UID { return book(i) },
		"the same in the last digits": func(i uint64) UID { return book(i << 24) },
		"every second twice": func(i uint64) UID {
			return book(i/2*0x01010101 | i%2<<31)
		},
		"different makers": func(i uint64) UID {
			uid := book(7)
			uid[1] = byte(i)
			return uid
		},
	} {
		t.Run(name, func(t *testing.T) {
			onPad(t, func(t *testing.T, p *pad) {
				var want []UID
				for i := range uint64(12) {
					uid := number(i)
					want = append(want, uid)
					p.put(devicestest.TagSpec{UID: uid, EOFWrites: uid[1] == makerTI})
				}
				p.wantTags(want...)
				p.wantTags(want...)
			})
		})
	}
}

func TestATagThatDrownsOthersHidesNone(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		var want []UID
		for i := range uint64(6) {
			is := spec(i)
			is.Strength = int(2 * i)
			p.put(is)
			want = append(want, book(i))
		}
		p.wantTags(want...)
	})
}

func TestTagsThatComeAndGoAreTold(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		tags := p.put(spec(1), spec(2), spec(3))
		p.wantTags(book(1), book(2), book(3))
		p.chip.Take(tags[1])
		p.wantTags(book(1), book(3))
		p.put(spec(4))
		p.wantTags(book(1), book(3), book(4))
		p.chip.Put(tags[1])
		p.chip.Take(tags[0])
		p.chip.Take(tags[2])
		p.wantTags(book(2), book(4))
	})
}

func TestADamagedAnswerIsAskedForAgain(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		for n := range 12 {
			p.chip.SpoilAnswers(n)
			p.wantTags(book(1), book(2))
			p.chip.Calm()
		}
	})
}

func TestWhatCannotBeReadIsNotNothing(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1))
		p.chip.SpoilAnswers(1_000_000)
		got, err := p.Inventory(t.Context())
		wantError(t, err, ErrCRC)
		if len(got) != 0 {
			t.Errorf("read %v all the same", got)
		}
		p.chip.Calm()
		p.wantTags(book(1))
	})
}

// wasReset tells whether the chip's versions were read since the last call.
func (p *pad) wasReset() bool { return strings.Contains(p.script(), "07 10 06") }

func TestAStackOnAChipThatComplainsOfCollisions(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.wasReset()
		p.chip.SetComplaining(true)
		var want []UID
		for i := range uint64(12) {
			p.put(spec(i << 24))
			want = append(want, book(i<<24))
		}
		p.wantTags(want...)
		p.chip.SpoilAnswers(5)
		p.wantTags(want...)
		if p.wasReset() {
			t.Error("the chip was reset")
		}
	})
}

func TestAReceptionThatFailsIsADamagedAnswer(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.wasReset()
		tags := p.put(spec(1), spec(2))
		for n := range 40 {
			p.chip.FaultAnswers(n % 8)
			p.wantTags(book(1), book(2))
			p.chip.FaultAnswers(1)
			if got, err := p.ReadBlocks(t.Context(), book(1), 0, 9, 4); err != nil || !bytes.Equal(got, make([]byte, 36)) {
				t.Errorf("read % X, %v", got, err)
			}
			p.chip.FaultAnswers(1)
			afi := byte(n)
			if err := p.WriteAFI(t.Context(), book(1), afi); err != nil || tags[0].Look().AFI != afi {
				t.Errorf("wrote AFI %02X: %v, %+v", afi, err, tags[0].Look())
			}
			p.chip.FaultAnswers(1)
			_, err := p.SystemInfo(t.Context(), book(1))
			wantError(t, err, ErrCRC)
		}
		p.chip.Take(tags[1])
		p.chip.FaultAnswers(1_000_000)
		_, err := p.Inventory(t.Context())
		wantError(t, err, ErrCRC)
		p.chip.Calm()
		p.wantTags(book(1))
		if p.wasReset() {
			t.Error("the chip was reset")
		}
	})
}

func TestAWrongCommandIsTheChipsError(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		if err := p.listen(tags); err != nil {
			t.Error(err)
		}
		p.tell(0x99)
		_, err := p.await(t.Context(), irqRx, time.Millisecond)
		wantError(t, err, ErrChip)
		if !strings.Contains(err.Error(), "a syntax error") {
			t.Error(err)
		}
	})
}

func TestAFalsifiedNumberIsNotBelieved(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1))
		for range 300 {
			p.chip.Garble(1)
			got, _ := p.Inventory(t.Context())
			for _, uid := range got {
				if uid != book(1) {
					t.Errorf("found %v", uid)
				}
			}
			p.chip.Calm()
		}
		p.wantTags(book(1))
	})
}

func TestAQuietTagIsBackAtTheNextInventory(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		p.put(spec(1), spec(2))
		if err := p.StayQuiet(t.Context(), book(1)); err != nil {
			t.Error(err)
		}
		if info, err := p.SystemInfo(t.Context(), book(1)); err != nil || info.AFI != 0x07 {
			t.Errorf("a quiet tag says %+v, %v", info, err)
		}
		p.wantTags(book(1), book(2))
		if err := p.Select(t.Context(), book(2)); err != nil {
			t.Error(err)
		}
		p.wantTags(book(1), book(2))
	})
}
