package kiosk

import (
	"reflect"
	"slices"
	"strings"
	"time"
)

// A desk is the core with a library for cache and journal. It looks at every step for broken promises.
type desk struct {
	step     func(State, time.Time, Event) (State, []Effect)
	lib      *library
	now      time.Time
	state    State
	answers  []Event // given and not yet heard, in order
	held     bool    // answers wait
	deaf     bool    // the cache cannot be read
	journal  string  // ok, fails, lost (written, but nobody can tell)
	stiff    bool    // tags do not change
	writes   []Event // what readers have done and not yet told
	slow     bool    // readers take their time
	durable  map[Key]bool
	calls    map[uint64]bool
	complain func(format string, args ...any)
	saw      func(was, is State, out []Effect)
}

// tuesday is when the desk begins.
var tuesday = time.Date(2026, 12, 1, 10, 0, 0, 0, pacific)

func newDesk(complain func(string, ...any)) *desk {
	return &desk{
		step: Step, lib: school(), now: tuesday, state: New(setup(), tuesday, 0), journal: "ok",
		durable: map[Key]bool{}, calls: map[uint64]bool{}, complain: complain,
	}
}

// open brings up what a desk has at the start of its day.
func (d *desk) open() {
	d.happen(d.lib.journal(true))
	d.happen(DeviceIs{Name: "desk", Role: RoleStudent, Ready: true})
}

// happen steps the core and answers it until it asks no more.
func (d *desk) happen(ev Event) {
	d.once(ev)
	for {
		switch {
		case !d.held && len(d.answers) > 0:
			ev := d.answers[0]
			d.answers = d.answers[1:]
			d.once(ev)
		case !d.slow && len(d.writes) > 0:
			ev := d.writes[0]
			d.writes = d.writes[1:]
			d.once(ev)
		default:
			return
		}
	}
}

func (d *desk) once(ev Event) {
	if r, ok := ev.(Recorded); ok && r.OK {
		d.promise(r.Call)
	}
	was, before := d.state, deepCopy(d.state)
	is, out := d.step(was, d.now, ev)
	if again, same := d.step(was, d.now, ev); !reflect.DeepEqual(is, again) || !reflect.DeepEqual(out, same) {
		d.complain("%T twice is not the same", ev)
	}
	if !reflect.DeepEqual(was, before) {
		d.complain("%T has changed the state that it was given", ev)
	}
	d.state = is
	d.check(ev, out)
	if d.saw != nil {
		d.saw(was, is, out)
	}
	for _, e := range out {
		d.do(e)
	}
}

// promise notes what the screen may now show as done.
func (d *desk) promise(call uint64) {
	for _, q := range d.state.Open {
		if q.Call != call {
			continue
		}
		for _, a := range q.Acts {
			d.durable[a.Key] = true
		}
	}
}

// do carries out one effect at once; its answer may have to wait.
func (d *desk) do(e Effect) {
	switch e := e.(type) {
	case Find:
		d.answerOnce(e.Call)
		ev := Found{Call: e.Call, Failed: d.deaf}
		if !d.deaf {
			ev.Account, ev.Copy = d.lib.holder(e), d.lib.copy(e.Item)
		}
		d.answers = append(d.answers, ev)
	case Record:
		d.answerOnce(e.Call)
		if d.journal != "fails" {
			for _, a := range e.Acts {
				if err := d.lib.apply(a); err != nil {
					d.complain("%v", err)
				}
			}
		}
		d.answers = append(d.answers, Recorded{Call: e.Call, OK: d.journal == "ok"})
	case Verify:
		d.answerOnce(e.Call)
		d.answers = append(d.answers, Verified{Call: e.Call, Failed: d.deaf, OK: !d.deaf && e.PIN == d.lib.pins[e.Patron]})
	case Secure:
		d.answerOnce(e.Call)
		ev := Secured{Call: e.Call}
		if d.stiff {
			ev.Failed = e.Tags[:1]
		}
		d.writes = append(d.writes, ev)
	case Print: // paper answers nobody
	default:
		d.complain("nobody carries out %T", e)
	}
}

