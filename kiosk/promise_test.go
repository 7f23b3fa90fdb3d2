package kiosk

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var days = flag.Int("days", 10, "how many days of anything TestAnythingInAnyOrder plays")

// A mixer makes events of bytes: two for each, what and which.
type mixer struct {
	*desk
}

// codes are what can be scanned.
var codes = strings.Fields("2001 2002 2003 2004 2005 2007 2008 2009 2010 2011 2012 2013 2999 3001 3002 3003 3004 3005 3006 3007 3008 3011 3012 3013 3014 3015 " +
	"3016 3017 3018 3021 3022 3023 3024 3025 3026 3027 3999 7001 7002 7003 4001 9781234567897 xyz nothing !finish !return !account !help !ok !digit:9")

// lapses are the times that pass, also backwards.
var lapses = []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 6 * time.Second, 8 * time.Second,
	10 * time.Second, 15 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, 10 * time.Minute, 2 * time.Hour, 24 * time.Hour, -time.Second, -time.Minute, -3 * time.Hour}

func pick[T any](list []T, n byte) T { return list[int(n)%len(list)] }

func (m *mixer) mix(data []byte) {
	m.open()
	for len(data) >= 2 {
		m.now = m.now.Add(300 * time.Millisecond)
		m.event(data[0]%26, data[1])
		data = data[2:]
	}
}

func (m *mixer) event(what, n byte) {
	switch what {
	case 0, 1, 2, 3, 4:
		m.happen(scanOf(RoleStudent, pick(codes, n)))
	case 5, 6:
		m.happen(scanOf(RoleBin, pick(codes, n)))
	case 7:
		m.happen(scanOf(RoleStaff, pick(codes, n)))
	case 8, 9, 10:
		m.tapOne(n)
	case 11, 12:
		m.now = m.now.Add(pick(lapses, n))
		m.happen(Woke{})
	case 13:
		m.held, m.slow = n%2 == 0, n%3 == 0
		m.happen(Woke{})
	case 14:
		m.unasked(n)
	case 20, 21:
		m.lay(n)
	case 24, 25:
		m.typeSome(n)
	case 22:
		m.happen(cardOf(pick([]Role{RoleStudent, RoleStaff, RoleBin}, n/16), pick(strings.Fields("c2001 c2002 c2009 c2010 c2777 c2778 many phone"), n)))
	case 23:
		m.happen(scanOf(RoleStudent, pick(strings.Fields("2009 2001 2002 3001 3021"), n)))
	default:
		m.outside(what, n)
	}
}

// tapOne taps what is offered, or garbage.
func (m *mixer) tapOne(n byte) {
	v := View(m.state)
	ev := Tapped{ID: "page:" + fmt.Sprint(int8(n)), Seq: v.Seq, Session: v.Session}
	if len(v.Actions) > 0 && n < 240 {
		ev.ID = pick(v.Actions, n)
	}
	if n >= 250 {
		ev.Seq += uint64(n) - 252
	}
	m.happen(ev)
}

// typeSome types the PIN of whoever is asked for one, or part of it, or another, and often agrees.
func (m *mixer) typeSome(n byte) {
	if m.state.Mode != ModePIN {
		m.happen(scanOf(RoleStudent, pick([]string{"2010", "2013"}, n/4)))
		m.now = m.now.Add(300 * time.Millisecond)
	}
	digits := m.lib.pins[m.state.Account.Patron.ID]
	if n%3 == 0 || digits == "" {
		digits = fmt.Sprint(1000*(int(n)+1) + int(n))
	}
	for i, d := range digits[:len(digits)-int(n)%2] {
		if m.now = m.now.Add(200 * time.Millisecond); n%16 == 15 && i == 2 {
			m.tapID("erase")
		}
		m.tapID("digit:" + string(d))
	}
	if n%8 != 7 {
		m.tapID("ok")
	}
}

func (m *mixer) tapID(id string) {
	v := View(m.state)
	m.happen(Tapped{ID: id, Seq: v.Seq, Session: v.Session})
}

// unasked is an answer to a call that is not open, or of the wrong kind.
func (m *mixer) unasked(n byte) {
	m.happen(Woke{}) // what is due at this moment is not the answer's doing
	before := m.state
	events := []Event{
		Found{Call: m.state.Calls + 1 + uint64(n), Account: m.lib.account("2001")}, Recorded{Call: m.state.Calls + uint64(n) + 1, OK: true},
		Verified{Call: m.state.Calls + 1, OK: true}, Verified{OK: true}, Found{Call: 0, Copy: m.lib.copy("3001")}, Recorded{}, Secured{}, Secured{Call: m.state.Calls + 1, Failed: []string{"t"}},
	}
	for _, q := range m.state.Open {
		if q.is() != askRecord {
			events = append(events, Recorded{Call: q.Call, OK: n%2 == 0})
		}
		if q.is() != askVerify {
			events = append(events, Verified{Call: q.Call, OK: true})
		}
		if q.is() != askFind {
			events = append(events, Found{Call: q.Call, Account: m.lib.account("2001")})
		}
	}
	m.once(pick(events, n))
	if !reflect.DeepEqual(before.Open, m.state.Open) {
		m.complain("an answer that nobody asked for is taken for one")
	}
}

