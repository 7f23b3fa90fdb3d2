package store

import (
	"cmp"
	ctx "context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

// A state is the files of a desk at one moment, and all that it must answer then.
type state struct {
	files   map[string][]byte
	kiosk   Options
	entries []kiosk.Entry
	found   []kiosk.Found
}

// asked is what the rot test asks: everything there is, and one thing that is not.
func asked() []kiosk.Find {
	var all []kiosk.Find
	for _, p := range []kiosk.PatronID{"21", "22", "29"} {
		all = append(all, kiosk.Find{Patron: p})
	}
	for _, i := range []kiosk.ItemID{"31", "32", "33", "39"} {
		all = append(all, kiosk.Find{Item: i})
	}
	return append(all, kiosk.Find{Card: "c1"})
}

func answers(s *Store) []kiosk.Found {
	var all []kiosk.Found
	for _, f := range asked() {
		all = append(all, s.Find(f))
	}
	return all
}

// wellUsed is a desk that has seen something of everything. With a log, it is left as a kill leaves it.
func wellUsed(t testing.TB, log bool) state {
	d := openDesk(t, func(o *Options) { o.Ballast = 1 })
	d.school()
	d.load("loans", "item,patron,checked_out,due,renewals\n33,22,2026-11-01,2026-12-01,0\n")
	d.load("holds", "patron,title_id,item,placed,pickup_site,status\n22,t1,,2026-11-02,,pending\n21,t2,33,2026-11-03,,pending\n")
	d.load("charges", "patron,item,reason,amount,currency,created\n21,31,damaged,2.50,USD,2026-11-01\n")
	for i := range 60 {
		d.lend("21", kiosk.ItemID(fmt.Sprint(31+i%2)))
		d.giveBack("21", kiosk.ItemID(fmt.Sprint(31+i%2)))
	}
	d.lend("21", "31")
	e := d.act(kiosk.KindEnrolment, "22", "")
	e.Card = "c1"
	d.record(e)
	for seq := range uint64(100) {
		if err := errors.Join(d.Attempt(seq+1), d.Deliver(seq+1, kiosk.Confirmed, "ok")); err != nil {
			t.Fatal(err)
		}
	}
	s := state{files: map[string][]byte{}, kiosk: d.o, entries: d.entries(), found: answers(d.Store)}
	if !log {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// The desk is not used any more, so it does not matter that reading its files drops its locks.
	names := []string{"journal.db", "journal.db-wal", "journal.db-mark", "cache.db", "cache.db-wal"}
	for _, pattern := range []string{"cache-*.db", "snapshots/*"} {
		more, err := fs.Glob(os.DirFS(d.o.Folder), pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, more...)
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(d.o.Folder, name))
		if err == nil {
			s.files[name] = b
		}
	}
	return s
}

// lay writes the files into a new folder, one of them as change makes it; nil removes it.
func (s state) lay(t testing.TB, name string, change func([]byte) []byte) Options {
	o := s.kiosk
	o.Folder = t.TempDir()
	o.Now = func() time.Time { return monday.Add(time.Hour) }
	for n, b := range s.files {
		if n == name {
			if b = change(slices.Clone(b)); b == nil {
				continue
			}
		}
		path := filepath.Join(o.Folder, n)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// A harm is a way to damage a file.
type harm struct {
	name string
	do   func(b []byte, rng *rand.Rand) []byte
}

func harms() []harm {
	return []harm{
		{"bits", func(b []byte, rng *rand.Rand) []byte {
			for range 1 << rng.IntN(7) {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
			return b
		}},
		{"one bit", func(b []byte, rng *rand.Rand) []byte {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			return b
		}},
		{"a bit of the header", func(b []byte, rng *rand.Rand) []byte {
			b[rng.IntN(min(len(b), 100))] ^= 1 << rng.IntN(8)
			return b
		}},
		{"zeroed page", func(b []byte, rng *rand.Rand) []byte {
			at := rng.IntN(max(1, len(b)/1024)) * 1024
			clear(b[at:min(len(b), at+1024)])
			return b
		}},
		{"cut off", func(b []byte, rng *rand.Rand) []byte { return b[:rng.IntN(len(b))] }},
		{"gone", func([]byte, *rand.Rand) []byte { return nil }},
	}
}

// judge opens what is left and tells what is wrong with the answers.
func (s state) judge(o Options) error {
	d, err := Open(o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer d.Close()
	for i := 0; i < 100 && (!d.Stand().Writable || slices.ContainsFunc(answers(d), func(f kiosk.Found) bool { return f.Failed })); i++ {
		d.Mend()
		d.work.Wait()
	}
	for _, err := range d.Journal(ctx.Background(), 0) {
		if err != nil { // what is old is checked when it is read, and put aside then
			d.Mend()
		}
	}
	return errors.Join(s.judgeJournal(d), s.judgeCache(d), goesOn(d))
}

func (s state) judgeJournal(d *Store) error {
	var got []kiosk.Entry
	for e, err := range d.Journal(ctx.Background(), 0) {
		if err != nil {
			return err
		}
		got = append(got, e)
	}
	alarms := d.Alarms()
	new := slices.Contains(alarms, kiosk.AlarmDamaged)
	lost := slices.Contains(alarms, kiosk.AlarmLost)
	switch {
	case new && len(got) > 0:
		return errors.New("put aside, and still there")
	case new || lost:
		if kept, _ := filepath.Glob(filepath.Join(d.o.Folder, "quarantine", "*")); len(kept) == 0 {
			return errors.New("nothing is in the quarantine")
		}
	}
	for i, e := range got {
		want := s.entries[i]
		if lost {
			want.Delivery, want.Attempts, want.Since, want.Answer = e.Delivery, e.Attempts, e.Since, e.Answer
		}
		if !reflect.DeepEqual(e, want) {
			return fmt.Errorf("entry %d is %+v, was %+v; alarms %v", i, e, want, alarms)
		}
	}
	if !new && !lost && len(got) != len(s.entries) {
		return fmt.Errorf("%d entries of %d, and no alarm", len(got), len(s.entries))
	}
	return nil
}

// judgeCache: the answers are the old ones, because nothing that happened was only in one file.
func (s state) judgeCache(d *Store) error {
	for i, f := range answers(d) {
		if !reflect.DeepEqual(f, s.found[i]) {
			return fmt.Errorf("%+v gets %+v, was %+v; alarms %v", asked()[i], show(f), show(s.found[i]), d.Alarms())
		}
	}
	return nil
}

func show(f kiosk.Found) string { return fmt.Sprintf("%v %+v %+v", f.Failed, f.Account, f.Copy) }

// goesOn lends a book, with a key that nobody has had.
func goesOn(d *Store) error {
	is := d.Stand()
	a := kiosk.Act{Key: kiosk.Key(fmt.Sprint(is.Prefix, is.Next)), Kind: kiosk.KindLoan, Patron: "22", Item: "32", At: monday, Due: dec7}
	if err := d.Record([]kiosk.Act{a}); err != nil {
		return err
	}
	if c := d.Find(kiosk.Find{Item: "32"}).Copy; c == nil || c.Loan.Patron != "22" {
		return fmt.Errorf("lent, but %+v", c)
	}
	v, err := d.Verify(ctx.Background())
	if err == nil && !v.OK {
		err = fmt.Errorf("%+v", v)
	}
	return err
}

// rot damages files at random and returns what has gone unnoticed.
func rot(t *testing.T, times int, change func(*Options)) (bad []string) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 0))
	states := []state{wellUsed(t, true), wellUsed(t, false)}
	tried := map[string]int{}
	for i := range times {
		s := states[rng.IntN(2)]
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.files)), func(n string) bool { return strings.Contains(n, "/") || len(s.files[n]) == 0 })
		name, h := names[rng.IntN(len(names))], harms()[rng.IntN(len(harms()))]
		o := s.lay(t, name, func(b []byte) []byte { return h.do(b, rng) })
		if change(&o); rng.IntN(3) == 0 {
			o.examined = 10 // the rest only when it is read
		}
		tried[name+", "+h.name]++
		began := time.Now()
		if err := s.judge(o); err != nil {
			bad = append(bad, fmt.Sprintf("seed %d, damage %d, %s, %s: %v", seed, i, name, h.name, err))
		}
		if took := time.Since(began); took > 60*time.Second {
			bad = append(bad, fmt.Sprintf("%s, %s: took %v", name, h.name, took))
		}
		if len(bad) > 5 {
			break
		}
		_ = os.RemoveAll(o.Folder)
	}
	t.Log(tried)
	return bad
}

