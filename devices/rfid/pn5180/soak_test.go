package pn5180

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices/devicestest"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// A reader is what the soak drives: a Dev, or one with a planted defect.
type reader interface {
	Inventory(ctx context.Context) ([]UID, error)
	SystemInfo(ctx context.Context, uid UID) (Info, error)
	ReadBlocks(ctx context.Context, uid UID, first, n, size int) ([]byte, error)
	WriteBlock(ctx context.Context, uid UID, block int, data []byte) error
	WriteAFI(ctx context.Context, uid UID, afi byte) error
	SetEAS(ctx context.Context, uid UID, on bool) error
	EASAlarm(ctx context.Context) (bool, error)
	Cards(ctx context.Context) ([]Card, error)
}

// grace is how long an operation may go on after its ctx is done: two waits for
// BUSY, and a reset that is in vain.
const grace = 500 * time.Millisecond

// A soak is a pad on which everything goes wrong.
type soak struct {
	rng    *rand.Rand
	chip   *devicestest.PN5180
	reader reader

	shelf []*devicestest.Tag // all tags there are
	cards []*devicestest.Card
	card  *devicestest.Card // the one that lies there; nil: none

	crowd int // how many tags there tend to be

	n          int
	target     *devicestest.Tag          // of this operation; nil: there is none
	faulty     bool                      // during this operation, something may go wrong
	struck     bool                      // the chip may not work after it
	dead       bool                      // and nor does the bus
	seen       map[*devicestest.Tag]bool // who was there during this operation
	okays      int                       // operations that succeeded
	faults     int                       // faults that struck
	complaints []string
}

func newSoak(seed uint64, plant func(*Dev) reader) (*soak, error) {
	s := &soak{rng: rand.New(rand.NewPCG(seed, 1)), chip: devicestest.NewPN5180()}
	s.chip.Trace(func(tx, _ []byte) {
		if never(tx) {
			s.complain("sends % X, which cannot be taken back", tx)
		}
	})
	s.chip.SetTiming(0, 10*time.Microsecond) // which saves looking at BUSY
	bus, err := s.chip.Connect(MaxHertz*physic.Hertz, spi.Mode0, 8)
	if err != nil {
		return nil, err
	}
	dev, err := New(bus, s.chip.ResetPin(), s.chip.BusyPin(), Opts{})
	if err != nil {
		return nil, err
	}
	s.reader = plant(dev)
	for i := range 24 {
		s.shelf = append(s.shelf, devicestest.NewTag(s.tag(i)))
	}
	s.cards = []*devicestest.Card{
		devicestest.NewClassic1K([]byte{0xDE, 0xAD, 0xBE, 0xEF}),
		devicestest.NewNTAG213([]byte{0x04, 0xA3, 0xC6, 0xCA, 0xE2, 0x61, 0x80}),
		devicestest.NewCard([]byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0x0084, 0x20),
	}
	return s, nil
}

// tag makes tag i: one in three is like the one before but for its first digits,
// and some are strange.
func (s *soak) tag(i int) devicestest.TagSpec {
	serial := s.rng.Uint64N(1 << 32)
	if i%3 == 0 {
		serial = uint64(i)<<28 | 0x0ABCDEF
	}
	is := devicestest.TagSpec{UID: book(serial), AFI: 0x07, Strength: s.rng.IntN(4)}
	switch i {
	case 4:
		is.NoMultiple = true
	case 5:
		is.MaxRead = 3
	case 6:
		is.ShortInfo = true
	case 7, 8:
		is.Worn, is.EAS = true, i == 8
	case 9:
		is.FailWrites = true
	case 10:
		is.Reversed, is.Blocks = true, 80
	case 11:
		is.UID[1], is.EOFWrites = makerTI, true
	case 12:
		is.WriteTime = 19 * time.Millisecond
	}
	return is
}

func (s *soak) complain(format string, args ...any) {
	s.complaints = append(s.complaints, fmt.Sprintf("operation %d: ", s.n)+fmt.Sprintf(format, args...))
}