// lay puts up to four tags on one of two pads: of a few books, so that they come and go, or blank.
func (m *mixer) lay(n byte) {
	words := strings.Fields("3001 3001- 3002+ 3002 3003/1of2 3003/2of2 3021 blank 4001 3999 3004 3022- 3023 3005/9of9 3005 3006")
	var tags []TagOn
	for i := range int(n>>4) % 5 {
		tags = append(tags, tagsOf([]string{pick(words, n+byte(i*5))})...)
	}
	source, role := "pad", pick([]Role{RoleStudent, RoleStudent, RoleStaff}, n)
	if n%5 == 0 {
		source, role = fmt.Sprint("chute", n%16), RoleBin
	}
	m.happen(Laid{Source: source, Role: role, Tags: tags, Unclear: n%7 == 0})
}

func (m *mixer) outside(what, n byte) {
	switch what {
	case 15:
		m.deaf, m.stiff = n%4 == 0, n%3 == 0
	case 16:
		m.journal = pick([]string{"ok", "ok", "ok", "fails", "lost"}, n)
	case 17:
		ev := m.lib.journal(n%4 != 0)
		ev.Reserve = n%5 == 0
		m.happen(ev)
	case 18:
		m.happen(DeviceIs{Name: pick([]string{"desk", "side", "chute"}, n), Role: pick([]Role{RoleStudent, RoleStaff, RoleBin}, n), Ready: n%4 != 0, Trouble: n%8 == 1, Kind: pick([]string{"", DeviceReader, DevicePrinter}, n/3)})
		m.happen(AlarmIs{Alarm: pick(append(Alarms(), "NONE"), n), On: n%2 == 0})
	case 19:
		m.happen(LibraryIs{Up: n%2 == 0})
		m.happen(ClockIs{Trust: pick([]Clock{ClockSynchronised, ClockImpossible}, n/2), Floor: tuesday.Add(time.Duration(n) * time.Hour)})
	}
}

// FuzzStep lets anything happen in any order and looks at every step for broken promises (desk.check):
// the same input gives the same output and is left as it was; recorded before shown; nobody's name where
// nobody stands; one open loan for an item; everything bounded.
func FuzzStep(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		m := &mixer{desk: newDesk(func(format string, args ...any) { t.Helper(); t.Fatalf(format, args...) })}
		m.mix(data)
	})
}

// complaints plays a script with a core that breaks a promise, and tells what the desk says to it.
func complaints(step func(State, time.Time, Event) (State, []Effect)) []string {
	var said []string
	m := &mixer{desk: newDesk(func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })}
	m.step = step
	m.open()
	for _, ev := range []Event{
		cardOf(RoleStudent, "c2001"), Laid{Source: "pad", Role: RoleStudent, Tags: tagsOf([]string{"3001"})}, scanOf(RoleStudent, "!finish"), Woke{}, Woke{}, Woke{},
	} {
		m.now = m.now.Add(8 * time.Second)
		m.happen(ev)
	}
	m.happen(cardOf(RoleStudent, "c2010"))
	m.now = m.now.Add(8 * time.Second)
	m.typeSome(2)
	m.now = m.now.Add(8 * time.Second)
	m.happen(scanOf(RoleStudent, "!finish"))
	return said
}

