package kiosk

import (
	"cmp"
	"slices"
)

// scanned is a code from a scanner. What it may be is told by the rules of the config; what it is
// meant for is told by where the desk stands. A scan never toggles between lending and returning.
func (k *step) scanned(ev Scanned) {
	enrol := k.Enrol
	if ev.Role != RoleBin {
		k.clearNotice()
	}
	k.take(ev, enrol)
}

// take does so for a book on a pad as well. That takes no notice down, which may be of what lies beside it.
func (k *step) take(ev Scanned, enrol Credential) {
	if ev.Role == RoleBin {
		k.binScanned(ev)
		return
	}
	if k.Mode == ModeBin || k.Mode == ModeAside {
		k.leaveBinScreen()
	}
	k.wakeUp()
	switch {
	case k.halted(ev):
	case ev.Command != "":
		k.act(ev.Command)
	case ev.Problem != "" || ev.Patron == "" && ev.Item == "" && ev.Card == "":
		k.refuse(cmp.Or(ev.Problem, FaultUnreadable), Line{Tail: tail(ev.Code)})
		k.threeRefusals()
	default:
		k.lookUp(ev, enrol)
	}
}

// halted refuses a scan while the desk takes none.
func (k *step) halted(ev Scanned) bool {
	switch {
	case !k.Writable:
		k.refuse(FaultBorrowingOff, Line{})
	case k.deaf():
		k.refuse(FaultOutOfOrder, Line{})
	case k.closed() && k.Session == 0:
		k.refuse(FaultClosed, Line{})
	case k.Reserve && k.Mode != ModeReturn && ev.Command == "":
		k.refuse(FaultBorrowingOff, Line{})
	default:
		return false
	}
	return true
}

// wakeUp takes a scan or a tap as a sign of life.
func (k *step) wakeUp() {
	switch {
	case k.Mode == ModeStillThere, k.Mode == ModeHelp && k.inVisit():
		k.show(k.Back)
	case k.Mode == ModeBye:
		k.leave() // the next one must not get the language and the number of the one before
	default:
		k.Until = k.deadline(k.Mode)
	}
}

// inVisit tells whether somebody with a card, or with books to give back, stands at the desk.
func (s State) inVisit() bool { return s.Session != 0 && s.Back != ModeBlocked }

// leaveBinScreen makes room for a student while the run goes on underneath.
func (k *step) leaveBinScreen() {
	k.Visit = Visit{Lang: k.Setup.Languages[0]}
	k.show(ModeAttract)
	if k.closed() {
		k.show(ModeClosed)
	}
}

func (k *step) lookUp(ev Scanned, enrol Credential) {
	q := Question{Session: k.Session, Role: ev.Role, Patron: ev.Patron, Card: ev.Card, Also: ev.Also, Item: ev.Item, Code: ev.Code}
	if ev.Patron != "" {
		q.Enrol = enrol
	}
	if !k.ask(q) {
		k.refuse(FaultTryAgain, Line{})
		return
	}
	if !k.Known && !k.Asked && k.Mode != ModeReturn && q.card() {
		k.show(ModeWho)
	}
}

// card tells whether a question is of a card, or of what may be one.
func (q Question) card() bool { return q.Patron != "" || q.Card != "" }

// found is the cache's answer about a code. Where both a patron and an item have it, an empty room
// takes it for a card, a visit takes it for a book.
func (k *step) found(ev Found) {
	q, ok := k.answered(ev.Call, askFind)
	if !ok {
		return
	}
	k.NoCache = ev.Failed
	if ev.Copy != nil {
		k.mend(q, *ev.Copy)
	}
	if q.Quiet {
		return
	}
	if q.Role == RoleBin {
		k.binFound(q, ev)
		return
	}
	inVisit := k.Known || k.Asked || k.Mode == ModeReturn
	switch {
	case k.late(q):
		// whoever scanned it has left; the next one must not get it
	case ev.Failed:
		k.backFromWho()
		k.refuse(FaultTryAgain, Line{})
	case ev.Account != nil && q.Enrol != "":
		k.enrol(q, *ev.Account)
	case ev.Account != nil && !(ev.Copy != nil && inVisit):
		k.card(*ev.Account)
	case ev.Copy != nil:
		k.book(q, *ev.Copy)
	default:
		k.unknown(q)
	}
}

// late tells whether an answer has come after the visit for which it was asked. What was scanned in an
// empty room, just before the card, is for the visit that the card began.
func (k *step) late(q Question) bool {
	return q.Session != 0 && q.Session != k.Session || k.At.Sub(q.At) >= waitWho
}

// book is an item that a scan has found.
func (k *step) book(q Question, c Copy) {
	switch {
	case k.Mode == ModeReturn:
		k.giveBack(q, c)
	case k.Known:
		k.lend(q, c)
	default:
		k.itemFirst(c)
	}
}

// itemFirst keeps a book until a card comes, or the card's PIN.
func (k *step) itemFirst(c Copy) {
	switch {
	case k.Asked:
		k.show(ModePIN) // it is lent with the others when the PIN is right
	case k.Mode == ModeItemFirst || k.Mode == ModeWho:
		k.show(ModeItemFirst)
	default:
		k.Visit = Visit{Lang: k.Lang, Chosen: k.Chosen, Notice: k.Notice, Clears: k.Clears} // of what lies beside it
		k.show(ModeItemFirst)
	}
	if slices.Contains(k.Waiting, c.Item.ID) {
		k.sound(SoundDuplicate)
		return
	}
	if len(k.Waiting) == maxWaiting {
		k.refuse(FaultTooMany, lineOf(c.Item))
		return
	}
	k.Waiting = append(slices.Clip(k.Waiting), c.Item.ID)
	k.add(lineOf(c.Item))
	k.sound(SoundTick)
}

