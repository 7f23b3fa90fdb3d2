package kiosk

import (
	"fmt"
	"slices"
)

// giveBack checks in a book that somebody gives back by scanning it.
func (k *step) giveBack(q Question, c Copy) {
	k.Until = k.deadline(ModeReturn)
	if k.find(c.Item.ID) >= 0 || k.recording(c.Item.ID) {
		k.sound(SoundDuplicate)
		return
	}
	if !k.record(k.checkIn(c, k.Session, q.Role)) {
		k.refuse(FaultTryAgain, lineOf(c.Item))
	}
}

// checkIn is the record of a book that has come back, whoever brought it. A copy that the cache
// does not know to be out is recorded as well: the library system may know of a loan.
func (k *step) checkIn(c Copy, session uint64, role Role) Question {
	line := lineOf(c.Item)
	line.Outcome = k.outcome(c)
	act := Act{
		Kind: KindReturn, Item: c.Item.ID, TitleID: c.Item.TitleID, Outcome: line.Outcome,
		ItemType: c.Item.Type, Class: class(c.Item.CallNumber),
	}
	if c.Out {
		act.Patron, act.Renewals = c.Loan.Patron, c.Loan.Renewals
	}
	return Question{Session: session, Role: role, Acts: []Act{act}, Lines: []Line{line}, Items: []Item{c.Item}, For: k.address(c, line.Outcome)}
}

// address is what stands on the slip in a book that somebody waits for, or that goes elsewhere: the last
// four characters of a card, or a school.
func (k *step) address(c Copy, o Outcome) string {
	hold := k.firstHold(c)
	switch {
	case o == OutcomeHold:
		return tail(string(hold.Patron))
	case o == OutcomeTransfer && hold != nil:
		return hold.Site
	case o == OutcomeTransfer:
		return c.Item.Site
	}
	return ""
}

// outcome says where a book that has come back goes.
func (k *step) outcome(c Copy) Outcome {
	switch hold := k.firstHold(c); {
	case c.Item.Status == ItemRepair || c.Item.Status == ItemWithdrawn:
		return OutcomeRepair
	case c.Item.Status == ItemLost:
		return OutcomeFound
	case hold != nil && (hold.Site == "" || hold.Site == k.Setup.Site):
		return OutcomeHold
	case hold != nil || c.Item.Site != "" && c.Item.Site != k.Setup.Site:
		return OutcomeTransfer
	case !c.Out:
		return OutcomeAlreadyIn
	}
	return OutcomeReturn
}

// firstHold is the oldest hold that this copy can serve, or nil.
func (k *step) firstHold(c Copy) *Hold {
	for i, h := range c.Holds {
		if h.Item == c.Item.ID || h.Item == "" && !h.Ready {
			return &c.Holds[i]
		}
	}
	return nil
}

func soundOf(o Outcome) Sound {
	switch o {
	case OutcomeHold:
		return SoundHold
	case OutcomeTransfer:
		return SoundTransfer
	case OutcomeRepair, OutcomeFound, OutcomeIncomplete:
		return SoundRepair
	case OutcomeUnknown, OutcomeNotOurs:
		return SoundUnknown
	case OutcomeDuplicate:
		return SoundDuplicate
	case OutcomeRefused:
		return SoundRefused
	}
	return SoundOK
}

// binScanned is a code read at the bin. It waits for nobody: no card, no touch.
func (k *step) binScanned(ev Scanned) {
	k.openBin()
	code := ItemID(ev.Code)
	card := ev.Command != "" || ev.Card != "" || ev.Item == "" && ev.Patron != ""
	if card {
		code = "card" // whose it is, the bin must not know
	}
	if code == k.Bin.Last && k.At.Sub(k.Bin.LastAt) < bounce {
		k.Bin.Tally.Duplicate++
		k.sound(SoundDuplicate)
		return
	}
	k.Bin.Last, k.Bin.LastAt = code, k.At
	line := Line{Item: code, Tail: tail(string(code))}
	if ev.Patron != "" {
		line = Line{} // of what may be a card nothing is kept
	}
	switch {
	case card:
		k.binRefuse(line, FaultCardHere)
	case !k.Writable:
		k.Bin.Last = "" // the next try counts
		k.binRefuse(line, FaultBorrowingOff)
	case ev.Problem == FaultNotOurs:
		line.Outcome = OutcomeNotOurs
		k.binLine(line)
	case ev.Problem == FaultUnreadable:
		line.Outcome = OutcomeUnknown
		k.binLine(line)
	case ev.Problem == FaultIncomplete:
		k.Bin.Last = "" // whole, it is no double
		line.Outcome = OutcomeIncomplete
		k.binLine(line)
	case ev.Problem != "":
		k.binRefuse(line, ev.Problem)
	case ev.Item == "":
		k.binRefuse(line, FaultUnreadable)
	case !k.ask(Question{Session: k.Bin.Session, Role: RoleBin, Patron: ev.Patron, Item: ev.Item, Code: ev.Code}):
		k.Bin.Last = ""
		k.binRefuse(line, FaultTryAgain)
	}
}