func TestDamageIsNoticedBeforeAWrongAnswer(t *testing.T) {
	times, err := strconv.Atoi(cmp.Or(os.Getenv("CIRCDESK_ROT"), "300"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range rot(t, times, func(*Options) {}) {
		t.Error(b)
	}
}

// A header may say that the file is read-only (bytes 18 and 19), of a format to come (47), or of another
// schema (60 to 63): SQLite calls none of that damage.
func TestAHeaderThatSaysSomethingElseIsDamage(t *testing.T) {
	s := wellUsed(t, false)
	for _, name := range []string{"journal.db", "cache.db", "cache-copies-1.db"} {
		for _, at := range []int{18, 19, 47, 60, 63} {
			for _, bit := range []int{0, 3, 7} {
				o := s.lay(t, name, func(b []byte) []byte {
					b[at] ^= 1 << bit
					return b
				})
				if err := s.judge(o); err != nil {
					t.Errorf("%s, byte %d, bit %d: %v", name, at, bit, err)
				}
			}
		}
	}
}

// One byte of a record says of what type a value is. SQLite reads on, and a number is a text.
func TestAValueOfAnotherTypeIsDamage(t *testing.T) {
	h := &held{name: "some", dsn: ":memory:", opened: func() error { return nil }}
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	defer h.close()
	var n uint64
	if _, err := h.row("SELECT 'u'", nil, &n); !damaged(err) {
		t.Errorf("%v", err)
	}
}

func TestTheRotHarnessSeesADefect(t *testing.T) {
	bad := rot(t, 300, func(o *Options) { o.trusting = true })
	if len(bad) == 0 {
		t.Error("without the chain's check nothing went wrong")
	}
	t.Log(len(bad), "wrong answers")
}
