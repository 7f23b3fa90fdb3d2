package rfid_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
	"circdesk/devices/rfid"
	"circdesk/devices/tag"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

func TestAStackIsLaidAndTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "afi"))
		var tags []*devicestest.Tag
		var want []string
		for i := range 12 {
			tags = append(tags, book(t, byte(17*i), item(i), 1, 1))
			want = append(want, item(i)+" 1/1")
			chip.Put(tags[i])
		}
		for _, laid := range d.set(want...) {
			if !laid.Known || !laid.Secured || laid.Err != "" || laid.Owner != "US-0123" {
				t.Errorf("%+v", laid)
			}
		}
		d.wantNone(20)
		for i := range tags {
			chip.Take(tags[i])
			d.set(want[i+1:]...)
		}
		d.wantNone(20)
		if s := d.now(); s.Reads != 12 || s.Opens != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Twelve numbers that collide in every way are listed and read in a time that a
// person waits.
func TestAStackIsToldInASecondOrTwo(t *testing.T) {
	for _, stride := range []byte{1, 16, 17} {
		synctest.Test(t, func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "afi"))
			d.until("ready", ready)
			var want []string
			for i := range 12 {
				chip.Put(book(t, stride*byte(i), item(i), 1, 1))
				want = append(want, item(i)+" 1/1")
			}
			laid := time.Now()
			d.set(want...)
			if took := time.Since(laid); took > 2*time.Second {
				t.Errorf("stride %d: took %v", stride, took)
			}
		})
	}
}

func TestTheOrderIsThatOfLaying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "none"))
		second, first := book(t, 1, "30123000012341", 1, 1), book(t, 2, "30123000012342", 1, 1)
		chip.Put(first)
		d.set("30123000012342 1/1")
		chip.Put(second)
		laid := d.set("30123000012342 1/1", "30123000012341 1/1")
		if laid[0].UID != name(first) || laid[1].UID != name(second) {
			t.Errorf("%+v", laid)
		}
		if laid[0].Known {
			t.Error("without security there is nothing to know")
		}
	})
}

func TestATagMissedForAMomentHasNotLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "none"))
		book := book(t, 1, "30123000012345", 1, 1)
		chip.Put(book)
		d.set("30123000012345 1/1")
		for range 20 {
			chip.Take(book)
			d.wantNone(1)
			chip.Put(book)
			d.wantNone(5)
		}
	})
}

func TestAMemoryIsReadOncePerPresence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		c := bookPad(chip, "none")
		reads := 0
		c.Decode = func(memory []byte) (rfid.Label, error) {
			reads++
			return decode(memory)
		}
		d := start(t, c)
		book := book(t, 1, "30123000012345", 1, 1)
		for range 2 {
			chip.Put(book)
			d.set("30123000012345 1/1")
			d.wantNone(20)
			chip.Take(book)
			d.set()
		}
		d.end()
		if reads != 2 {
			t.Errorf("%d reads", reads)
		}
	})
}

func TestTheKindsOfTags(t *testing.T) {
	memory, err := tag.Encode(tag.Tag{Format: tag.Block, Item: "30123000012345", Part: 2, Parts: 3, Usage: tag.Circulating})
	if err != nil {
		t.Fatal(err)
	}
	objects := append([]byte{0x71, 14}, "30123000012345"...)
	objects = append(objects, 0x76, 30)
	objects = append(objects, strings.Repeat("S", 30)...)
	objects = append(objects, 0x14, 2, 0x01, 0x2E) // part 2 of 3, behind the first nine blocks
	long := devicestest.TagSpec{Memory: objects}
	for what, is := range map[string]devicestest.TagSpec{
		"the usual one":                  {Memory: memory},
		"of 8 blocks":                    {Memory: memory[:32], Blocks: 8},
		"with reversed blocks":           {Memory: memory, Reversed: true},
		"without system information":     {Memory: memory, NoInfo: true},
		"with a short one":               {Memory: memory, ShortInfo: true},
		"without READ MULTIPLE":          {Memory: memory, NoMultiple: true},
		"that gives few blocks at once":  {Memory: memory, MaxRead: 4},
		"with blocks counted from one":   {Memory: memory, FirstBlock: 1},
		"with blocks of eight bytes":     {Memory: memory, BlockSize: 8, Blocks: 14},
		"with objects, and long":         long,
		"a small one with few to answer": {Memory: memory[:32], Blocks: 8, NoInfo: true, MaxRead: 2},
	} {
		t.Run(what, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "none"))
			is.UID = uid(7)
			chip.Put(devicestest.NewTag(is))
			d.set("30123000012345 2/3")
		}))
	}
}

