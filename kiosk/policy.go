package kiosk

import (
	"cmp"
	"time"
)

// A Policy is what policy.toml says: who may borrow what, for how long, and when the library is open.
// It is immutable once in use.
type Policy struct {
	Version  string
	Calendar Calendar
	Patrons  map[string]PatronType // by patron type
	Rules    map[RuleFor]Rule      // no rule: may not borrow
}

// A PatronType says how much patrons of one type may borrow and when they may no longer.
type PatronType struct {
	Limit        int            // open loans in all; 0: no limit
	Limits       map[string]int // and per circulation type; see Policy.Limit
	BlockOverdue int            // overdue items from which borrowing stops; 0: never
	BlockCharges int64          // minor units from which borrowing stops; 0: never
	Staff        bool           // may enrol cards
	PIN          bool           // a card alone is no proof: borrowing and the account ask for a PIN
}

// RuleFor is the pair that a Rule is for: patron type and circulation type.
type RuleFor struct{ Patron, Item string }

// A Rule is a loan period: exactly one of Days, Hours and Until is set.
type Rule struct {
	Days     int
	Hours    int
	Until    Date
	Renewals int // how often the loan may be renewed
	Grace    int // days after the due day before the item counts as overdue
}

// A Calendar says when the library is open. Its zero value is always open.
type Calendar struct {
	Open     map[time.Weekday]bool // nil: every day
	From, To time.Duration         // hours of an open day since midnight; both zero: always
	Closed   []Span
	TermEnds []Date // no due date after the next of these
}

// A Span is a run of days, First and Last included.
type Span struct{ First, Last Date }

// OpenOn tells whether the library is open at some time of day d.
func (c Calendar) OpenOn(d Date) bool {
	if c.Open != nil && !c.Open[d.Weekday()] {
		return false
	}
	for _, s := range c.Closed {
		if !d.Before(s.First) && !s.Last.Before(d) {
			return false
		}
	}
	return true
}

// OpenAt tells whether the library is open at t, which must be in the site's zone.
func (c Calendar) OpenAt(t time.Time) bool {
	if !c.OpenOn(DateOf(t)) {
		return false
	}
	if c.From == 0 && c.To == 0 {
		return true
	}
	// The clock on the wall counts, not the hours since midnight: those differ when the clocks change.
	h, m, s := t.Clock()
	clock := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	return clock >= c.From && clock < c.To
}

// farthest bounds every search through the calendar: a year and a day.
const farthest = 366

// NextOpen is the first open day on or after d; d itself if none comes within a year.
func (c Calendar) NextOpen(d Date) Date { return c.seek(d, 1) }

// LastOpen is the last open day on or before d; d itself if there is none within a year.
func (c Calendar) LastOpen(d Date) Date { return c.seek(d, -1) }

func (c Calendar) seek(d Date, step int) Date {
	for i, e := 0, d; i < farthest; i, e = i+1, e.Add(step) {
		if c.OpenOn(e) {
			return e
		}
	}
	return d
}

