// Package loop runs the desk: it carries events to kiosk.Step one at a time, carries out the effects
// in their order, and shows what comes of it.
//
// It knows one inbox, one timer and the journal; it refuses to know what events mean. Edges may wait
// for the loop; the loop waits for nobody but the journal.
package loop

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"circdesk/kiosk"
)

// A Store answers the desk on the spot. It is called from the loop's goroutine only.
type Store interface {
	// Find looks up a patron, an item or both.
	Find(kiosk.Find) kiosk.Found
	// CheckPIN tells whether a PIN is a patron's.
	CheckPIN(kiosk.Verify) kiosk.Verified
	// Record makes acts durable in one transaction; an error means that the outcome is unknown.
	Record([]kiosk.Act) error
	// Follow does what Record has left for later. It is called when the screen has been shown.
	Follow()
	// Stand tells where the journal stands.
	Stand() kiosk.JournalIs
	// Mend tries to get well again. It is called at every beat while the journal takes less than
	// everything or the cache cannot be read.
	Mend()
	// Alarms are the troubles that the store has found by itself.
	Alarms() []kiosk.Alarm
}

// beat is how often the loop shows itself alive.
const beat = time.Second

// inbox is how many events may wait. A scanner that fills it waits itself.
const inbox = 64

// Options is what a Loop is made of.
type Options struct {
	State  kiosk.State // to begin with
	Store  Store
	Show   func(kiosk.Screen) // takes every Screen, and the same one again at every beat; must not wait
	Secure func(kiosk.Secure) // takes orders for a reader, which answers by an event; must not wait; nil: there is none
	Print  func(kiosk.Print)  // takes slips; must not wait; nil: there is no printer
	Beat   func()             // is called at every beat; must not wait; nil: nobody cares
	Log    *slog.Logger
}

// A Loop is the desk in motion.
type Loop struct {
	o      Options
	events chan kiosk.Event
	latest atomic.Pointer[kiosk.State]
	beaten atomic.Int64 // when the loop last beat, in nanoseconds since start
	start  time.Time

	state kiosk.State // owned by Run
	told  []kiosk.Alarm
}

// New makes a Loop. Events may be sent before it runs.
func New(o Options) *Loop {
	l := &Loop{o: o, events: make(chan kiosk.Event, inbox), state: o.State, start: time.Now()}
	l.latest.Store(&o.State)
	return l
}

// Send hands the loop an event. It waits for room, at most until ctx is done, and tells whether the
// event was taken.
func (l *Loop) Send(ctx context.Context, ev kiosk.Event) bool {
	select {
	case l.events <- ev:
		// The loop has its turn here and now: it need not wait until another processor has woken up for it.
		runtime.Gosched()
		return true
	case <-ctx.Done():
		return false
	}
}

// Latest is the State after the last event. It is never changed.
func (l *Loop) Latest() kiosk.State { return *l.latest.Load() }

// Alive tells whether the loop has beaten within the last few beats.
func (l *Loop) Alive() bool {
	return time.Since(l.start)-time.Duration(l.beaten.Load()) < 5*beat
}

// Run steps until ctx is done. An event in progress is carried to its end.
func (l *Loop) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := time.Now() // the next beat
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-l.events:
			l.take(ev)
		case <-timer.C:
			if now := time.Now(); !now.Before(next) {
				l.pulse()
				next = now.Add(beat)
			}
			if wake := l.state.Wake(); !wake.IsZero() && !time.Now().Before(wake) {
				l.take(kiosk.Woke{})
			}
		}
		timer.Reset(l.pause(next))
	}
}

// pause is how long nothing happens by itself.
func (l *Loop) pause(next time.Time) time.Duration {
	if wake := l.state.Wake(); !wake.IsZero() && wake.Before(next) {
		next = wake
	}
	return max(0, time.Until(next))
}

// pulse is what is done once a beat: the store is asked how it is, and the page hears that the desk lives.
func (l *Loop) pulse() {
	if now := l.o.Store.Stand(); !now.Writable || now.Reserve || now.NoCache || l.state.NoCache || !l.state.Writable {
		l.o.Store.Mend()
	}
	l.settle()
	l.show()
	l.beaten.Store(int64(time.Since(l.start)))
	if l.o.Beat != nil {
		l.o.Beat()
	}
}

// settle tells the desk what has changed about the store.
func (l *Loop) settle() {
	s := l.state
	if now := l.o.Store.Stand(); now != (kiosk.JournalIs{Writable: s.Writable, Reserve: s.Reserve, NoCache: s.NoCache, Prefix: s.Prefix, Next: s.Next}) {
		l.take(now)
	}
	alarms := l.o.Store.Alarms()
	for _, a := range alarms {
		if !slices.Contains(l.told, a) {
			l.take(kiosk.AlarmIs{Alarm: a, On: true})
		}
	}
	for _, a := range l.told {
		if !slices.Contains(alarms, a) {
			l.take(kiosk.AlarmIs{Alarm: a, On: false})
		}
	}
	l.told = slices.Clone(alarms)
}

// take carries an event, and all that follows from it at once, to the desk.
func (l *Loop) take(ev kiosk.Event) {
	for queue := []kiosk.Event{ev}; len(queue) > 0; queue = queue[1:] {
		state, effects := kiosk.Step(l.state, time.Now(), queue[0])
		l.state = state
		for _, e := range effects {
			if answer := l.do(e); answer != nil {
				queue = append(queue, answer)
			}
		}
	}
	l.show()
	runtime.Gosched() // the pages have their turn before what nobody waits for
	l.o.Store.Follow()
}

func (l *Loop) show() {
	state := l.state
	l.latest.Store(&state)
	l.o.Show(kiosk.View(state))
}

// do carries out one effect and gives its answer, or nil if that comes later by itself.
func (l *Loop) do(e kiosk.Effect) kiosk.Event {
	switch e := e.(type) {
	case kiosk.Find:
		return l.o.Store.Find(e)
	case kiosk.Verify:
		return l.o.Store.CheckPIN(e)
	case kiosk.Record:
		err := l.o.Store.Record(e.Acts)
		if err != nil {
			l.log().Error("the journal has not answered for an act", "acts", len(e.Acts), "err", err)
		}
		return kiosk.Recorded{Call: e.Call, OK: err == nil}
	case kiosk.Secure:
		if l.o.Secure == nil {
			return kiosk.Secured{Call: e.Call, Failed: e.Tags}
		}
		l.o.Secure(e)
		return nil
	case kiosk.Print:
		if l.o.Print != nil {
			l.o.Print(e)
		}
		return nil
	}
	panic(fmt.Sprintf("loop: effect %T has no case", e))
}

func (l *Loop) log() *slog.Logger { return cmp.Or(l.o.Log, slog.New(slog.DiscardHandler)) }