// unknown is a code that neither a patron nor an item has.
func (k *step) unknown(q Question) {
	if q.Card != "" && k.staff() {
		k.show(ModeBorrow)
		k.Enrol, k.Notice, k.Clears = q.Card, FaultScanCard, k.At.Add(waitEnrol)
		k.sound(SoundTick)
		return
	}
	if k.Known || k.Mode == ModeReturn || !q.card() {
		f := FaultUnknownItem
		if q.Item == "" {
			f = FaultUnknownCard
		}
		k.backFromWho()
		k.refuse(f, Line{Tail: tail(q.Code)})
		k.threeRefusals()
		return
	}
	tries := k.Tries + 1
	k.Visit = Visit{Lang: k.Lang, Chosen: k.Chosen, Tries: tries}
	if tries >= 3 {
		k.callHelp(ModeAttract)
		return
	}
	k.show(ModeUnknownCard)
	k.sound(SoundUnknown)
}

// staff tells whether the one who stands there may enrol cards.
func (s State) staff() bool {
	return s.Known && s.Setup.Policy.Patrons[s.Account.Patron.Type].Staff
}

// enrol makes a new card that of the patron whose barcode has been scanned after it.
func (k *step) enrol(q Question, a Account) {
	k.show(ModeBorrow)
	act := Act{Kind: KindEnrolment, Patron: a.Patron.ID, Card: q.Enrol}
	if !k.record(Question{Session: k.Session, Role: q.Role, Acts: []Act{act}}) {
		k.refuse(FaultTryAgain, Line{})
	}
}

// enrolled says that a new card works.
func (k *step) enrolled() {
	k.clearNotice()
	k.Notice, k.Clears = FaultCardLinked, k.At.Add(waitNotice)
	k.sound(SoundOK)
}

// backFromWho goes back to where a look-up came from.
func (k *step) backFromWho() {
	if k.Mode != ModeWho {
		return
	}
	if len(k.Waiting) > 0 {
		k.show(ModeItemFirst)
		return
	}
	k.Visit = Visit{Lang: k.Lang, Chosen: k.Chosen, Tries: k.Tries, Refusals: k.Refusals}
	k.show(ModeAttract)
}

// card is a patron who has come to the desk. The card of somebody else ends the visit before.
func (k *step) card(a Account) {
	if (k.Known || k.Asked) && k.Account.Patron.ID == a.Patron.ID {
		k.show(k.inside())
		k.sound(SoundTick)
		return
	}
	if k.Reserve {
		k.refuse(FaultBorrowingOff, Line{})
		return
	}
	k.greet(a)
	switch {
	case k.Setup.Policy.Blocked(a, k.today()):
		k.block("")
	case k.Setup.Policy.Patrons[a.Patron.Type].PIN:
		k.askPIN(a)
	default:
		k.letIn(a)
	}
}

// inside is the first screen of whoever has shown a card.
func (k *step) inside() Mode {
	if k.Asked {
		return ModePIN
	}
	return ModeBorrow
}

// greet begins a visit in the language of whoever has come. The books that waited for the card stay.
func (k *step) greet(a Account) {
	next := Visit{Lang: k.Setup.Languages[0]}
	if len(k.Waiting) > 0 && !k.Asked {
		next.Waiting, next.Lines = k.Waiting, k.Lines
	}
	switch {
	case k.Chosen && !k.Known && !k.Asked:
		next.Lang, next.Chosen = k.Lang, true
	case slices.Contains(k.Setup.Languages, a.Patron.Language):
		next.Lang = a.Patron.Language
	}
	k.Sessions++
	next.Session = k.Sessions
	k.Visit = next
}

// block is for whoever may not borrow. Nothing of them is left; f tells why, where staff can help it.
func (k *step) block(f Fault) {
	k.Visit = Visit{Lang: k.Lang, Chosen: k.Chosen, Session: k.Session, Notice: f}
	k.show(ModeBlocked)
	k.sound(SoundRefused)
}

// letIn opens the patron's account and lends what has waited for that.
func (k *step) letIn(a Account) {
	waiting := k.Waiting
	k.Visit = Visit{Lang: k.Lang, Chosen: k.Chosen, Session: k.Session, Known: true, Account: a}
	k.show(ModeBorrow)
	k.sound(SoundOK)
	for _, item := range waiting {
		if !k.ask(Question{Session: k.Session, Role: RoleStudent, Item: item, Code: string(item)}) {
			k.refuse(FaultTryAgain, Line{Item: item, Tail: tail(string(item))})
		}
	}
}

// threeRefusals calls help for a child who is stuck.
func (k *step) threeRefusals() {
	k.Refusals++
	if k.Refusals >= 3 {
		k.callHelp(k.Mode)
	}
}

func (k *step) callHelp(back Mode) {
	if k.Mode != ModeHelp && k.Mode != ModeStillThere { // those know where to lead back to
		k.Back = back
	}
	k.Refusals = 0
	k.show(ModeHelp)
	k.sound(SoundWarn)
}