// run does n operations, or fewer if there is enough to complain about.
func (s *soak) run(n int) {
	for s.n = range n {
		s.faulty = s.tidy()
		s.move(s.rng.IntN(3))
		s.note()
		s.target = s.pick()
		if s.rng.IntN(2) == 0 {
			s.plan()
		}
		frames := s.chip.Frames()
		s.act()
		// Who did not talk to the chip does not know about it.
		s.struck = s.struck || s.faulty && s.chip.Frames() == frames
		if len(s.complaints) > 10 {
			return
		}
	}
}

// tidy ends what the last operation has left, and tells whether the next one may
// still find it.
func (s *soak) tidy() bool {
	s.chip.OnFrame(nil)
	s.chip.Calm()
	struck := s.struck
	s.struck = false
	if s.dead || s.rng.IntN(100) == 0 {
		// It comes back from a moment without power.
		s.dead, struck = false, true
		s.chip.Revive()
	}
	return struck
}

// move lets n tags come or go, and now and then a card.
func (s *soak) move(n int) {
	if s.rng.IntN(40) == 0 {
		s.chip.SetComplaining(s.rng.IntN(2) == 0)
		s.crowd = min(s.rng.IntN(4), s.rng.IntN(4))
		if s.rng.IntN(25) == 0 {
			s.crowd = 12
		}
	}
	for range n {
		tag := s.shelf[s.rng.IntN(len(s.shelf))]
		there := s.chip.Tags()
		if slices.Contains(there, tag) || len(there) >= 12 || len(there) > s.crowd {
			s.chip.Take(tag)
		} else {
			s.chip.Put(tag)
		}
	}
	if n > 0 && s.rng.IntN(4) == 0 {
		if s.card != nil {
			s.chip.TakeCard(s.card)
			s.card = nil
			return
		}
		s.card = s.cards[s.rng.IntN(len(s.cards))]
		s.chip.PutCard(s.card)
	}
}

// note remembers who is there at the start of an operation.
func (s *soak) note() {
	s.seen = map[*devicestest.Tag]bool{}
	for _, tag := range s.chip.Tags() {
		s.seen[tag] = true
	}
}

// plan lets something go wrong at some frame of the operation.
func (s *soak) plan() {
	at := 1 + s.rng.IntN(4<<s.rng.IntN(6))
	fault := s.rng.IntN(11)
	s.chip.OnFrame(func() {
		if at--; at != 0 {
			return
		}
		s.faulty = true
		s.faults++
		s.struck, s.dead = fault < 3, fault == 1
		switch fault {
		case 0:
			s.chip.Freeze(s.rng.IntN(3))
		case 1:
			s.chip.Kill([]byte{0x00, 0xFF, byte(s.rng.Uint32())}[s.rng.IntN(3)])
		case 2:
			s.chip.Revive()
		case 8:
			s.chip.Garble(1)
		case 9:
			s.chip.GarbleData(1)
		case 3:
			s.chip.LoseAnswers(1)
		case 4:
			s.chip.LoseRequests(1)
		case 5:
			s.chip.SpoilAnswers(1 + s.rng.IntN(3))
		case 10:
			s.chip.FaultAnswers(1 + s.rng.IntN(3))
		case 6:
			if s.target != nil {
				s.chip.Take(s.target)
			}
		default:
			s.move(1 + s.rng.IntN(2))
			for _, tag := range s.chip.Tags() {
				s.seen[tag] = true
			}
		}
	})
}