func TestTagsOnWhichNothingCanBeLent(t *testing.T) {
	good, err := tag.Encode(tag.Tag{Format: tag.Block, Item: "30123000012345", Part: 1, Parts: 1, Usage: tag.Circulating})
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Clone(good)
	damaged[12] = '9'
	for want, memory := range map[string][]byte{
		"blank tag":             nil,
		"checksum is wrong":     damaged,
		"neither 28560-3":       {0xFF, 0xFE, 0xFD},
		"there is no part 0 of": {0x11, 9, 0, '3', '0', 0},
	} {
		t.Run(want, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "none"))
			chip.Put(devicestest.NewTag(devicestest.TagSpec{UID: uid(7), Memory: memory}))
			laid := d.next().(rfid.Laid)
			if len(laid.Tags) != 1 || !strings.Contains(laid.Tags[0].Err, want) {
				t.Errorf("%+v", laid)
			}
			d.wantNone(50)
		}))
	}
}

// An overheard port shows what is about to be sent.
type overheard struct {
	spi.PortCloser
	before func(w []byte)
}

func (o overheard) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	conn, err := o.PortCloser.Connect(f, mode, bits)
	return overheardConn{conn, o.before}, err
}

type overheardConn struct {
	spi.Conn
	before func(w []byte)
}

func (o overheardConn) Tx(w, r []byte) error {
	o.before(w)
	return o.Conn.Tx(w, r)
}

func TestATagThatCannotBeReadIsToldAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		c := bookPad(chip, "afi")
		var weak atomic.Bool
		weak.Store(true)
		open := c.Open
		c.Open = func() (rfid.Bus, error) {
			bus, err := open()
			// The tag is heard in an inventory, but never when it tells about itself.
			bus.Port = overheard{bus.Port, func(w []byte) {
				if weak.Load() && bytes.HasPrefix(w, []byte{0x09, 0x00, 0x22, 0x2B}) {
					chip.SpoilAnswers(1)
				}
			}}
			return bus, err
		}
		d := start(t, c)
		chip.Put(book(t, 1, "30123000012345", 1, 1))
		laid := d.next().(rfid.Laid)
		if len(laid.Tags) != 1 || !strings.Contains(laid.Tags[0].Err, "cannot be read") || laid.Tags[0].Item != "" || laid.Tags[0].Known {
			t.Errorf("%+v", laid)
		}
		d.wantNone(50)
		weak.Store(false)
		if got := d.set("30123000012345 1/1")[0]; got.Err != "" || !got.Secured {
			t.Errorf("%+v", got)
		}
	})
}

// security is what Secure writes, by kind.
func security(tag *devicestest.Tag) string {
	is := tag.Look()
	return fmt.Sprintf("%02X %t", is.AFI, is.EAS)
}

func TestSecureWritesWhatIsConfigured(t *testing.T) {
	for kind, want := range map[string][2]string{
		"none": {"07 true", "07 true"},
		"afi":  {"C2 true", "07 true"},
		"eas":  {"07 false", "07 true"},
		"both": {"C2 false", "07 true"},
	} {
		t.Run(kind, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, kind))
			tag := book(t, 1, "30123000012345", 1, 1)
			chip.Put(tag)
			d.set("30123000012345 1/1")
			for i, on := range []bool{false, true} {
				if failed := d.reader.Secure(t.Context(), []string{name(tag)}, on); failed != nil || security(tag) != want[i] {
					t.Errorf("on %t: failed %q, tag %s", on, failed, security(tag))
				}
			}
			d.wantNone(20)
		}))
	}
}

