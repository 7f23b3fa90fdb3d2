package kiosk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Step is the desk: it answers one event at one moment with the next State and with what is to be
// done for it. It reads no clock; neither s nor ev is changed. at carries wall time in any zone and,
// where the caller has it, the monotonic clock. The answers of the Effects must come back in the
// order in which the Effects were given; only that of a Secure comes when it comes.
func Step(s State, at time.Time, ev Event) (State, []Effect) {
	k := &step{State: s, was: s}
	k.At = at.In(s.Setup.Zone)
	k.expire()
	k.happen(ev)
	k.takeBooks()
	k.tellBin()
	k.tryTags()
	k.trouble()
	if n := k.seconds(); n > 0 && n <= lastTicks && n != s.seconds() {
		k.sound(SoundTick)
	}
	k.forgetDigits()
	k.Alarms = k.standing()
	k.Seq++
	if k.Mode != s.Mode || k.Session != s.Session || len(k.Account.Loans) < len(s.Account.Loans) {
		k.Since = Shown{k.Seq, k.At}
	}
	return k.State, k.out
}

// A step is a State in the making. Its slices are replaced, never written into.
type step struct {
	State
	was State // before this Step
	out []Effect
}

func (k *step) happen(ev Event) {
	switch ev := ev.(type) {
	case Woke:
	case Scanned:
		k.scanned(ev)
	case Tapped:
		k.tapped(ev)
	case Found:
		k.found(ev)
	case Recorded:
		k.recorded(ev)
	case Verified:
		k.verified(ev)
	case Laid:
		k.laid(ev)
	case Secured:
		k.secured(ev)
	case DeviceIs:
		k.device(ev)
	case AlarmIs:
		k.alarm(ev)
	case JournalIs:
		k.Writable, k.Reserve, k.NoCache, k.Prefix, k.Next = ev.Writable, ev.Reserve, ev.NoCache, ev.Prefix, ev.Next
	case LibraryIs:
		k.Offline = !ev.Up
	case ClockIs:
		k.Clock, k.Floor = ev.Trust, ev.Floor
	default:
		panic(fmt.Sprintf("kiosk: event %T has no case", ev))
	}
}

// expire ends whatever has run out.
func (k *step) expire() {
	if past(k.Clears, k.At) {
		k.clearNotice()
		if k.Session == 0 {
			k.Refusals = 0 // the next child is another one
		}
	}
	if past(k.Bin.Until, k.At) {
		k.Bin = Bin{}
		if k.Mode == ModeBin || k.Mode == ModeAside {
			k.leave()
		}
	}
	if past(k.Until, k.At) {
		k.timeOut()
	}
}

func past(t, at time.Time) bool { return !t.IsZero() && !at.Before(t) }

// timeOut is what a screen does when nobody touches it for its time.
func (k *step) timeOut() {
	switch k.Mode {
	case ModeBorrow, ModeAccount, ModeRenewed:
		k.warn(k.Mode)
	case ModeHelp:
		if !k.Known {
			k.leave()
			return
		}
		k.warn(k.Back)
	case ModeFinish:
		k.bye()
		k.sound(SoundBye)
	case ModeStillThere:
		k.bye() // in silence: nobody is there to hear it
	default:
		k.leave()
	}
}

// warn asks whether the patron is still there. 20 s at least to answer (WCAG 2.2.1).
func (k *step) warn(back Mode) {
	k.Back = back
	k.show(ModeStillThere)
	k.sound(SoundWarn)
}

// show brings up a screen with its own patience.
func (k *step) show(m Mode) {
	k.Mode, k.First = m, 0
	k.Until = k.deadline(m)
}

func (k *step) deadline(m Mode) time.Time {
	wait := map[Mode]time.Duration{
		ModeItemFirst: waitItemFirst, ModeWho: waitWho, ModeUnknownCard: waitUnknown, ModeBlocked: waitBlocked,
		ModePIN: k.Setup.idle(), ModeReturn: waitReturn, ModeFinish: waitFinish, ModeBye: waitBye, ModeHelp: waitHelp,
		ModeBorrow: k.Setup.idle(), ModeAccount: k.Setup.idle(), ModeRenewed: k.Setup.idle(),
		ModeStillThere: k.Setup.warn(),
	}[m]
	switch {
	case wait > 0:
		return k.At.Add(wait)
	case k.Chosen && (m == ModeAttract || m == ModeClosed || m == ModeBorrowingOff || m == ModeOutOfOrder):
		return k.At.Add(k.Setup.idle()) // a language that nobody uses goes back
	case k.New > 0 && (m == ModeBorrowingOff || m == ModeOutOfOrder):
		return k.At.Add(waitHelp) // the number of the books is for who has borrowed them
	}
	return time.Time{}
}

