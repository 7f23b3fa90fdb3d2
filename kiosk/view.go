package kiosk

import (
	"cmp"
	"slices"
)

// View draws the desk. It shows no more of a patron than the first name and the books of this visit,
// and nothing at all once the visit is over.
func View(s State) Screen {
	v := Screen{
		Seq: s.Seq, Mode: s.Mode, Lang: s.Lang, Offline: s.Offline, Session: s.session(), Lines: s.flat(s.lines()), First: s.First,
		New: s.New, Notice: s.Notice, Provisional: s.Clock == ClockImpossible, Seconds: s.seconds(), Typed: len(s.Typed),
		Actions: s.actions(), Sounds: s.Heard, Alarms: s.Alarms,
	}
	if v.Notice == "" && s.mustLie() {
		v.Notice = FaultLayFlat
	}
	v.Notice = cmp.Or(v.Notice, s.padTrouble())
	if s.Known {
		v.Greeting, v.All, v.Ready = s.Account.Patron.Name, len(s.Account.Loans), s.Account.Ready
	}
	switch s.Mode {
	case ModeBin, ModeAside:
		v.Tally, v.Aside, v.First, v.Notice = s.Bin.Tally, len(s.Bin.Aside), s.Bin.First, ""
	case ModeClosed:
		v.Opens = s.Setup.Policy.Calendar.Opens(s.today())
	}
	return v
}

// lines are the items that the screen shows.
func (s State) lines() []Line {
	switch s.Mode {
	case ModeItemFirst, ModePIN, ModeReturn, ModeRenewed:
		return s.Lines
	case ModeBorrow:
		// Why a book was not renewed belongs into the list of the renewals only.
		return slices.DeleteFunc(slices.Clone(s.Lines), func(l Line) bool { return l.Outcome == OutcomeDuplicate && l.Fault != "" })
	case ModeAccount:
		return s.accountLines()
	case ModeBin:
		return s.Bin.Lines
	case ModeAside:
		return s.Bin.Aside
	}
	return nil
}

// accountLines are the patron's loans, first due first.
func (s State) accountLines() []Line {
	var lines []Line
	k := step{State: s}
	for i, b := range s.Account.Loans {
		l := lineOf(b.Item)
		rule, _ := s.Setup.Policy.Rule(s.Account.Patron.Type, b.Item.Type)
		due, fault := k.renewal(b)
		l.Key, l.Due, l.Late = renewKey(i), b.Loan.Due, b.Loan.Due.Past(s.today(), rule.Grace)
		l.Can = fault == "" && b.Loan.Due.Before(due) && !s.recording(b.Item.ID)
		lines = append(lines, l)
	}
	return lines
}
