package kiosk

import (
	"fmt"
	"slices"
)

// lend decides about a book that a patron holds under the scanner.
func (k *step) lend(q Question, c Copy) {
	k.show(ModeBorrow)
	if i := k.find(c.Item.ID); i >= 0 || k.recording(c.Item.ID) {
		k.sound(SoundDuplicate) // the same code again is harmless
		return
	}
	act, line, fault := k.decide(c)
	switch {
	case fault != "":
		k.refuse(fault, line)
		k.threeRefusals()
	case act.Kind == "":
		k.Refusals = 0
		k.add(line)
		k.sound(SoundDuplicate)
	case !k.record(Question{Session: k.Session, Role: q.Role, Acts: []Act{act}, Lines: []Line{line}, Items: []Item{c.Item}}):
		k.refuse(FaultTryAgain, line)
	}
}

// decide is the policy of lending: an act to record, or a Fault, or neither where the patron has
// the book already and a renewal would gain nothing.
func (k *step) decide(c Copy) (Act, Line, Fault) {
	line, who := lineOf(c.Item), k.Account.Patron
	if c.Out && c.Loan.Patron == who.ID {
		return k.decideAgain(c)
	}
	rule, lendable := k.Setup.Policy.Rule(who.Type, c.Item.Type)
	var fault Fault
	switch {
	case c.Out:
		fault = FaultOtherPerson
	case c.Item.Site != "" && c.Item.Site != k.Setup.Site:
		fault = FaultOtherSchool
	case c.Item.Status != ItemAvailable && c.Item.Status != "":
		fault = FaultNeedsHelper
	case !lendable:
		fault = FaultNotForLoan
	case claimed(c, who.ID):
		fault = FaultOnHold
	case !k.Setup.Policy.Room(who.Type, k.borrowed(), c.Item.Type):
		fault = FaultTooMany
	}
	if fault != "" {
		return Act{}, line, fault
	}
	line.Outcome, line.Due = OutcomeLoan, k.Setup.Policy.Calendar.Due(rule, k.today(), who.Expires)
	act := k.actOf(KindLoan, c.Item, line)
	return act, line, ""
}

// decideAgain is for a book that the patron brings and has already: a renewal where that moves the day.
func (k *step) decideAgain(c Copy) (Act, Line, Fault) {
	b := Borrowed{Loan: c.Loan, Item: c.Item, Wanted: claimed(c, k.Account.Patron.ID)}
	line := lineOf(c.Item)
	line.Due = c.Loan.Due
	due, fault := k.renewal(b)
	switch {
	case fault != "":
		return Act{}, line, fault
	case !c.Loan.Due.Before(due):
		line.Outcome = OutcomeDuplicate
		return Act{}, line, ""
	}
	act, line := k.renew(b, due)
	return act, line, ""
}

// renewal is the new end of a loan, or why there is none.
func (k *step) renewal(b Borrowed) (Due, Fault) {
	rule, ok := k.Setup.Policy.Rule(k.Account.Patron.Type, b.Item.Type)
	due := k.Setup.Policy.Calendar.Due(rule, k.today(), k.Account.Patron.Expires)
	switch {
	case !ok:
		return Due{}, FaultNoRenewal
	case b.Wanted:
		return Due{}, FaultRenewalHold
	case !b.Loan.Due.Before(due):
		return b.Loan.Due, ""
	case b.Loan.Renewals >= rule.Renewals:
		return Due{}, FaultNoRenewal
	}
	return due, ""
}

func (k *step) renew(b Borrowed, due Due) (Act, Line) {
	line := lineOf(b.Item)
	line.Outcome, line.Due = OutcomeRenewal, due
	act := k.actOf(KindRenewal, b.Item, line)
	act.Renewals = b.Loan.Renewals + 1
	return act, line
}

// actOf is an act of the patron at the desk; record completes it.
func (k *step) actOf(kind Kind, i Item, l Line) Act {
	return Act{
		Kind: kind, Patron: k.Account.Patron.ID, Item: i.ID, TitleID: i.TitleID, Due: l.Due, Outcome: l.Outcome,
		Grade: k.Account.Patron.Grade, ItemType: i.Type, Class: class(i.CallNumber),
	}
}

// borrowed is what the patron has, with what waits for the journal.
func (k *step) borrowed() []Borrowed {
	all := slices.Clip(k.Account.Loans)
	for _, q := range k.Open {
		for i, a := range q.Acts {
			if a.Kind == KindLoan && a.Patron == k.Account.Patron.ID {
				all = append(all, Borrowed{Loan: loanOf(a), Item: q.Items[i]})
			}
		}
	}
	return all
}

func loanOf(a Act) Loan {
	return Loan{Item: a.Item, Patron: a.Patron, At: a.At, Due: a.Due, Renewals: a.Renewals}
}