// bye ends a visit with thanks: nothing of the patron is left, only the number of books.
func (k *step) bye() {
	k.Visit = Visit{Lang: k.Lang, New: k.New}
	k.show(ModeBye)
}

// leave empties the room.
func (k *step) leave() {
	k.Visit = Visit{Lang: k.Setup.Languages[0]}
	k.show(k.rest())
}

// rest is the screen of an empty room.
func (k *step) rest() Mode {
	switch {
	case !k.Writable:
		return ModeBorrowingOff
	case k.Bin.Session != 0 && k.Bin.Looking:
		return ModeAside
	case k.Bin.Session != 0:
		return ModeBin
	case k.deaf():
		return ModeOutOfOrder
	case k.closed():
		return ModeClosed
	case k.Reserve:
		return ModeBorrowingOff
	}
	return ModeAttract
}

func (s State) closed() bool { return !s.Setup.Policy.Calendar.OpenAt(s.today()) }

// deaf tells that no scanner or reader for students works, where there are any.
func (k *step) deaf() bool {
	any := false
	for _, d := range k.Devices {
		if d.Role == RoleBin || !d.is(DeviceScanner) && !d.is(DeviceReader) {
			continue
		}
		if d.Ready {
			return false
		}
		any = true
	}
	return any
}

// trouble brings up what must be said of the desk itself, and takes it down again. A visit in
// progress ends only when it cannot go on; what was borrowed stays borrowed, and the number shows.
func (k *step) trouble() {
	now := k.rest()
	halted := !k.Writable || k.deaf() || k.Reserve && !k.resting() && !k.returning()
	switch {
	case k.Mode == now:
	case halted && k.Mode != ModeBye:
		k.Visit = Visit{Lang: k.Lang, New: k.New}
		k.show(now)
	case (k.Mode == ModeAttract || k.Mode == ModeClosed) && k.Notice != "":
		// let the sentence stand its time
	case k.resting() && k.Mode != ModeBin && k.Mode != ModeAside:
		k.leave()
	}
}

// resting tells whether the screen is one of an empty room.
func (s State) resting() bool {
	switch s.Mode {
	case ModeAttract, ModeClosed, ModeBin, ModeAside, ModeBorrowingOff, ModeOutOfOrder:
		return true
	}
	return false
}

// returning tells whether books are being given back, or help is called for that.
func (s State) returning() bool {
	return s.Mode == ModeReturn || s.Mode == ModeHelp && s.Session != 0 && s.Back == ModeReturn
}

func (k *step) device(ev DeviceIs) {
	is := Device(ev)
	i := slices.IndexFunc(k.Devices, func(d Device) bool { return d.Name == ev.Name })
	if i < 0 {
		k.Devices = append(slices.Clip(k.Devices), is)
		return
	}
	k.Devices = slices.Clone(k.Devices)
	k.Devices[i] = is
}

// alarm notes what a shell tells. That tags are bad ends when staff say so.
func (k *step) alarm(ev AlarmIs) {
	k.Told = slices.DeleteFunc(slices.Clone(k.Told), func(a Alarm) bool { return a == ev.Alarm })
	switch {
	case ev.On && slices.Contains(Alarms(), ev.Alarm):
		k.Told = append(k.Told, ev.Alarm)
	case ev.Alarm == AlarmTags:
		k.BadTags = nil
	}
}

// standing is the list of alarms, each with the time at which it began.
func (k *step) standing() []Standing {
	absent := func(kind string) bool {
		return slices.ContainsFunc(k.Devices, func(d Device) bool { return !d.Ready && d.is(kind) })
	}
	degraded := slices.ContainsFunc(k.Devices, func(d Device) bool { return d.Ready && d.Trouble })
	own := map[Alarm]bool{
		AlarmScanner: absent(DeviceScanner), AlarmReader: absent(DeviceReader), AlarmPrinter: absent(DevicePrinter), AlarmDevice: degraded,
		AlarmJournal: !k.Writable, AlarmDisk: k.Writable && k.Reserve, AlarmCache: k.NoCache,
		AlarmClock: k.Clock == ClockImpossible, AlarmLibrary: k.Offline, AlarmTags: len(k.BadTags) > 0,
	}
	var now []Standing
	for _, alarm := range Alarms() {
		if !own[alarm] && !slices.Contains(k.Told, alarm) {
			continue
		}
		since := k.At
		if i := slices.IndexFunc(k.Alarms, func(s Standing) bool { return s.Alarm == alarm }); i >= 0 {
			since = k.Alarms[i].Since
		}
		now = append(now, Standing{alarm, since})
	}
	return now
}

