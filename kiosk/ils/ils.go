// Package ils hands journal entries over to the library system: in order for each item and each
// patron, and each exactly once.
//
// It knows what was agreed, refused or left unknown, and when to try again; what is said to a
// library system, and how, the packages below know.
package ils

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"circdesk/kiosk"
)

// A Journal is where the entries wait.
type Journal interface {
	// Waiting are the entries on their way, oldest first.
	Waiting(ctx context.Context) ([]kiosk.Entry, error)
	// Attempt notes that an entry is about to be sent. It is durable before it returns.
	Attempt(seq uint64) error
	// Deliver notes what became of an entry.
	Deliver(seq uint64, state kiosk.Delivery, answer string) error
	// Added is signalled when there may be more to do.
	Added() <-chan struct{}
}

// A Library is a library system. Its methods return soon after ctx is done.
type Library interface {
	// Send hands an entry over. It is called once for an entry, and again only after Probe has said
	// that it is not there.
	Send(ctx context.Context, e kiosk.Entry) (Answer, error)
	// Probe asks whether an entry, of which an answer was never heard, is there already.
	Probe(ctx context.Context, e kiosk.Entry) (there bool, err error)
}

// An Answer is what a library system says of an entry.
type Answer struct {
	Agreed bool
	Text   string // its own words, for staff
}

// ErrAway is wrapped by an error of a Library that has not sent anything: nobody is there. Any other
// error means that the outcome is unknown.
var ErrAway = errors.New("the library system is away")

// The pauses after a failure: doubled from the first to the longest, each shortened by up to a quarter.
const (
	firstPause   = time.Second
	longestPause = 5 * time.Minute
	patience     = 45 * time.Second // for one exchange
)

// Options is what a Courier is made of.
type Options struct {
	Journal Journal
	Library Library
	Up      func(bool) // hears whether the library system answers; must not wait long
	Log     *slog.Logger
	Jitter  func() float64 // in [0,1); nil: rand.Float64
}

// A Courier delivers.
type Courier struct {
	o     Options
	pause time.Duration
	up    bool
	said  bool // Up has been told once
}

// New makes a Courier.
func New(o Options) *Courier {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return &Courier{o: o, pause: firstPause}
}

// Run delivers until ctx is done. No entry is too old to be tried again.
func (c *Courier) Run(ctx context.Context) {
	for ctx.Err() == nil {
		var again <-chan time.Time
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			c.o.Log.Warn("delivery waits", "err", err, "pause", c.pause)
			timer := time.NewTimer(c.pause - time.Duration(c.o.Jitter()*float64(c.pause/4)))
			defer timer.Stop()
			again, c.pause = timer.C, min(2*c.pause, longestPause)
		}
		// After a failure new entries do not hurry the library system.
		added := c.o.Journal.Added()
		if again != nil {
			added = nil
		}
		select {
		case <-ctx.Done():
		case <-again:
		case <-added:
		}
	}
}

// A lane is what orders entries: one item, or one patron.
type lane struct {
	item   kiosk.ItemID
	patron kiosk.PatronID
}

func lanes(e kiosk.Entry) []lane {
	all := []lane{{item: e.Item}}
	if e.Patron != "" {
		all = append(all, lane{patron: e.Patron})
	}
	return all
}

// round tries every entry once that no earlier one of its lanes holds up. It returns the first failure.
func (c *Courier) round(ctx context.Context) error {
	waiting, err := c.o.Journal.Waiting(ctx)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	stuck := map[lane]bool{}
	var first error
	for _, e := range waiting {
		if held(stuck, e) {
			continue
		}
		err := c.deliver(ctx, e)
		if errors.Is(err, ErrAway) || ctx.Err() != nil {
			c.tell(ctx.Err() != nil && c.up)
			return err
		}
		if err == nil {
			c.pause = firstPause
			continue
		}
		first = cmp.Or(first, err)
		for _, l := range lanes(e) {
			stuck[l] = true
		}
	}
	c.tell(first == nil || c.up)
	return first
}

// held tells whether an earlier entry of one of e's lanes is stuck; then e holds up its lanes too.
func held(stuck map[lane]bool, e kiosk.Entry) bool {
	is := false
	for _, l := range lanes(e) {
		is = is || stuck[l]
	}
	for _, l := range lanes(e) {
		stuck[l] = stuck[l] || is
	}
	return is
}

// deliver brings one entry to its end, or says why not. One that was sent before without an answer is
// asked for first: nothing is ever sent twice blindly.
func (c *Courier) deliver(ctx context.Context, e kiosk.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if e.Delivery == kiosk.Attempting {
		there, err := c.o.Library.Probe(ctx, e)
		if err != nil {
			return fmt.Errorf("ask for entry %d: %w", e.Seq, err)
		}
		if there {
			return c.o.Journal.Deliver(e.Seq, kiosk.Confirmed, "it was there already")
		}
	}
	if err := c.o.Journal.Attempt(e.Seq); err != nil {
		return fmt.Errorf("note the attempt at entry %d: %w", e.Seq, err)
	}
	a, err := c.o.Library.Send(ctx, e)
	switch {
	case errors.Is(err, ErrAway):
		return errors.Join(err, c.o.Journal.Deliver(e.Seq, kiosk.Queued, ""))
	case err != nil:
		return fmt.Errorf("send entry %d: the outcome is unknown: %w", e.Seq, err)
	case a.Agreed:
		return c.o.Journal.Deliver(e.Seq, kiosk.Confirmed, a.Text)
	}
	return c.o.Journal.Deliver(e.Seq, kiosk.NeedsStaff, a.Text)
}

// tell says whether the library system answers, if that is news.
func (c *Courier) tell(up bool) {
	if c.said && up == c.up {
		return
	}
	c.up, c.said = up, true
	if c.o.Up != nil {
		c.o.Up(up)
	}
}