// broken are cores that break a promise, each with what the desk must say to it.
var broken = []struct {
	name, want string
	step       func(State, time.Time, Event) (State, []Effect)
}{
	{"shows a loan before it is recorded", "is shown before it is recorded", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		for _, q := range is.Open {
			if q.Acts != nil {
				is.Lines = append(slices.Clip(is.Lines), q.Lines...)
			}
		}
		return is, out
	}},
	{"keeps the patron after the visit", "keeps the name of", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if is.Mode == ModeBye {
			is.Account = s.Account
		}
		return is, out
	}},
	{"greets who has left", "shows the name of", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if is.Mode == ModeBye {
			is.Lines = []Line{{Title: "Maya"}}
			is.Mode = ModeReturn
		}
		return is, out
	}},
	{"writes into what it was given", "has changed the state", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if len(s.Heard) > 0 {
			s.Heard[0].ID++
		}
		return is, out
	}},
	{"keeps the digits after the visit", "digits are left in", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if is.Typed == "" {
			is.Typed = s.Typed
		}
		return is, out
	}},
	{"keeps the PIN with the question", "a PIN is left in", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		is.Open = slices.Clone(is.Open)
		for i := range is.Open {
			if is.Open[i].PIN {
				is.Open[i].Code = s.Typed
			}
		}
		return is, out
	}},
	{"shows the digits", "the screen shows the digits", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if is.Mode == ModePIN {
			is.Lang = " " + is.Typed + " "
		}
		return is, out
	}},
	{"lets in whom it asks", "is let in before the PIN is right", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		is.Known = is.Known || is.Asked
		return is, out
	}},
	{"looks at any PIN", "is looked at", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		for i, e := range out {
			if v, ok := e.(Verify); ok {
				v.PIN = v.PIN[:3]
				out[i] = v
			}
		}
		return is, out
	}},
	{"throws dice", "twice is not the same", func() func(s State, at time.Time, ev Event) (State, []Effect) {
		var n uint64
		return func(s State, at time.Time, ev Event) (State, []Effect) {
			n++
			is, out := Step(s, at, ev)
			is.Sounds = n
			return is, out
		}
	}()},
	{"asks one call twice", "is asked twice", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		return is, append(out, out...)
	}},
	{"wants to be woken yesterday", "wants to be woken", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		is.Until = at.Add(-24 * time.Hour)
		return is, out
	}},
	{"frees a book before its loan is recorded", "are changed before its loan is recorded", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		for _, e := range out {
			if r, ok := e.(Record); ok && r.Acts[0].Kind == KindLoan {
				return is, append(out, Secure{Call: 1000 + r.Call, Source: "pad", Tags: []string{"t3001"}})
			}
		}
		return is, out
	}},
	{"frees a book that is not lent", "the gate alarms for", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if f, ok := ev.(Found); ok && f.Copy != nil {
			out = append([]Effect{Secure{Call: 1000 + f.Call, Source: "pad", Tags: []string{"t3001"}}}, out...)
		}
		return is, out
	}},
	{"changes tags that are not there", "does not lie on", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		for i, e := range out {
			if e, ok := e.(Secure); ok {
				e.Tags = []string{"t3777"}
				out[i] = e
			}
		}
		return is, out
	}},
	{"shows a card", "a card is left in", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		if e, ok := ev.(Scanned); ok && e.Card != "" {
			is.Lang = string(e.Card)
		}
		return is, out
	}},
	{"lends a book twice", "is lent twice", func(s State, at time.Time, ev Event) (State, []Effect) {
		is, out := Step(s, at, ev)
		for _, e := range out {
			if r, ok := e.(Record); ok {
				again := Record{Call: r.Call + 100, Acts: slices.Clone(r.Acts)}
				again.Acts[0].Key += "0"
				return is, append(out, again)
			}
		}
		return is, out
	}},
}

// The desk of these tests sees what it is there to see.
func TestABrokenPromiseIsSeen(t *testing.T) {
	if said := complaints(Step); said != nil {
		t.Fatalf("of the core itself the desk says: %q", said)
	}
	for _, c := range broken {
		if said := strings.Join(complaints(c.step), "\n"); !strings.Contains(said, c.want) {
			t.Errorf("a core that %s: the desk says %q", c.name, said)
		}
	}
}

// Sixty books a minute, of every kind, with one scanned double each time: each is answered and counted.
func TestTheBinTakesSixtyBooksAMinute(t *testing.T) {
	d := newDesk(t.Errorf)
	d.open()
	start := d.now
	for i := range 60 {
		d.now = start.Add(time.Duration(i+1) * time.Second)
		code := fmt.Sprint(3001 + i%30)
		if i >= 30 {
			code = fmt.Sprint(3901 + i)
		}
		d.happen(scanOf(RoleBin, code))
		d.now = d.now.Add(400 * time.Millisecond)
		d.happen(scanOf(RoleBin, code))
	}
	v := View(d.state)
	want := Tally{Return: 6, Hold: 2, Transfer: 2, Repair: 1, Unknown: 30, AlreadyIn: 18, Found: 1, Duplicate: 60}
	if v.Tally != want || v.Tally.All() != 60 || v.Mode != ModeBin || v.Aside != 36 {
		t.Errorf("%s with %+v, %d aside", v.Mode, v.Tally, v.Aside)
	}
	for _, l := range d.state.Bin.Aside {
		if l.Key == "" {
			t.Errorf("%+v has no key", l)
		}
	}
	if len(d.lib.acts) != 30 {
		t.Errorf("%d acts", len(d.lib.acts))
	}
}

// Days of anything, from dice that fall the same every time. A fuzzer goes on from there.
func TestAnythingInAnyOrder(t *testing.T) {
	for seed := range uint64(*days) {
		dice := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 1000)
		for i := range data {
			data[i] = byte(dice.Uint32())
		}
		m := &mixer{desk: newDesk(func(format string, args ...any) { t.Fatalf("day %d: "+format, append([]any{seed}, args...)...) })}
		m.mix(data)
	}
}
