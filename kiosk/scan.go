package kiosk

import "slices"

// scanned is a code from a scanner. What it may be is told by the rules of the config; what it is
// meant for is told by where the desk stands. A scan never toggles between lending and returning.
func (k *step) scanned(ev Scanned) {
	if ev.Role == RoleBin {
		k.binScanned(ev)
		return
	}
	if k.Mode == ModeBin || k.Mode == ModeAside {
		k.leaveBinScreen()
	}
	k.clearNotice()
	k.wakeUp()
	switch {
	case k.halted():
	case ev.Command != "":
		k.act(ev.Command)
	case ev.Problem != "":
		k.refuse(ev.Problem, Line{Tail: tail(ev.Code)})
		k.threeRefusals()
	default:
		k.lookUp(ev)
	}
}

// halted refuses a scan while the desk takes none.
func (k *step) halted() bool {
	f := map[Mode]Fault{ModeBorrowingOff: FaultBorrowingOff, ModeOutOfOrder: FaultOutOfOrder, ModeClosed: FaultClosed}[k.rest()]
	if f == "" || f == FaultClosed && k.Session != 0 {
		return false
	}
	k.refuse(f, Line{})
	return true
}

// wakeUp takes a scan or a tap as a sign of life.
func (k *step) wakeUp() {
	if k.Mode == ModeStillThere || k.Mode == ModeHelp && k.Known {
		k.show(k.Back)
		return
	}
	k.Until = k.deadline(k.Mode)
}

// leaveBinScreen makes room for a student while the run goes on underneath.
func (k *step) leaveBinScreen() {
	k.Visit = Visit{Lang: k.Setup.Languages[0]}
	k.show(ModeAttract)
}

func (k *step) lookUp(ev Scanned) {
	q := Question{Session: k.Session, Role: ev.Role, Patron: ev.Patron, Item: ev.Item, Code: ev.Code}
	if !k.ask(q) {
		k.refuse(FaultTryAgain, Line{})
		return
	}
	if !k.Known && k.Mode != ModeReturn && ev.Patron != "" {
		k.show(ModeWho)
	}
}

// found is the cache's answer about a code. Where both a patron and an item have it, an empty room
// takes it for a card, a visit takes it for a book.
func (k *step) found(ev Found) {
	q, ok := k.answered(ev.Call)
	if !ok {
		return
	}
	k.NoCache = ev.Failed
	if q.Role == RoleBin {
		k.binFound(q, ev)
		return
	}
	inVisit := k.Known || k.Mode == ModeReturn
	switch {
	case ev.Failed:
		k.backFromWho()
		k.refuse(FaultTryAgain, Line{})
	case ev.Account != nil && !(ev.Copy != nil && inVisit):
		k.card(*ev.Account)
	case ev.Copy != nil:
		k.book(q, *ev.Copy)
	default:
		k.unknown(q)
	}
}

// book is an item that a scan has found. It counts for the visit in which it was scanned, or, scanned
// in an empty room, for the next card.
func (k *step) book(q Question, c Copy) {
	switch {
	case q.Session != 0 && q.Session != k.Session:
		// whoever scanned it has left; the next one must not get it
	case k.Mode == ModeReturn:
		k.giveBack(q, c)
	case k.Known:
		k.lend(q, c)
	default:
		k.itemFirst(c)
	}
}

// itemFirst keeps a book until a card comes.
func (k *step) itemFirst(c Copy) {
	if k.Mode != ModeItemFirst {
		k.Lines, k.Waiting = nil, nil
	}
	k.show(ModeItemFirst)
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
	if q.Session != k.Session {
		return
	}
	if k.Known || k.Mode == ModeReturn || q.Patron == "" {
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

// backFromWho goes back to where a look-up came from.
func (k *step) backFromWho() {
	if k.Mode != ModeWho {
		return
	}
	if len(k.Waiting) > 0 {
		k.show(ModeItemFirst)
		return
	}
	k.show(ModeAttract)
}

// card is a patron who has come to the desk. The card of somebody else ends the visit before.
func (k *step) card(a Account) {
	if k.Known && k.Account.Patron.ID == a.Patron.ID {
		k.show(ModeBorrow)
		k.sound(SoundTick)
		return
	}
	waiting, lang, chosen := k.Waiting, k.Lang, k.Chosen && !k.Known && k.Mode != ModeBye
	k.Visit = Visit{Lang: k.Setup.Languages[0]}
	switch {
	case chosen:
		k.Lang, k.Chosen = lang, true
	case slices.Contains(k.Setup.Languages, a.Patron.Language):
		k.Lang = a.Patron.Language
	}
	k.Sessions++
	k.Session = k.Sessions
	if k.Setup.Policy.Blocked(a, k.today()) {
		k.show(ModeBlocked)
		k.sound(SoundRefused)
		return
	}
	k.Known, k.Account = true, a
	k.show(ModeBorrow)
	k.sound(SoundOK)
	for _, item := range waiting {
		k.ask(Question{Session: k.Session, Role: RoleStudent, Item: item, Code: string(item)})
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
	if k.Mode != ModeHelp {
		k.Back = back
	}
	k.Refusals = 0
	k.show(ModeHelp)
	k.sound(SoundWarn)
}