func (d *desk) answerOnce(call uint64) {
	if d.calls[call] {
		d.complain("call %d is asked twice", call)
	}
	d.calls[call] = true
}

// wait lets time pass and wakes the desk whenever it wants to be woken.
func (d *desk) wait(long time.Duration, woken func()) {
	end := d.now.Add(long)
	for {
		next := d.state.Wake()
		if next.IsZero() || next.After(end) {
			break
		}
		d.now = next
		d.happen(Woke{})
		woken()
	}
	d.now = end
	d.happen(Woke{})
}

// check looks for broken promises in what a step has left.
func (d *desk) check(ev Event, out []Effect) {
	s := d.state
	v := View(s)
	if again := View(s); !reflect.DeepEqual(v, again) {
		d.complain("two views of one state differ")
	}
	if w := s.Wake(); !w.IsZero() && !w.After(s.At) {
		d.complain("after %T the desk wants to be woken %v ago", ev, s.At.Sub(w))
	}
	for _, a := range v.Actions {
		if n := slices.Index(v.Actions, a); v.Actions[n+1:] != nil && slices.Contains(v.Actions[n+1:], a) {
			d.complain("action %q is offered twice in %s", a, v.Mode)
		}
	}
	for _, l := range v.Lines {
		if done(l.Outcome) && !d.durable[Key(l.Key)] {
			d.complain("%s of %q is shown before it is recorded", l.Outcome, l.Tail)
		}
	}
	for what, n := range map[string]int{
		"open questions": len(s.Open) - maxOpen, "lines": len(s.Lines) - maxLines, "sounds": len(s.Heard) - maxHeard, "books without a card": len(s.Waiting) - maxWaiting,
		"lines of the bin": len(s.Bin.Lines) - maxStrip, "exceptions": len(s.Bin.Aside) - maxAside,
		"pads": len(s.Pads) - maxPads, "books in work": len(s.Securing) - maxSecuring, "bad tags": len(s.BadTags) - maxBadTags, "alarms": len(s.Told) - len(Alarms()),
	} {
		if n > 0 {
			d.complain("%d %s too many", n, what)
		}
	}
	d.checkPrivacy(s, v)
	d.checkPIN(s, v, out)
	d.checkEffects(out)
}

// done tells whether an outcome says that something has been recorded.
func done(o Outcome) bool {
	switch o {
	case OutcomeLoan, OutcomeRenewal, OutcomeReturn, OutcomeHold, OutcomeTransfer, OutcomeRepair, OutcomeFound, OutcomeAlreadyIn:
		return true
	}
	return false
}

// checkPrivacy looks for patrons where none may be: a screen has no number of anybody, a state beside its
// open questions only the one who stands there.
func (d *desk) checkPrivacy(s State, v Screen) {
	for _, q := range s.Open {
		if ItemID(q.Code) == s.Bin.Last {
			s.Bin.Last = ""
		}
	}
	s.Setup, s.Open = nil, nil
	state, screen := wordsOf(reflect.ValueOf(s)), wordsOf(reflect.ValueOf(v))
	if strings.Contains(screen, "c2") || strings.Contains(state, "c2") && !s.Known { // a member of staff may enrol one
		d.complain("a card is left in %s", s.Mode)
	}
	if s.Known && s.Asked || v.Greeting != "" && !s.Known {
		d.complain("%q is let in before the PIN is right", s.Account.Patron.Name)
	}
	for id, p := range d.lib.patrons {
		here := (s.Known || s.Asked) && s.Account.Patron.ID == id
		if strings.Contains(screen, p.Name) && !(here && s.Known) {
			d.complain("the screen %s shows the name of %q, who is not there", v.Mode, id)
		}
		if !here && strings.Contains(state, p.Name) {
			d.complain("the state keeps the name of %q in %s", id, s.Mode)
		}
		if _, both := d.lib.items[ItemID(id)]; both {
			continue
		}
		if strings.Contains(screen, string(id)) {
			d.complain("the screen %s shows the number %q", v.Mode, id)
		}
		if !here && strings.Contains(state, string(id)) {
			d.complain("the state keeps the number %q in %s", id, s.Mode)
		}
	}
}