func (k *step) sound(kind Sound) {
	k.Sounds++
	heard := append(slices.Clip(k.Heard), Heard{k.Sounds, kind})
	k.Heard = heard[max(0, len(heard)-maxHeard):]
}

// refuse says a Fault about a book or card; the line of the book, if any, stands as long as the sentence.
func (k *step) refuse(f Fault, l Line) {
	k.clearNotice()
	k.Notice, k.Clears = f, k.At.Add(waitNotice)
	if l.Tail != "" {
		l.Outcome, l.Fault = OutcomeRefused, f
		k.add(l)
	}
	k.sound(SoundRefused)
}

func (k *step) clearNotice() {
	k.Notice, k.Clears, k.Enrol = "", time.Time{}, ""
	k.Lines = slices.DeleteFunc(slices.Clone(k.Lines), func(l Line) bool { return l.Outcome == OutcomeRefused })
}

// add puts a line on top of the visit's.
func (k *step) add(l Line) { k.Lines = prepend(k.Lines, l, maxLines) }

func prepend(lines []Line, l Line, most int) []Line {
	lines = append([]Line{l}, lines...)
	return lines[:min(len(lines), most)]
}

// lineOf is an item's line before anything is decided.
func lineOf(i Item) Line {
	return Line{Item: i.ID, Title: i.Title, Tail: tail(string(i.ID)), CallNumber: i.CallNumber}
}

// tail is the last four characters of a barcode: enough to tell books apart, too few to copy a card.
func tail(code string) string {
	r := []rune(code)
	return string(r[max(0, len(r)-4):])
}

// ask puts a question to the outside, if there is room for one more.
func (k *step) ask(q Question) bool {
	if len(k.Open) >= maxOpen {
		return false
	}
	k.Calls++
	q.Call, q.At = k.Calls, k.At
	k.Open = append(slices.Clip(k.Open), q)
	switch q.is() {
	case askRecord:
		k.out = append(k.out, Record{q.Call, q.Acts})
	case askVerify:
		k.out = append(k.out, Verify{q.Call, q.Patron, k.Typed})
	default:
		k.out = append(k.out, Find{q.Call, q.Patron, q.Card, q.Also, q.Item})
	}
	return true
}

// answered takes a question off the list, if it is of the sort that has been answered.
func (k *step) answered(call uint64, as asking) (Question, bool) {
	i := slices.IndexFunc(k.Open, func(q Question) bool { return q.Call == call && q.is() == as })
	if i < 0 {
		return Question{}, false
	}
	q := k.Open[i]
	k.Open = slices.Delete(slices.Clone(k.Open), i, i+1)
	return q, true
}

// record asks for acts to be made durable; lines are what the screen says afterwards.
func (k *step) record(q Question) bool {
	for i := range q.Acts {
		a := &q.Acts[i]
		a.Key = Key(fmt.Sprintf("%s%d", k.Prefix, k.Next+uint64(i)))
		a.At, a.Clock = k.At.Round(0), k.Clock
		a.Session, a.Role, a.Policy = q.Session, q.Role, k.Setup.Policy.Version
	}
	for i := range q.Lines {
		if q.Lines[i].Key == "" && i < len(q.Acts) {
			q.Lines[i].Key = string(q.Acts[i].Key)
		}
	}
	other := func(a Act) bool { return a.Kind != KindReturn }
	if !k.Writable || k.Reserve && slices.ContainsFunc(q.Acts, other) || !k.ask(q) {
		return false
	}
	k.Next += uint64(len(q.Acts))
	return true
}

// class is an item's call-number class for statistics: a Dewey hundred, or the shelf's word.
func class(call string) string {
	for word := range strings.FieldsSeq(call) {
		if len(word) >= 3 && strings.Trim(word[:3], "0123456789") == "" {
			return word[:1] + "00"
		}
		if i := len(word); i > 0 && word != "SPA" && word != "REF" {
			return strings.ToUpper(word)
		}
	}
	return ""
}
