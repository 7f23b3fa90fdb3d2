package ils

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/kiosk"
)

// A journal is a queue in memory.
type journal struct {
	mu      sync.Mutex
	entries []kiosk.Entry
	added   chan struct{}
}

func newJournal(entries ...kiosk.Entry) *journal {
	j := &journal{added: make(chan struct{}, 1)}
	for i, e := range entries {
		e.Seq, e.Delivery = uint64(i+1), kiosk.Queued
		j.entries = append(j.entries, e)
	}
	return j
}

func (j *journal) Waiting(context.Context) ([]kiosk.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []kiosk.Entry
	for _, e := range j.entries {
		if e.Delivery == kiosk.Queued || e.Delivery == kiosk.Attempting {
			all = append(all, e)
		}
	}
	return all, nil
}

func (j *journal) Attempt(seq uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[seq-1].Delivery = kiosk.Attempting
	j.entries[seq-1].Attempts++
	return nil
}

func (j *journal) Deliver(seq uint64, state kiosk.Delivery, answer string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries[seq-1].Delivery, j.entries[seq-1].Answer = state, answer
	return nil
}

func (j *journal) Added() <-chan struct{} { return j.added }

// states are the entries' deliveries in order.
func (j *journal) states() []kiosk.Delivery {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []kiosk.Delivery
	for _, e := range j.entries {
		all = append(all, e.Delivery)
	}
	return all
}

// A library does what it is told to, entry by entry, and keeps a ledger of what it has done.
type library struct {
	mu     sync.Mutex
	script map[uint64][]string // by entry: agree, refuse, away, lost (done, no answer), dropped (not done, no answer)
	ledger []uint64
	asked  []uint64 // probes
}

func (l *library) Send(ctx context.Context, e kiosk.Entry) (Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	word := "agree"
	if todo := l.script[e.Seq]; len(todo) > 0 {
		word, l.script[e.Seq] = todo[0], todo[1:]
	}
	switch word {
	case "agree":
		l.ledger = append(l.ledger, e.Seq)
		return Answer{Agreed: true, Text: "ok"}, nil
	case "refuse":
		return Answer{Text: "item is lost"}, nil
	case "away":
		return Answer{}, fmt.Errorf("dial: %w", ErrAway)
	case "lost":
		l.ledger = append(l.ledger, e.Seq)
	}
	return Answer{}, errors.New("no answer")
}

func (l *library) Probe(_ context.Context, e kiosk.Entry) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, e.Seq)
	return slices.Contains(l.ledger, e.Seq), nil
}

// A run is a courier at work for a while of fake time; it returns what Up was told.
func run(t *testing.T, j *journal, l *library, d time.Duration) []bool {
	t.Helper()
	var said []bool
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	c := New(Options{Journal: j, Library: l, Up: func(up bool) { said = append(said, up) }, Jitter: func() float64 { return 0 }})
	c.Run(ctx)
	return said
}

func act(item, patron string) kiosk.Entry {
	return kiosk.Entry{Act: kiosk.Act{Kind: kiosk.KindLoan, Item: kiosk.ItemID(item), Patron: kiosk.PatronID(patron)}}
}

func TestEntriesAreDeliveredInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, l := newJournal(act("a", "p"), act("b", "p"), act("a", "q")), &library{}
		said := run(t, j, l, time.Minute)
		if want := []uint64{1, 2, 3}; !slices.Equal(l.ledger, want) {
			t.Errorf("done %v, want %v", l.ledger, want)
		}
		if !slices.Equal(said, []bool{true}) || len(l.asked) != 0 {
			t.Errorf("up: %v, asked for %v", said, l.asked)
		}
	})
}

func TestAStuckLaneHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(act("a", "p"), act("b", "p"), act("c", "q"), act("a", "r"), act("d", "r"))
		l := &library{script: map[uint64][]string{1: {"dropped", "dropped", "dropped", "agree"}}}
		run(t, j, l, 500*time.Millisecond)
		if want := []uint64{3}; !slices.Equal(l.ledger, want) {
			t.Fatalf("at first %v, want %v: 2 shares the patron, 4 the item, 5 the patron of 4", l.ledger, want)
		}
		run(t, j, l, time.Minute)
		if want := []uint64{3, 1, 2, 4, 5}; !slices.Equal(l.ledger, want) {
			t.Errorf("done %v, want %v", l.ledger, want)
		}
	})
}

func TestNothingIsSentTwiceBlindly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(act("a", "p"), act("b", "q"))
		l := &library{script: map[uint64][]string{1: {"lost"}, 2: {"dropped", "agree"}}}
		run(t, j, l, time.Minute)
		if slices.Sort(l.ledger); !slices.Equal(l.ledger, []uint64{1, 2}) {
			t.Errorf("done %v: each exactly once", l.ledger)
		}
		if !slices.Equal(l.asked, []uint64{1, 2}) {
			t.Errorf("asked for %v", l.asked)
		}
		if got := j.states(); !slices.Equal(got, []kiosk.Delivery{kiosk.Confirmed, kiosk.Confirmed}) {
			t.Errorf("states %v", got)
		}
	})
}

func TestARefusalIsForStaff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, l := newJournal(act("a", "p"), act("a", "q")), &library{script: map[uint64][]string{1: {"refuse"}}}
		run(t, j, l, time.Minute)
		if got := j.states(); !slices.Equal(got, []kiosk.Delivery{kiosk.NeedsStaff, kiosk.Confirmed}) || j.entries[0].Answer != "item is lost" {
			t.Errorf("states %v, answer %q", got, j.entries[0].Answer)
		}
	})
}

func TestAnAbsentLibraryIsTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(act("a", "p"), act("b", "q"))
		l := &library{script: map[uint64][]string{1: slices.Repeat([]string{"away"}, 12)}}
		began := time.Now()
		said := run(t, j, l, 2*time.Hour)
		if !slices.Equal(l.ledger, []uint64{1, 2}) || len(l.asked) != 0 {
			t.Errorf("done %v, asked for %v: what was never sent needs no question", l.ledger, l.asked)
		}
		if !slices.Equal(said, []bool{false, true}) {
			t.Errorf("up: %v", said)
		}
		if j.entries[0].Attempts != 13 || time.Since(began) != 2*time.Hour {
			t.Errorf("%d attempts in %v", j.entries[0].Attempts, time.Since(began))
		}
	})
}

// A forgetful library denies what it has done: for the courier that is as if it did not ask.
type forgetful struct{ *library }

func (forgetful) Probe(context.Context, kiosk.Entry) (bool, error) { return false, nil }

// The ledger is able to see what the tests above deny.
func TestADoubleIsSeenInTheLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, l := newJournal(act("a", "p")), &library{script: map[uint64][]string{1: {"lost", "agree"}}}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		New(Options{Journal: j, Library: forgetful{l}}).Run(ctx)
		if want := []uint64{1, 1}; !slices.Equal(l.ledger, want) {
			t.Errorf("done %v, want %v", l.ledger, want)
		}
	})
}