// act does one operation and judges it.
func (s *soak) act() {
	limit := time.Duration(1+s.rng.IntN(30)) * time.Second
	if s.rng.IntN(10) == 0 {
		limit = time.Duration(s.rng.IntN(60)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	start := time.Now()
	tag := s.target
	var err error
	switch s.rng.IntN(10) {
	case 0, 1, 2:
		err = s.inventory(ctx)
	case 3:
		err = s.info(ctx, tag)
	case 4:
		err = s.readBlocks(ctx, tag)
	case 5:
		err = s.writeBlock(ctx, tag)
	case 6:
		err = s.writeAFI(ctx, tag)
	case 7:
		err = s.setEAS(ctx, tag)
	case 8:
		err = s.alarm(ctx)
	case 9:
		err = s.lookForCard(ctx)
	}
	if took := time.Since(start); took > limit+grace {
		s.complain("took %v of %v", took, limit)
	}
	if err == nil {
		s.okays++
	} else if !s.faulty && ctx.Err() == nil {
		s.complain("fails without a fault: %v", err)
	}
}

// pick returns a tag that lies there, or nil.
func (s *soak) pick() *devicestest.Tag {
	there := s.chip.Tags()
	if len(there) == 0 {
		return nil
	}
	return there[s.rng.IntN(len(there))]
}

func (s *soak) inventory(ctx context.Context) error {
	got, err := s.reader.Inventory(ctx)
	for _, uid := range got {
		if !s.was(uid) {
			s.complain("found %v, which is not there", uid)
		}
	}
	if err == nil && !s.faulty && len(got) != len(s.chip.Tags()) {
		s.complain("found %d of %d tags", len(got), len(s.chip.Tags()))
	}
	return err
}

// was tells whether a tag was there during the operation.
func (s *soak) was(uid UID) bool {
	for tag := range s.seen {
		if tag.UID() == uid {
			return true
		}
	}
	return false
}

func (s *soak) info(ctx context.Context, tag *devicestest.Tag) error {
	if tag == nil {
		return nil
	}
	info, err := s.reader.SystemInfo(ctx, tag.UID())
	if is := tag.Look(); err == nil && !s.faulty && info.HasAFI && info.AFI != is.AFI {
		s.complain("AFI %02X of %+v", info.AFI, is)
	}
	return err
}

func (s *soak) readBlocks(ctx context.Context, tag *devicestest.Tag) error {
	if tag == nil {
		return nil
	}
	got, err := s.reader.ReadBlocks(ctx, tag.UID(), 0, 9, 4)
	is := tag.Look()
	if want := is.Memory[:36]; err == nil && !s.faulty && !is.Reversed && !bytes.Equal(got, want) {
		s.complain("read % X, it has % X", got, want)
	}
	return err
}

// may returns an error only if the tag is one that can be written.
func may(tag *devicestest.Tag, err error) error {
	if is := tag.Look(); is.Worn || is.FailWrites {
		return nil
	}
	return err
}

func (s *soak) writeBlock(ctx context.Context, tag *devicestest.Tag) error {
	if tag == nil {
		return nil
	}
	data := binaryOf(s.rng.Uint32())
	block := s.rng.IntN(28)
	err := s.reader.WriteBlock(ctx, tag.UID(), block, data)
	is := tag.Look()
	held := slices.Clone(is.Memory[4*block : 4*block+4])
	if is.Reversed {
		slices.Reverse(held)
	}
	if err == nil && !bytes.Equal(held, data) {
		s.complain("reported as written, but block %d has % X, not % X", block, held, data)
	}
	return may(tag, err)
}

func binaryOf(v uint32) []byte { return []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)} }

func (s *soak) writeAFI(ctx context.Context, tag *devicestest.Tag) error {
	if tag == nil {
		return nil
	}
	afi := []byte{0x07, 0xC2}[s.rng.IntN(2)]
	err := s.reader.WriteAFI(ctx, tag.UID(), afi)
	if is := tag.Look().AFI; err == nil && is != afi {
		s.complain("reported as secured, but the AFI is %02X, not %02X", is, afi)
	}
	return may(tag, err)
}

func (s *soak) setEAS(ctx context.Context, tag *devicestest.Tag) error {
	if tag == nil || tag.UID()[1] != makerNXP {
		return nil
	}
	on := s.rng.IntN(2) == 0
	err := s.reader.SetEAS(ctx, tag.UID(), on)
	if is := tag.Look().EAS; err == nil && is != on {
		s.complain("reported as secured, but EAS is %v, not %v", is, on)
	}
	return may(tag, err)
}

func (s *soak) alarm(ctx context.Context) error {
	got, err := s.reader.EASAlarm(ctx)
	want := slices.ContainsFunc(s.chip.Tags(), func(t *devicestest.Tag) bool { return t.Look().EAS })
	if err == nil && !s.faulty && got != want {
		s.complain("the alarm sounds: %v, not %v", got, want)
	}
	return err
}