// openBin starts or goes on with a run; an empty room shows it.
func (k *step) openBin() {
	if k.Bin.Session == 0 {
		k.Sessions++
		k.Bin = Bin{Session: k.Sessions}
	}
	k.Bin.Until = k.At.Add(waitBin)
	switch k.Mode {
	case ModeAttract, ModeClosed, ModeOutOfOrder, ModeAside:
		k.Bin.Looking = false
		k.leave()
	}
}

func (k *step) binFound(q Question, ev Found) {
	if q.Session != k.Bin.Session {
		return
	}
	line := Line{Item: ItemID(q.Code), Tail: tail(q.Code)}
	switch {
	case ev.Failed:
		if k.Bin.Last = ""; q.Patron != "" {
			line = Line{}
		}
		k.binRefuse(line, FaultTryAgain)
	case ev.Copy != nil && k.recording(ev.Copy.Item.ID):
		k.Bin.Tally.Duplicate++
		k.sound(SoundDuplicate)
	case ev.Copy != nil:
		if !k.record(k.checkIn(*ev.Copy, k.Bin.Session, RoleBin)) {
			k.Bin.Last = ""
			k.binRefuse(line, FaultTryAgain)
		}
	case ev.Account != nil:
		k.Bin.Last = "card"
		k.binRefuse(Line{}, FaultCardHere)
	default:
		line.Outcome = OutcomeUnknown
		k.binLine(line)
	}
}

// binned shows a book that is checked in.
func (k *step) binned(q Question) {
	if q.Session == k.Bin.Session {
		k.binLine(q.Lines[0])
		k.printForBin(q)
	}
}

func (k *step) binRefuse(l Line, f Fault) {
	l.Outcome, l.Fault = OutcomeRefused, f
	k.binLine(l)
}

// binLine shows an outcome. An exception stays in the aside tray until it is read again or cleared.
func (k *step) binLine(l Line) {
	if l.Key == "" {
		l.Key = fmt.Sprintf("bin-%d", k.Bin.Tally.All()+1)
	}
	k.Bin.Lines = prepend(k.Bin.Lines, l, maxStrip)
	count(&k.Bin.Tally, l.Outcome)
	k.sound(soundOf(l.Outcome))
	i := slices.IndexFunc(k.Bin.Aside, func(a Line) bool { return a.Item == l.Item })
	switch {
	case l.Item == "", l.Fault == FaultTryAgain, i >= 0 && l.Fault == FaultBorrowingOff:
		// says nothing new of a book
	case i >= 0:
		k.Bin.Aside = slices.Delete(slices.Clone(k.Bin.Aside), i, i+1)
	case l.Outcome != OutcomeReturn && l.Outcome != OutcomeAlreadyIn:
		aside := append(slices.Clip(k.Bin.Aside), l)
		k.Bin.Aside = aside[max(0, len(aside)-maxAside):]
	}
}

func count(t *Tally, o Outcome) {
	switch o {
	case OutcomeReturn:
		t.Return++
	case OutcomeHold:
		t.Hold++
	case OutcomeTransfer:
		t.Transfer++
	case OutcomeRepair:
		t.Repair++
	case OutcomeUnknown:
		t.Unknown++
	case OutcomeNotOurs:
		t.NotOurs++
	case OutcomeAlreadyIn:
		t.AlreadyIn++
	case OutcomeFound:
		t.Found++
	case OutcomeIncomplete:
		t.Incomplete++
	case OutcomeRefused:
		t.Refused++
	}
}
