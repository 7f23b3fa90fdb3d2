package kiosk

import (
	"slices"
	"time"
)

// State is all that the desk knows. It is a value: Step never changes what it was given, slices
// included. The parts are grouped by how long they live.
type State struct {
	Setup *Setup    // immutable, shared
	At    time.Time // of the last Step, in the site's zone
	Seq   uint64    // Steps so far; numbers the snapshots
	Mode  Mode
	Until time.Time // when Mode ends by itself; zero: never

	Visit // one visit; wiped whole when it ends
	Bin   Bin

	Pads     []Pad
	Securing []Securing // books whose tags are to be changed
	BadTags  []ItemID   // of which a person must look at the tags

	Sessions uint64     // the last session number given out
	Calls    uint64     // the last call number given out
	Open     []Question // asked and not yet answered, oldest first; at most maxOpen
	Writable bool       // the journal
	Reserve  bool       // it takes returns only
	Prefix   string     // of the journal's keys
	Next     uint64     // the next entry's number
	Devices  []Device
	Offline  bool // the library system does not answer
	NoCache  bool // nothing can be looked up
	Clock    Clock
	Floor    time.Time // the latest plausible time, while Clock is impossible
	Told     []Alarm   // the troubles that shells have told of
	Alarms   []Standing
	Heard    []Heard // the last eight sounds
	Sounds   uint64  // sounds so far

	Since Shown  // when the present screen came up
	Tap   string // the last tap taken, and when, to tell a bouncing finger
	TapAt time.Time
}

// A Visit is what is known while somebody stands at the desk. The zero Visit is an empty room.
type Visit struct {
	Session  uint64 // 0: nobody is identified and nothing is given back
	Lang     string
	Chosen   bool   // Lang was tapped, so a card does not change it
	Known    bool   // Account is of the patron who stands here
	Asked    bool   // Account is of the card that was shown, whose PIN is not yet known: never with Known
	Typed    string // the digits of the PIN, while its screen is up
	Wrong    int    // wrong PINs in this visit
	Account  Account
	Lines    []Line // newest first
	New      int    // items borrowed
	First    int    // first line shown
	Back     Mode   // where still_there and help lead back to
	Waiting  []ItemID
	Notice   Fault
	Clears   time.Time  // when Notice goes by itself
	Refusals int        // refused items in a row
	Tries    int        // unknown cards in a row
	Enrol    Credential // the new card whose barcode is to be scanned next
}

// A Bin is a run of returns by a technician: no card, no touch.
type Bin struct {
	Session uint64 // 0: no run
	Lines   []Line // the last few, newest first
	Aside   []Line // exceptions that nobody has dealt with, oldest first
	Shelve  []Line // what goes back to the shelves, for the list at the end
	Tally   Tally  // by outcome
	Looking bool   // the aside tray is on the screen
	First   int    // first line of the tray shown
	Last    ItemID // the last code read, and when, to tell a double read
	LastAt  time.Time
	Until   time.Time // when the run ends by itself
}

// A Question is a Find, Record or Verify that waits for its answer.
type Question struct {
	Call    uint64
	At      time.Time // when it was asked
	Session uint64
	Role    Role
	Patron  PatronID // a Find's or a Verify's
	PIN     bool     // it is a Verify; the digits are not kept here
	Card    Credential
	Also    []Credential
	Item    ItemID
	Enrol   Credential // the card that is to be the found patron's
	Code    string     // what the label said
	Quiet   bool       // asked for the tags alone: nobody is told
	Acts    []Act      // a Record's
	Lines   []Line     // what the screen shows once the acts are durable
	Items   []Item     // of the acts
	For     string     // stands on the slip
}

// Shown says since when a screen stands.
type Shown struct {
	Seq uint64
	At  time.Time
}

// The limits of what a State holds.
const (
	maxOpen    = 8   // questions; a scanner outruns the disk only when something is wrong
	maxWaiting = 5   // items scanned before the card; with the card's own question they fit into maxOpen
	maxLines   = 100 // lines of one visit
	maxAside   = 200 // exceptions of one bin run
	maxStrip   = 8   // lines of the bin's strip
	maxHeard   = 8   // sounds in a snapshot (design section 6)
	rows       = 3   // lines on one page of a list (facts: screens 9.1)
)

// The patience of the desk (facts: screens section 8).
const (
	waitItemFirst = 15 * time.Second
	waitUnknown   = 20 * time.Second
	waitBlocked   = 8 * time.Second
	waitReturn    = 15 * time.Second
	waitFinish    = 8 * time.Second
	waitBye       = 3 * time.Second
	waitHelp      = 60 * time.Second
	waitWho       = 10 * time.Second
	waitEnrol     = 30 * time.Second
	waitNotice    = 6 * time.Second
	lastTicks     = 5 // seconds of the countdown that are heard
	waitBin       = 10 * time.Minute
	bounce        = 10 * time.Second       // the same book in the bin: a double read
	tapThrough    = 250 * time.Millisecond // a tap so soon after a change was meant for the screen before
	tapAgain      = 400 * time.Millisecond // the same tap again: one shaky finger
	keyAgain      = 150 * time.Millisecond // the same on the keys of the PIN, where one digit may come twice
)

// New is a desk at the start: nothing is known yet of journal, devices and library system.
// It says that borrowing is off until JournalIs tells where the journal stands.
// last is the last session number used before.
func New(u *Setup, at time.Time, last uint64) State {
	s := State{Setup: u, At: at.In(u.Zone), Mode: ModeBorrowingOff, Sessions: last, Clock: ClockRestored}
	s.Lang = u.Languages[0]
	return s
}

// Wake says when the desk wants its next Woke; zero: not before the next event.
func (s State) Wake() time.Time {
	next := time.Time{}
	for _, t := range []time.Time{s.Until, s.Clears, s.Bin.Until, s.tick(), s.turn(), s.padWake()} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// tick is when the countdown on the screen changes.
func (s State) tick() time.Time {
	if n := s.seconds(); n > 1 {
		return s.Until.Add(-time.Duration(n-1) * time.Second)
	}
	return time.Time{}
}

// turn is when the library may open or close.
func (s State) turn() time.Time {
	if s.Mode != ModeAttract && s.Mode != ModeClosed {
		return time.Time{}
	}
	return s.Setup.Policy.Calendar.Turns(s.At)
}

// seconds is the countdown of still_there; else 0.
func (s State) seconds() int {
	if s.Mode != ModeStillThere {
		return 0
	}
	return int((s.Until.Sub(s.At) + time.Second - 1) / time.Second)
}

// today is the date by which loans are reckoned.
func (s State) today() time.Time {
	if s.Clock == ClockImpossible && s.At.Before(s.Floor) {
		return s.Floor.In(s.Setup.Zone)
	}
	return s.At
}

// find gives the place of the line of an item that this visit is done with, or -1.
func (s State) find(item ItemID) int {
	return slices.IndexFunc(s.Lines, func(l Line) bool {
		return l.Item == item && l.Outcome != OutcomeRefused && (l.Outcome != OutcomeDuplicate || l.Fault == "")
	})
}

// recording tells whether a loan, renewal or return of the item waits for the journal.
func (s State) recording(item ItemID) bool {
	return slices.ContainsFunc(s.Open, func(q Question) bool {
		return slices.ContainsFunc(q.Acts, func(a Act) bool { return a.Item == item && a.Kind.lends() })
	})
}