func TestTheStateOfATagIsToldWhenItComes(t *testing.T) {
	for what, c := range map[string]struct {
		afi                  byte
		eas                  bool
		security             string
		wantSecured, wantKey bool
	}{
		"in":                       {0x07, true, "both", true, true},
		"out":                      {0xC2, false, "both", false, true},
		"torn between":             {0xC2, true, "both", false, false},
		"from the factory":         {0x00, false, "afi", false, false},
		"in, by AFI alone":         {0x07, false, "afi", true, true},
		"out, by EAS alone":        {0x07, false, "eas", false, true},
		"of no interest at a gate": {0x07, true, "none", false, false},
	} {
		t.Run(what, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, c.security))
			tag := book(t, 1, "30123000012345", 1, 1)
			tag.Change(func(is *devicestest.TagSpec) { is.AFI, is.EAS = c.afi, c.eas })
			chip.Put(tag)
			if got := d.set("30123000012345 1/1")[0]; got.Secured != c.wantSecured || got.Known != c.wantKey {
				t.Errorf("%+v", got)
			}
		}))
	}
}

// Some libraries have 00 on loan, as a tag comes from the factory, and some in the library.
func TestAnAFIOfZeroIsOneLikeAnyOther(t *testing.T) {
	for what, afi := range map[string][2]byte{"on loan": {0x07, 0x00}, "in the library": {0x00, 0xC2}} {
		t.Run(what, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			c := bookPad(chip, "afi")
			c.AFIIn, c.AFIOut = afi[0], afi[1]
			d := start(t, c)
			tag := book(t, 1, "30123000012345", 1, 1)
			tag.Change(func(is *devicestest.TagSpec) { is.AFI = 0 })
			chip.Put(tag)
			if got := d.set("30123000012345 1/1")[0]; !got.Known || got.Secured != (afi[0] == 0) {
				t.Errorf("at 00 it is %+v", got)
			}
			for i, on := range []bool{true, false} {
				if failed := d.reader.Secure(t.Context(), []string{name(tag)}, on); failed != nil || tag.Look().AFI != afi[i] {
					t.Errorf("on %t: failed %q, AFI %02X, want %02X", on, failed, tag.Look().AFI, afi[i])
				}
			}
		}))
	}
}

func TestASetWithOnePartThatFails(t *testing.T) {
	for what, fault := range map[string]func(*devicestest.TagSpec){
		"says so":             func(is *devicestest.TagSpec) { is.FailWrites = true },
		"lies":                func(is *devicestest.TagSpec) { is.Worn = true },
		"is locked":           func(is *devicestest.TagSpec) { is.AFILocked = true },
		"wants a password":    func(is *devicestest.TagSpec) { is.AFIProtected = true; is.EASProtected = true },
		"is lying somewhere ": nil,
	} {
		t.Run(what, inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "both"))
			var names, want []string
			var tags []*devicestest.Tag
			for k := 1; k <= 3; k++ {
				tag := book(t, byte(k), "30123000012345", k, 3)
				if k == 2 && fault != nil {
					tag.Change(fault)
				}
				tags, names = append(tags, tag), append(names, name(tag))
				if k != 2 || fault != nil {
					chip.Put(tag)
					want = append(want, fmt.Sprintf("30123000012345 %d/3", k))
				}
			}
			d.set(want...)
			failed := d.reader.Secure(t.Context(), names, false)
			if !slices.Equal(failed, names[1:2]) {
				t.Errorf("failed %q, want %q", failed, names[1:2])
			}
			for _, i := range []int{0, 2} {
				if security(tags[i]) != "C2 false" {
					t.Errorf("part %d has %s", i+1, security(tags[i]))
				}
			}
		}))
	}
}

func TestAPasswordOpensAProtectedTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for password, good := range map[string]bool{"1234ABCD": true, "1234ABCE": false} {
			chip := devicestest.NewPN5180()
			c := bookPad(chip, "both")
			c.Password = password
			d := start(t, c)
			tag := book(t, 1, "30123000012345", 1, 1)
			tag.Change(func(is *devicestest.TagSpec) {
				is.AFIProtected, is.EASProtected = true, true
				is.Passwords = map[byte]uint32{0x10: 0x1234ABCD}
			})
			chip.Put(tag)
			d.set("30123000012345 1/1")
			failed := d.reader.Secure(t.Context(), []string{name(tag)}, false)
			if done := security(tag) == "C2 false"; (failed == nil) != good || done != good {
				t.Errorf("%s: failed %q, tag %s", password, failed, security(tag))
			}
		}
	})
}

// tear lays a tag on the pad of d and takes it away after so many frames of a
// Secure. It returns what was said to have failed.
func tear(d *desk, chip *devicestest.PN5180, tag *devicestest.Tag, after int) []string {
	d.t.Helper()
	chip.Put(tag)
	d.set("30123000012345 1/1")
	frames := 0
	chip.OnFrame(func() {
		if frames++; frames == after+1 {
			chip.Take(tag)
		}
	})
	failed := d.reader.Secure(d.t.Context(), []string{name(tag)}, false)
	chip.OnFrame(nil)
	chip.Take(tag)
	return failed
}

// A tag is torn away after every so many frames of a Secure. It is never told to
// be secured unless it is; when it is laid down again its true state is told, and
// it can be repaired.
func TestATagTornAwayIsNeverCalledSecured(t *testing.T) {
	const secured = "C2 false"
	whole := 0
	for after := 0; whole < 3; after += 3 {
		if after > 3000 {
			t.Fatal("it never gets through")
		}
		t.Run(fmt.Sprint("after ", after), inBubble(func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "both"))
			tag := book(t, 1, "30123000012345", 1, 1)
			failed := tear(d, chip, tag, after)
			switch {
			case failed == nil && security(tag) != secured:
				t.Errorf("called secured, but is %s", security(tag))
			case failed == nil:
				whole++
			case !slices.Equal(failed, []string{name(tag)}):
				t.Errorf("failed %q", failed)
			}
			d.set()
			chip.Put(tag)
			is := tag.Look()
			got := d.set("30123000012345 1/1")[0]
			known := (is.AFI == 0x07) == is.EAS
			if got.Known != known || got.Known && got.Secured != is.EAS {
				t.Errorf("told %+v, but is %s", got, security(tag))
			}
			if failed := d.reader.Secure(t.Context(), []string{name(tag)}, false); failed != nil || security(tag) != secured {
				t.Errorf("not repaired: %q, %s", failed, security(tag))
			}
		}))
	}
}

// The control of the test above: a reader that believes what it wrote is caught.
func TestAGullibleReaderWouldBeCaught(t *testing.T) {
	caught := 0
	for after := 0; after < 90; after += 3 {
		synctest.Test(t, func(t *testing.T) {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "both"))
			d.reader.Deceive()
			tag := book(t, 1, "30123000012345", 1, 1)
			if failed := tear(d, chip, tag, after); failed == nil && security(tag) != "C2 false" {
				caught++
			}
		})
	}
	if caught < 5 {
		t.Errorf("caught only %d times", caught)
	}
}

func TestATagThatFailedIsToldAgainAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "both"))
		tag := book(t, 1, "30123000012345", 1, 1)
		// The AFI changes, EAS does not: at the gate it would still alarm.
		tag.Change(func(is *devicestest.TagSpec) { is.EASProtected, is.Passwords = true, map[byte]uint32{0x10: 1} })
		chip.Put(tag)
		if laid := d.set("30123000012345 1/1")[0]; !laid.Secured || !laid.Known {
			t.Errorf("%+v", laid)
		}
		if failed := d.reader.Secure(t.Context(), []string{name(tag)}, false); len(failed) != 1 {
			t.Errorf("failed %q, tag %s", failed, security(tag))
		}
		if laid := d.next().(rfid.Laid).Tags[0]; laid.Known {
			t.Errorf("%+v, but is %s", laid, security(tag))
		}
	})
}

func TestLostAnswersAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n <= 6; n++ {
			chip := devicestest.NewPN5180()
			d := start(t, bookPad(chip, "both"))
			tag := book(t, 1, "30123000012345", 1, 1)
			chip.Put(tag)
			d.set("30123000012345 1/1")
			chip.LoseAnswers(n)
			failed := d.reader.Secure(t.Context(), []string{name(tag)}, false)
			if done := security(tag) == "C2 false"; failed == nil && !done {
				t.Errorf("%d lost: called secured, but is %s", n, security(tag))
			} else if n <= 2 && !done {
				t.Errorf("%d lost: failed %q, tag %s", n, failed, security(tag))
			}
			d.end()
		}
	})
}

func TestSecureHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		c := bookPad(chip, "afi")
		reader, err := rfid.New(c)
		if err != nil {
			t.Fatal(err)
		}
		tags := []string{"E00401505594140A", "E00401505594140B"}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		asked := time.Now()
		if failed := reader.Secure(ctx, tags, true); !slices.Equal(failed, tags) {
			t.Errorf("nobody runs, and failed are %q", failed)
		}
		if took := time.Since(asked); took > 1100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if failed := reader.Secure(t.Context(), tags, true); !slices.Equal(failed, tags) {
			t.Errorf("without a deadline of its own failed are %q", failed)
		}
		d := start(t, c)
		for _, wrong := range [][]string{{""}, {"E004"}, {"E00401505594140G"}, {"E00401505594140A00"}} {
			if failed := d.reader.Secure(t.Context(), wrong, true); !slices.Equal(failed, wrong) {
				t.Errorf("%q: failed are %q", wrong, failed)
			}
		}
	})
}

func TestAFrozenChipRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "both"))
		tags := []*devicestest.Tag{book(t, 1, "30123000012341", 1, 1), book(t, 2, "30123000012342", 1, 1)}
		chip.Put(tags[0])
		d.set("30123000012341 1/1")
		chip.Freeze(0)
		chip.Put(tags[1])
		d.set("30123000012341 1/1", "30123000012342 1/1")
		for n := range 40 {
			chip.Freeze(5 * n)
			failed := d.reader.Secure(t.Context(), []string{name(tags[0])}, n%2 == 0)
			want := map[bool]string{true: "07 true", false: "C2 false"}[n%2 == 0]
			if failed == nil && security(tags[0]) != want {
				t.Errorf("frozen after %d: called secured, but is %s", 5*n, security(tags[0]))
			}
		}
		chip.Calm()
		if failed := d.reader.Secure(t.Context(), []string{name(tags[0]), name(tags[1])}, false); failed != nil {
			t.Errorf("failed %q", failed)
		}
	})
}

func TestADeadPadIsToldWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		c := bookPad(chip, "afi")
		c.Poll = 0
		d := start(t, c)
		chip.Put(book(t, 1, "30123000012345", 1, 1))
		d.set("30123000012345 1/1")
		began := time.Now()
		chip.Kill(0xFF)
		d.until("failed", func(s devices.Status) bool { return s.State == devices.Failed })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("told after %v", took)
		}
		chip.Revive()
		d.until("ready", ready)
		d.wantNone(20) // the same book lies there
	})
}

// What lies there and answers but cannot be made out is told, and told to be over.
func TestSomethingUnclearIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chip := devicestest.NewPN5180()
		d := start(t, bookPad(chip, "none"))
		d.until("ready", ready)
		chip.Put(book(t, 1, "30123000012341", 1, 1))
		chip.SpoilAnswers(1_000_000)
		unclear := func(want bool) {
			t.Helper()
			for deadline := time.Now().Add(long); time.Now().Before(deadline); {
				if laid := d.next().(rfid.Laid); laid.Unclear == want {
					return
				}
			}
			t.Errorf("it is never told that unclear is %t", want)
		}
		unclear(true)
		chip.Calm()
		unclear(false)
	})
}
