package pn5180

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"circdesk/devices/devicestest"
)

// text fills a tag's memory.
func text(blocks int) []byte {
	var m []byte
	for i := range blocks {
		m = append(m, byte(i), 'A', 'B', byte(255-i))
	}
	return m
}

func TestWhatATagTellsOfItself(t *testing.T) {
	for _, c := range []struct {
		is   devicestest.TagSpec
		want Info
	}{
		{devicestest.TagSpec{AFI: 0x07, DSFID: 0x3E, IC: 1},
			Info{DSFID: 0x3E, AFI: 0x07, Blocks: 28, BlockSize: 4, IC: 1, HasAFI: true}},
		{devicestest.TagSpec{AFI: 0xC2, Blocks: 80}, Info{AFI: 0xC2, Blocks: 80, BlockSize: 4, HasAFI: true}},
		{devicestest.TagSpec{Blocks: 256, BlockSize: 32}, Info{Blocks: 256, BlockSize: 32, HasAFI: true}},
		{devicestest.TagSpec{AFI: 0x07, ShortInfo: true}, Info{}},
	} {
		onPad(t, func(t *testing.T, p *pad) {
			c.is.UID = book(1)
			p.put(c.is, spec(2))
			got, err := p.SystemInfo(t.Context(), book(1))
			if err != nil || got != c.want {
				t.Errorf("%+v says %+v, %v; want %+v", c.is, got, err, c.want)
			}
		})
	}
}

func TestEveryKindOfMemoryIsRead(t *testing.T) {
	for name, is := range map[string]devicestest.TagSpec{
		"28 blocks":         {},
		"8 blocks":          {Blocks: 8},
		"64 blocks":         {Blocks: 64},
		"80 blocks":         {Blocks: 80},
		"256 blocks":        {Blocks: 256},
		"no READ MULTIPLE":  {NoMultiple: true},
		"shortened answers": {MaxRead: 5},
		"one at once":       {MaxRead: 1},
		"another maker":     {UID: UID{0xE0, 0x16, 0, 0, 0, 0, 0, 1}, NoMultiple: true},
	} {
		t.Run(name, func(t *testing.T) {
			onPad(t, func(t *testing.T, p *pad) {
				if is.UID == (UID{}) {
					is.UID = book(1)
				}
				is.Memory = text(max(is.Blocks, 28))
				n := max(is.Blocks, 8)
				p.put(is)
				got, err := p.ReadBlocks(t.Context(), is.UID, 0, n, 4)
				if err != nil || !bytes.Equal(got, is.Memory[:4*n]) {
					t.Errorf("read % X, %v", got, err)
				}
			})
		})
	}
}

func TestReadingPastTheEndSaysWhere(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.Memory = text(28)
		p.put(is)
		got, err := p.ReadBlocks(t.Context(), book(1), 20, 20, 4)
		wantError(t, err, TagError(0x0F))
		if !bytes.Equal(got, is.Memory[80:]) {
			t.Errorf("read % X", got)
		}
	})
}

func TestNoLongAnswerIsAskedFor(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.Blocks, is.Memory = 256, text(256)
		p.put(is)
		for _, n := range []int{62, 63, 64, 66, 70, 71, 256} {
			p.chip.SpoilAnswers(1)
			got, err := p.ReadBlocks(t.Context(), book(1), 0, n, 4)
			if err != nil || !bytes.Equal(got, is.Memory[:4*n]) {
				t.Errorf("a damaged answer gets through: %v", err)
			}
			p.chip.Calm()
		}
	})
}

func TestATagWhoseBlocksStartAtOne(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		uid := UID{0xE0, 0x07, 0, 0, 0, 0, 0, 1}
		tags := p.put(devicestest.TagSpec{UID: uid, FirstBlock: 1, EOFWrites: true, Memory: text(28),
			WriteTime: 15 * time.Millisecond})
		p.wantTags(uid)
		_, err := p.ReadBlocks(t.Context(), uid, 0, 2, 4)
		wantError(t, err, TagError(0x10))
		if err := p.WriteBlock(t.Context(), uid, 1, []byte("1234")); err != nil {
			t.Error(err)
		}
		p.script()
		if err := p.WriteAFI(t.Context(), uid, 0xC2); err != nil {
			t.Error(err)
		}
		if strings.Contains(p.script(), "09 00 22 27") {
			t.Error("it was first asked in vain")
		}
		if is := tags[0].Look(); is.AFI != 0xC2 || string(is.Memory[:4]) != "1234" {
			t.Errorf("the tag has AFI %02X, % X", is.AFI, is.Memory[:4])
		}
		p.wantTags(uid) // the transmitter sends whole frames again
	})
}

func TestAnotherMakersTagThatWantsTheOption(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		uid := UID{0xE0, 0x16, 0, 0, 0, 0, 0, 1}
		tags := p.put(devicestest.TagSpec{UID: uid, EOFWrites: true})
		if err := p.WriteAFI(t.Context(), uid, 0xC2); err != nil || tags[0].Look().AFI != 0xC2 {
			t.Error(err)
		}
	})
}