// checkPIN looks for digits where none may be: they are in the state while their screen is up and in the
// effect that asks for them, and nobody is let in who has guessed too often.
func (d *desk) checkPIN(s State, v Screen, out []Effect) {
	if (s.Typed != "" || strings.HasPrefix(s.Tap, "digit:")) && s.Mode != ModePIN || s.Mode == ModePIN && !s.Asked {
		d.complain("%d digits are left in %s", len(s.Typed), s.Mode)
	}
	for _, e := range out {
		v, ok := e.(Verify)
		if ok && (len(v.PIN) < leastPIN || d.lib.tries[v.Patron] > mostTries) { // one more where answers are late
			d.complain("the PIN of %q is looked at, %d digits after %d wrong ones", v.Patron, len(v.PIN), d.lib.tries[v.Patron])
		}
	}
	typed := s.Typed
	s.Setup, s.Typed = nil, ""
	words := wordsOf(reflect.ValueOf(s)) + wordsOf(reflect.ValueOf(v))
	for _, pin := range d.lib.pins {
		if strings.Contains(words, pin) {
			d.complain("a PIN is left in %s", s.Mode)
		}
	}
	if len(typed) >= leastPIN && strings.Contains(wordsOf(reflect.ValueOf(v)), " "+typed+" ") {
		d.complain("the screen shows the digits typed")
	}
}

// wordsOf are all strings in a value.
func wordsOf(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return v.String() + " "
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return ""
		}
		words := ""
		for i := range v.NumField() {
			words += wordsOf(v.Field(i))
		}
		return words
	case reflect.Slice:
		words := ""
		for i := range v.Len() {
			words += wordsOf(v.Index(i))
		}
		return words
	}
	return ""
}

func (d *desk) checkEffects(out []Effect) {
	for _, e := range out {
		switch e := e.(type) {
		case Record:
			if len(e.Acts) == 0 {
				d.complain("a record of nothing")
			}
		case Secure:
			d.checkSecure(e)
		}
	}
}

// checkSecure looks at what a reader is asked for: tags that lie there, of a book whose loan or return the
// journal has promised, and never a free way through the gate for one that is not lent.
func (d *desk) checkSecure(e Secure) {
	i := slices.IndexFunc(d.state.Pads, func(p Pad) bool { return p.Source == e.Source })
	if i < 0 || len(e.Tags) == 0 {
		d.complain("secure %+v on no pad", e)
		return
	}
	for _, uid := range e.Tags {
		j := slices.IndexFunc(d.state.Pads[i].Tags, func(t TagOn) bool { return t.UID == uid })
		if j < 0 {
			d.complain("tag %q does not lie on %q", uid, e.Source)
			return
		}
		item := d.state.Pads[i].Tags[j].Item
		if _, out := d.lib.loans[item]; out == e.On {
			d.complain("the gate alarms for %q: %v, and it is lent: %v", item, e.On, out)
		}
		for _, q := range d.state.Open {
			for _, a := range q.Acts {
				if a.Item == item && a.Kind.lends() {
					d.complain("the tags of %q are changed before its %s is recorded", item, a.Kind)
				}
			}
		}
	}
}

// deepCopy copies a State with all that Step could write into.
func deepCopy(s State) State {
	return copyOf(reflect.ValueOf(s)).Interface().(State)
}

func copyOf(v reflect.Value) reflect.Value {
	if _, leaf := v.Interface().(time.Time); leaf || v.Kind() == reflect.Pointer {
		return v
	}
	to := reflect.New(v.Type()).Elem()
	to.Set(v)
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			to.Field(i).Set(copyOf(v.Field(i)))
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		to.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			to.Index(i).Set(copyOf(v.Index(i)))
		}
	}
	return to
}
