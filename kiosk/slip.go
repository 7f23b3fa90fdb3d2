package kiosk

import (
	"slices"
	"strings"
	"time"
)

// SlipKind is what a piece of paper is for.
type SlipKind string

// The slips.
const (
	SlipReceipt  SlipKind = "receipt"  // what a patron has borrowed in this visit
	SlipHold     SlipKind = "hold"     // into a book that somebody waits for
	SlipRouting  SlipKind = "routing"  // into a book that goes to another school
	SlipShelving SlipKind = "shelving" // what a bin run has brought back, in the order of the shelves
)

// Print asks for a slip. Nothing waits for it: there is no answer.
type Print struct {
	Slip  SlipKind
	Lang  string
	Lines []Line
	For   string // the last four characters of the card of whoever waits, or the school that it goes to
	All   int    // a receipt: the items that the patron now has
	At    time.Time
}

func (Print) effect() {}

// maxShelve bounds the shelving list of a bin run.
const maxShelve = 500

// prints tells whether there is a printer that can print.
func (s State) prints() bool {
	return s.Setup.Printer && !slices.ContainsFunc(s.Alarms, func(a Standing) bool { return a.Alarm == AlarmPrinter })
}

func (k *step) print(p Print) {
	if k.prints() && len(p.Lines) > 0 {
		p.At = k.today()
		k.out = append(k.out, p)
	}
}

// receiptLines are what this visit has borrowed and renewed, in the order in which it was done.
func (s State) receiptLines() []Line {
	var lines []Line
	for _, l := range slices.Backward(s.Lines) {
		if l.Outcome == OutcomeLoan || l.Outcome == OutcomeRenewal {
			lines = append(lines, l)
		}
	}
	return lines
}

func (k *step) printReceipt() {
	k.print(Print{Slip: SlipReceipt, Lang: k.Lang, Lines: k.receiptLines(), All: len(k.Account.Loans)})
}

// printForBin prints what a book from the bin needs, or keeps it for the shelving list.
func (k *step) printForBin(q Question) {
	l := q.Lines[0]
	slip := map[Outcome]SlipKind{OutcomeHold: SlipHold, OutcomeTransfer: SlipRouting}[l.Outcome]
	switch {
	case slip != "":
		k.print(Print{Slip: slip, Lang: k.Setup.Languages[0], Lines: []Line{l}, For: q.For})
	case (l.Outcome == OutcomeReturn || l.Outcome == OutcomeAlreadyIn) && len(k.Bin.Shelve) < maxShelve:
		k.Bin.Shelve = append(slices.Clip(k.Bin.Shelve), l)
	}
}

// printShelving prints where the books of a bin run go, in the order of the shelves.
func (k *step) printShelving() {
	lines := slices.Clone(k.Bin.Shelve)
	slices.SortStableFunc(lines, func(a, b Line) int {
		return strings.Compare(a.CallNumber+"\x00"+a.Title, b.CallNumber+"\x00"+b.Title)
	})
	k.print(Print{Slip: SlipShelving, Lang: k.Setup.Languages[0], Lines: lines})
}