func TestABlockReversedTagIsGivenBackAsItIs(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.Reversed, is.Memory = true, []byte("abcdefgh")
		p.put(is)
		if got, err := p.ReadBlocks(t.Context(), book(1), 0, 2, 4); string(got) != "dcbahgfe" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		if err := p.WriteBlock(t.Context(), book(1), 1, []byte("4321")); err != nil {
			t.Error(err)
		}
	})
}

func TestLockedBlocksAreTold(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		is := spec(1)
		is.Locked = map[int]bool{2: true}
		p.put(is)
		got, err := p.Locked(t.Context(), book(1), 0, 4)
		if err != nil || !slices.Equal(got, []bool{false, false, true, false}) {
			t.Errorf("locked: %v, %v", got, err)
		}
		wantError(t, p.WriteBlock(t.Context(), book(1), 2, []byte("1234")), TagError(0x0F))
	})
}

func TestAnAFIThatIsNotThereIsNeverReportedAsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		is   devicestest.TagSpec
		kind error
	}{
		"locked":             {devicestest.TagSpec{AFILocked: true}, TagError(0x0F)},
		"password-protected": {devicestest.TagSpec{AFIProtected: true}, TagError(0x0F)},
		"not programmed":     {devicestest.TagSpec{FailWrites: true}, TagError(0x0F)},
		"worn out":           {devicestest.TagSpec{Worn: true}, ErrNotWritten},
		"worn out and terse": {devicestest.TagSpec{Worn: true, ShortInfo: true}, ErrNotWritten},
	} {
		t.Run(name, func(t *testing.T) {
			onPad(t, func(t *testing.T, p *pad) {
				c.is.UID, c.is.AFI = book(1), 0x07
				tags := p.put(c.is)
				wantError(t, p.WriteAFI(t.Context(), book(1), 0xC2), c.kind)
				if tags[0].Look().AFI != 0x07 {
					t.Error("the AFI is another one")
				}
			})
		})
	}
}

func TestAnAFIIsCheckedAlsoWithATerseTag(t *testing.T) {
	for _, is := range []devicestest.TagSpec{{ShortInfo: true}, {NoInfo: true}} {
		onPad(t, func(t *testing.T, p *pad) {
			is.UID, is.AFI = book(1), 0x07
			tags := p.put(is, spec(2))
			p.wantTags(book(1), book(2)) // which leaves them quiet
			if err := p.WriteAFI(t.Context(), book(1), 0xC2); err != nil || tags[0].Look().AFI != 0xC2 {
				t.Error(err)
			}
		})
	}
}

func TestALostAnswerToAWriteIsLookedAfter(t *testing.T) {
	onPad(t, func(t *testing.T, p *pad) {
		tags := p.put(spec(1))
		p.wantTags(book(1))
		p.chip.LoseAnswers(1)
		if err := p.WriteAFI(t.Context(), book(1), 0xC2); err != nil || tags[0].Look().AFI != 0xC2 {
			t.Errorf("the answer was lost: %v", err)
		}
		p.chip.LoseRequests(1)
		wantError(t, p.WriteAFI(t.Context(), book(1), 0x07), ErrNoTag)
		if tags[0].Look().AFI != 0xC2 {
			t.Error("a lost request was obeyed")
		}
	})
}

// tear takes a tag away at frame n from now.
func (p *pad) tear(tag *devicestest.Tag, n int) {
	p.chip.OnFrame(func() {
		if n--; n == 0 {
			p.chip.Take(tag)
		}
	})
}

func TestATagTornAwayAtAnyMoment(t *testing.T) {
	failed := 0
	for n := 1; n < 80; n++ {
		onPad(t, func(t *testing.T, p *pad) {
			tag := p.put(spec(1))[0]
			p.tear(tag, n)
			err := p.WriteAFI(t.Context(), book(1), 0xC2)
			if is := tag.Look().AFI; err == nil && is != 0xC2 {
				t.Errorf("torn away at frame %d: reported as written, but it has %02X", n, is)
			}
			if err != nil {
				failed++
			}
			p.chip.OnFrame(nil)
			p.chip.Put(tag)
			if err := p.WriteAFI(t.Context(), book(1), 0xC2); err != nil {
				t.Errorf("put back after frame %d: %v", n, err)
			}
		})
	}
	if failed < 20 {
		t.Errorf("only %d of 79 failed: the tearing does not work", failed)
	}
}

func TestHalfABlockIsNoBlock(t *testing.T) {
	torn := 0
	for n := 1; n < 80; n++ {
		onPad(t, func(t *testing.T, p *pad) {
			tag := p.put(spec(1))[0]
			p.tear(tag, n)
			err := p.WriteBlock(t.Context(), book(1), 3, []byte("1234"))
			is := string(tag.Look().Memory[12:16])
			if err == nil && is != "1234" {
				t.Errorf("torn away at frame %d: reported as written, but it has %q", n, is)
			}
			if is == "12\x00\x00" {
				torn++
			}
		})
	}
	if torn == 0 {
		t.Error("no block was torn in two")
	}
}
