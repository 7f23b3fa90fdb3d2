package pn5180

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A pad is the driver on a simulated chip.
type pad struct {
	*Dev
	t      *testing.T
	chip   *devicestest.PN5180
	frames []string // since the last call of script
}

// onPad tells a story in a bubble, in which time is free. No story may lock
// anything.
func onPad(t *testing.T, story func(t *testing.T, p *pad)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pad{t: t, chip: devicestest.NewPN5180()}
		p.chip.Trace(p.trace)
		p.Dev = p.open()
		story(t, p)
	})
}

func (p *pad) open() *Dev {
	p.t.Helper()
	dev, err := New(p.connect(), p.chip.ResetPin(), p.chip.BusyPin(), Opts{})
	if err != nil {
		p.t.Fatal(err)
	}
	return dev
}

func (p *pad) connect() spi.Conn {
	p.t.Helper()
	p.chip.Close()
	conn, err := p.chip.Connect(MaxHertz*physic.Hertz, spi.Mode0, 8)
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// trace notes a frame, and the reply to the last one if this is it. Of the same
// question several times in a row, it keeps the last.
func (p *pad) trace(tx, rx []byte) {
	if never(tx) {
		p.t.Errorf("the driver sends % X, which cannot be taken back", tx)
	}
	if tx[0] == 0xFF && len(p.frames) > 0 {
		last := &p.frames[len(p.frames)-1]
		*last += fmt.Sprintf(" → % X", rx)
		if n := len(p.frames); n > 1 && question(p.frames[n-2]) == question(*last) {
			p.frames = slices.Delete(p.frames, n-2, n-1)
		}
		return
	}
	p.frames = append(p.frames, fmt.Sprintf("% X", tx))
}

// question is the first part of a line of the script.
func question(line string) string {
	q, _, _ := strings.Cut(line, " → ")
	return q
}

// never tells whether a frame carries a command that locks: 22, 28, 2A, A4, A6.
func never(tx []byte) bool {
	return len(tx) > 3 && tx[0] == sendData && tx[1] == 0 && tx[2]&4 == 0 && tx[2]&2 != 0 &&
		slices.Contains([]byte{0x22, 0x28, 0x2A, 0xA4, 0xA6}, tx[3])
}

// script returns what went over the bus since it was last called.
func (p *pad) script() string {
	s := strings.Join(p.frames, "\n")
	p.frames = nil
	return s
}

// put makes tags and lays them down.
func (p *pad) put(specs ...devicestest.TagSpec) []*devicestest.Tag {
	var tags []*devicestest.Tag
	for _, is := range specs {
		tag := devicestest.NewTag(is)
		p.chip.Put(tag)
		tags = append(tags, tag)
	}
	return tags
}

// book returns the number of an ICODE SLIX.
func book(serial uint64) UID {
	uid := UID{0xE0, 0x04, 0x01, 0x50}
	for i := range 4 {
		uid[7-i] = byte(serial >> (8 * i))
	}
	return uid
}

// spec is a usual book's tag.
func spec(serial uint64) devicestest.TagSpec {
	return devicestest.TagSpec{UID: book(serial), AFI: 0x07}
}

// wantTags checks an inventory.
func (p *pad) wantTags(want ...UID) {
	p.t.Helper()
	got, err := p.Inventory(p.t.Context())
	slices.SortFunc(want, func(a, b UID) int { return slices.Compare(a[:], b[:]) })
	if err != nil || !slices.Equal(got, want) {
		p.t.Errorf("inventory %v, %v; want %v", got, err, want)
	}
}

// wantError checks that an error is of a kind.
func wantError(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

// within checks how long something takes.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	start := time.Now()
	do()
	if took := time.Since(start); took > limit {
		t.Errorf("took %v, more than %v", took, limit)
	}
}