// claimed tells whether others wait for this very copy: a hold on it, or more holds on its title,
// older than the patron's own, than other copies on the shelf could serve.
func claimed(c Copy, patron PatronID) bool {
	ahead, own := 0, false
	for _, h := range c.Holds {
		here, anywhere := h.Item == c.Item.ID, h.Item == ""
		switch {
		case here && h.Patron == patron && h.Ready:
			return false
		case here && h.Patron != patron:
			return true
		case h.Patron == patron:
			own = true
		case anywhere && !own:
			ahead++
		}
	}
	return ahead > c.Spare
}

// recorded is the journal's answer. What it could not promise is not shown as done; nobody knows
// whether it was, so the desk closes until the journal is there again and tells.
func (k *step) recorded(ev Recorded) {
	q, ok := k.answered(ev.Call, askRecord)
	k.wishTags(q, ev.OK)
	switch {
	case !ok:
	case !ev.OK:
		k.Writable = false
		k.sound(SoundWarn)
		k.unsure(q)
	case q.Acts[0].Kind == KindEnrolment && q.Session == k.Session:
		k.enrolled()
	case q.Acts[0].Kind.pin():
		k.tried(q)
	case !q.Acts[0].Kind.lends():
	case q.Role == RoleBin:
		k.giveUp(q.Acts[0])
		k.binned(q)
	case q.Session != k.Session:
		// it stands in the journal; whoever it is for has left
	case k.Known:
		k.account(q)
	default: // a book that is given back
		k.add(q.Lines[0])
		k.sound(soundOf(q.Lines[0].Outcome))
	}
}

// giveUp takes a book that has come back out of the account of whoever stands at the desk.
func (k *step) giveUp(a Act) {
	if a.Kind == KindReturn && (k.Known || k.Asked) {
		k.Account.Loans = slices.DeleteFunc(slices.Clone(k.Account.Loans), func(b Borrowed) bool { return b.Item.ID == a.Item })
	}
}

// unsure puts a book of the bin aside, of which nobody knows whether it is recorded: read again, it must
// not pass for a double.
func (k *step) unsure(q Question) {
	if q.Role != RoleBin || q.Session != k.Bin.Session || q.Lines == nil {
		return
	}
	k.Bin.Last = ""
	k.binRefuse(Line{Item: q.Lines[0].Item, Title: q.Lines[0].Title, Tail: q.Lines[0].Tail}, FaultBorrowingOff)
}

// account carries durable acts into the patron's account and onto the screen.
func (k *step) account(q Question) {
	k.Account.Loans = slices.Clone(k.Account.Loans)
	for i, a := range q.Acts {
		j := slices.IndexFunc(k.Account.Loans, func(b Borrowed) bool { return b.Loan.Item == a.Item })
		if j < 0 {
			k.Account.Loans = append(k.Account.Loans, Borrowed{Loan: loanOf(a), Item: q.Items[i]})
			k.New++
			continue
		}
		k.Account.Loans[j].Loan.Due, k.Account.Loans[j].Loan.Renewals = a.Due, a.Renewals
	}
	k.Refusals = 0
	k.sound(SoundOK)
	if k.Mode == ModeAccount || k.Mode == ModeRenewed {
		k.show(ModeRenewed)
	}
	k.addNew(q.Lines)
}

// addNew puts lines on top of the visit's, each in the place of the item's older one.
func (k *step) addNew(lines []Line) {
	for _, l := range slices.Backward(lines) {
		k.Lines = slices.DeleteFunc(slices.Clone(k.Lines), func(old Line) bool { return old.Item == l.Item })
		k.add(l)
	}
}

// renewKey names a line of the account within the visit.
func renewKey(i int) string { return fmt.Sprintf("loan-%d", i+1) }

// renewSome renews one loan (by key) or, with "", all that can be.
func (k *step) renewSome(key string) {
	q := Question{Session: k.Session, Role: RoleStudent}
	var refused []Line
	for i, b := range k.Account.Loans {
		done := key == "" && k.find(b.Item.ID) >= 0 // in this visit
		if key != "" && renewKey(i) != key || done || k.recording(b.Item.ID) {
			continue
		}
		due, fault := k.renewal(b)
		if fault != "" || !b.Loan.Due.Before(due) {
			line := lineOf(b.Item)
			line.Due, line.Outcome, line.Fault = b.Loan.Due, OutcomeDuplicate, fault
			line.Key = renewKey(i)
			refused = append(refused, line)
			continue
		}
		act, line := k.renew(b, due)
		q.Acts, q.Lines, q.Items = append(q.Acts, act), append(q.Lines, line), append(q.Items, b.Item)
	}
	if len(q.Acts) == 0 {
		k.show(ModeRenewed)
		k.addNew(refused)
		return
	}
	q.Lines = append(q.Lines, refused...)
	if !k.record(q) {
		k.refuse(FaultTryAgain, Line{})
	}
}