// Opens is the next opening after t, in t's zone; zero if none comes within a year or the library never closes.
func (c Calendar) Opens(t time.Time) time.Time {
	for i, d := 0, DateOf(t); i < farthest; i, d = i+1, d.Add(1) {
		if at := clockOn(d, c.From, t.Location()); c.OpenOn(d) && at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// Turns is the next moment after t at which open may turn to closed or back: a step of the hours, or midnight.
func (c Calendar) Turns(t time.Time) time.Time {
	d := DateOf(t)
	for _, clock := range []time.Duration{c.From, c.To} {
		if at := clockOn(d, clock, t.Location()); clock != 0 && at.After(t) {
			return at
		}
	}
	return clockOn(d.Add(1), 0, t.Location())
}

func clockOn(d Date, clock time.Duration, zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, int(clock/time.Second), 0, zone)
}

// termEnd is the next end of term on or after d; zero if none is known.
func (c Calendar) termEnd(d Date) Date {
	var next Date
	for _, e := range c.TermEnds {
		if !e.Before(d) && (next.IsZero() || e.Before(next)) {
			next = e
		}
	}
	return next
}

// Due is the end of a loan made at now (in the site's zone) under r, for a patron whose membership
// ends on expires (zero: never). A day on which the library is closed moves to the next open day, but
// never past the end of term or of membership; there it moves back to the last open day before.
func (c Calendar) Due(r Rule, now time.Time, expires Date) Due {
	today := DateOf(now)
	if r.Hours > 0 {
		return c.dueInHours(now.Add(time.Duration(r.Hours) * time.Hour))
	}
	day := r.Until
	if day.IsZero() {
		day = today.Add(r.Days)
	}
	day = c.NextOpen(day)
	for _, end := range []Date{c.termEnd(today), expires} {
		if !end.IsZero() && !end.Before(today) && end.Before(day) {
			day = c.LastOpen(end)
		}
	}
	if day.Before(today) {
		day = today
	}
	return DueOn(day)
}

func (c Calendar) dueInHours(at time.Time) Due {
	if c.OpenAt(at) {
		return DueAt(at)
	}
	if next := c.Opens(at); !next.IsZero() {
		return DueAt(next)
	}
	return DueAt(at)
}

// Rule finds the rule for a patron and an item; false means that they may not borrow it.
func (p Policy) Rule(patron, item string) (Rule, bool) {
	r, ok := p.Rules[RuleFor{patron, item}]
	return r, ok && !(r.Days == 0 && r.Hours == 0 && r.Until.IsZero())
}

// Room tells whether a patron with these open loans may take one more of a circulation type.
// A type whose own limit is above the general one has an allotment of its own (20 textbooks beside
// 5 books) and does not count in the general limit; a smaller one is a cap within it (1 DVD among 5).
func (p Policy) Room(patron string, loans []Borrowed, item string) bool {
	t := p.Patrons[patron]
	own := func(typ string) bool { return t.Limit > 0 && t.Limits[typ] > t.Limit }
	general, same := 0, 0
	for _, b := range loans {
		if !own(b.Item.Type) {
			general++
		}
		if b.Item.Type == item {
			same++
		}
	}
	if limit, ok := t.Limits[item]; ok && same >= limit {
		return false
	}
	return own(item) || t.Limit == 0 || general < t.Limit
}

// Overdue counts the loans of a that are overdue at now, each after its rule's grace.
func (p Policy) Overdue(a Account, now time.Time) int {
	n := 0
	for _, b := range a.Loans {
		r, _ := p.Rule(a.Patron.Type, b.Item.Type)
		if b.Loan.Due.Past(now, r.Grace) {
			n++
		}
	}
	return n
}

// Blocked tells whether a patron may borrow nothing at all at now.
func (p Policy) Blocked(a Account, now time.Time) bool {
	t, known := p.Patrons[a.Patron.Type]
	expired := !a.Patron.Expires.IsZero() && a.Patron.Expires.Before(DateOf(now))
	return !known || a.Patron.Inactive || expired ||
		t.BlockOverdue > 0 && p.Overdue(a, now) >= t.BlockOverdue ||
		t.BlockCharges > 0 && a.Charges >= t.BlockCharges
}

// Setup is what one desk is set up with. It is immutable once in use.
type Setup struct {
	Site      string
	Zone      *time.Location
	Languages []string // the first is the desk's own
	Printer   bool     // there is one for slips
	NoGate    bool     // no gate asks the tags, or no reader writes them: nothing is changed on them
	Policy    Policy
	Idle      time.Duration // without a scan or tap until the warning; zero: 40 s
	Warn      time.Duration // from the warning to the end of the session; zero: 20 s, the least that is allowed
}

func (u *Setup) idle() time.Duration { return cmp.Or(u.Idle, 40*time.Second) }

func (u *Setup) warn() time.Duration { return max(u.Warn, 20*time.Second) }
