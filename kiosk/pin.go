package kiosk

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A card is identity, not proof: patrons of a type with PIN type one before they borrow or see their
// books. Guesses are counted in the journal before the screen tells of them, so that neither a pulled
// plug nor a clock that is set gives a new one: three in a visit, ten in a row. After that only a newer
// file of patrons helps.
//
// A pad that nobody touches goes without the question whether somebody is still there: every key gives the
// whole time anew, nothing is lost but digits and a scan, and the next child must not find a card half open.

// The bounds of PINs and of guessing.
const (
	leastPIN  = 4
	mostPIN   = 8
	mostWrong = 3  // in one visit
	mostTries = 10 // in a row, over all visits
)

// asking is the sort of a Question.
type asking int

const (
	askFind asking = iota
	askRecord
	askVerify
)

// is tells what answers a Question.
func (q Question) is() asking {
	switch {
	case q.Acts != nil:
		return askRecord
	case q.PIN:
		return askVerify
	}
	return askFind
}

// verifying tells whether a PIN of this visit is being looked up, or its guess written down.
func (s State) verifying() bool {
	return slices.ContainsFunc(s.Open, func(q Question) bool {
		return q.Session == s.Session && (q.is() == askVerify || q.is() == askRecord && q.Acts[0].Kind.pin())
	})
}

// askPIN asks whoever has shown a card to prove that it is theirs.
func (k *step) askPIN(a Account) {
	switch {
	case !a.Patron.PIN:
		k.block(FaultNoPIN)
	case a.Tries >= mostTries:
		k.block(FaultPINLocked)
	default:
		k.Asked, k.Account = true, a
		k.show(ModePIN)
		k.sound(SoundTick)
	}
}

// pinActions are the keys. While a PIN is looked up only the way back is open.
func (s State) pinActions() []string {
	if s.verifying() {
		return []string{"back"}
	}
	var ids []string
	if len(s.Typed) >= leastPIN {
		ids = append(ids, "ok")
	}
	for i := range 10 {
		ids = append(ids, fmt.Sprintf("digit:%d", (i+1)%10))
	}
	if s.Typed != "" {
		ids = append(ids, "erase")
	}
	return append(ids, "back")
}

// tapAgain is how soon the same tap may come again.
func (k *step) tapAgain() time.Duration {
	if k.Mode == ModePIN {
		return keyAgain
	}
	return tapAgain
}

func (k *step) typeDigit(digit string) {
	k.Until = k.deadline(k.Mode)
	if len(k.Typed) == mostPIN {
		k.sound(SoundDuplicate)
		return
	}
	k.Typed += digit
}

// forgetDigits leaves nothing of what was typed once the pad is gone.
func (k *step) forgetDigits() {
	if k.Mode == ModePIN {
		return
	}
	if k.Typed = ""; strings.HasPrefix(k.Tap, "digit:") {
		k.Tap = ""
	}
}

func (k *step) eraseDigit() {
	k.Until = k.deadline(k.Mode)
	k.Typed = k.Typed[:len(k.Typed)-1]
}

// verify asks whether the typed PIN is right. Where a wrong one could not be written down, none is looked at.
func (k *step) verify() {
	k.Until = k.deadline(k.Mode)
	q := Question{Session: k.Session, Role: RoleStudent, Patron: k.Account.Patron.ID, PIN: true}
	if !k.Writable || k.Reserve || !k.ask(q) {
		k.refuse(FaultTryAgain, Line{})
	}
	k.Typed = ""
}

// verified is the answer about a PIN. What it means is written down even if its visit is over by now.
func (k *step) verified(ev Verified) {
	q, ok := k.answered(ev.Call, askVerify)
	if !ok {
		return
	}
	k.NoCache = ev.Failed
	here := k.Asked && q.Session == k.Session
	switch {
	case ev.Failed && here:
		k.refuse(FaultBorrowingOff, Line{})
	case ev.Failed:
	case !ev.OK:
		k.recordPIN(q, KindPINWrong)
	case here && k.Account.Tries > 0:
		k.recordPIN(q, KindPINRight)
	case here:
		k.letIn(k.Account)
	}
}

// recordPIN writes down a guess. If the journal has no room for it, the visit ends and nobody learns more.
func (k *step) recordPIN(q Question, kind Kind) {
	act := Act{Kind: kind, Patron: q.Patron}
	if !k.record(Question{Session: q.Session, Role: q.Role, Acts: []Act{act}}) && k.Asked && q.Session == k.Session {
		k.block("")
	}
}

// tried tells of a guess that is written down.
func (k *step) tried(q Question) {
	switch {
	case !k.Asked || q.Session != k.Session:
		// whoever made it has left
	case q.Acts[0].Kind == KindPINRight:
		k.Account.Tries = 0
		k.letIn(k.Account)
	default:
		k.wrongPIN()
	}
}

func (k *step) wrongPIN() {
	k.Wrong++
	k.Account.Tries++
	switch {
	case k.Account.Tries >= mostTries:
		k.block(FaultPINLocked)
	case k.Wrong >= mostWrong:
		k.block("")
	default:
		k.show(ModePIN)
		k.refuse(FaultWrongPIN, Line{})
	}
}