func (s *soak) lookForCard(ctx context.Context) error {
	got, err := s.reader.Cards(ctx)
	for _, card := range got {
		if !slices.ContainsFunc(s.cards, func(c *devicestest.Card) bool { return bytes.Equal(c.UID(), card.UID) }) {
			s.complain("found card %X, which there is not", card.UID)
		}
	}
	if err == nil && !s.faulty && (len(got) == 1) != (s.card != nil) {
		s.complain("found %d cards", len(got))
	}
	return err
}

// operations is how many the soak does.
func operations(t *testing.T) int {
	t.Helper()
	text := os.Getenv("CIRCDESK_SOAK")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("CIRCDESK_SOAK: %q is no number of operations", text)
	}
	return n
}

func TestSoak(t *testing.T) {
	n := operations(t)
	heap := heapInUse()
	synctest.Test(t, func(t *testing.T) {
		s, err := newSoak(uint64(n), func(d *Dev) reader { return d })
		if err != nil {
			t.Error(err)
			return
		}
		s.run(n)
		for _, c := range s.complaints {
			t.Error(c)
		}
		if s.okays < n/3 || s.faults < n/8 {
			t.Errorf("only %d of %d operations succeeded, %d faults", s.okays, n, s.faults)
		}
		t.Logf("%d operations, %d of them successful, %d faults, %d frames", n, s.okays, s.faults, s.chip.Frames())
	})
	if more := heapInUse() - heap; more > 4<<20 {
		t.Errorf("%d bytes more than before", more)
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// trusting believes a tag that says that it has written.
type trusting struct{ *Dev }

func (r trusting) WriteAFI(ctx context.Context, uid UID, afi byte) error {
	return r.do(ctx, "write", func() error {
		if err := r.listen(tags); err != nil {
			return err
		}
		return r.program(ctx, uid, 0x27, afi)
	})
}

// deafEAS takes silence for a released tag.
type deafEAS struct{ *Dev }

func (r deafEAS) SetEAS(ctx context.Context, uid UID, on bool) error {
	return r.do(ctx, "EAS", func() error {
		if err := r.listen(tags); err != nil {
			return err
		}
		r.programNow(ctx, custom(0x22, 0xA2, uid))
		if !on {
			r.programNow(ctx, custom(0x22, 0xA3, uid))
		}
		is, err := r.sounds(ctx, custom(0x22, 0xA5, uid)...)
		if err == nil && is != on {
			err = ErrNotWritten
		}
		return err
	})
}

// credulous believes every number.
type credulous struct{ *Dev }

func (r credulous) Inventory(ctx context.Context) (uids []UID, err error) {
	err = r.do(ctx, "inventory", func() error {
		if err := r.readyTags(); err != nil {
			return err
		}
		var unread error
		uids, unread, err = r.round(ctx)
		return errors.Join(unread, err)
	})
	return uids, err
}

// patient waits for a chip until it answers.
type patient struct{ *Dev }

func (r patient) Inventory(ctx context.Context) ([]UID, error) {
	uids, err := r.Dev.Inventory(ctx)
	for tries := 0; errors.Is(err, ErrChip) && tries < 1000; tries++ {
		uids, err = r.Dev.Inventory(context.WithoutCancel(ctx))
	}
	return uids, err
}

func TestTheSoakFindsPlantedDefects(t *testing.T) {
	for _, c := range []struct {
		name, complaint string
		plant           func(*Dev) reader
	}{
		{"no reading back", "reported as secured, but the AFI", func(d *Dev) reader { return trusting{d} }},
		{"silence is a release", "reported as secured, but EAS", func(d *Dev) reader { return deafEAS{d} }},
		{"every number is believed", "which is not there", func(d *Dev) reader { return credulous{d} }},
		{"no deadline", "took ", func(d *Dev) reader { return patient{d} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := newSoak(1, c.plant)
				if err != nil {
					t.Error(err)
					return
				}
				found := func(text string) bool { return strings.Contains(text, c.complaint) }
				for range 40 {
					s.run(250)
					if slices.ContainsFunc(s.complaints, found) {
						return
					}
					s.complaints = nil
				}
				t.Errorf("not found in 10,000 operations")
			})
		})
	}
}
