package kiosk

import "time"

// Kind is what an act did.
type Kind string

// The acts of this version. The cache must apply them all:
//   - a loan opens the item's loan (replacing what it has), a renewal moves the end of it, a return ends it;
//   - an enrolment makes Card a card of Patron;
//   - a pin_wrong is one more of Account.Tries, a pin_right sets them to 0;
//   - of the tags, a loan and a renewal want "clear", a return wants "set" (Copy.Pending), and tag_cleared
//     and tag_set fulfil that very wish and no other; tag_failed leaves it. None of the three changes a loan.
const (
	KindLoan       Kind = "loan"
	KindRenewal    Kind = "renewal"
	KindReturn     Kind = "return"
	KindEnrolment  Kind = "enrolment"
	KindTagSet     Kind = "tag_set"
	KindTagCleared Kind = "tag_cleared"
	KindTagFailed  Kind = "tag_failed"
	KindPINWrong   Kind = "pin_wrong"
	KindPINRight   Kind = "pin_right"
)

// lends tells the acts of circulation from those round about it.
func (k Kind) lends() bool { return k == KindLoan || k == KindRenewal || k == KindReturn }

// pin tells the acts of a PIN.
func (k Kind) pin() bool { return k == KindPINWrong || k == KindPINRight }

// Role is what a scan means when nobody is identified: where the scanner stands.
type Role string

// The roles of scanners.
const (
	RoleStudent Role = "student"
	RoleBin     Role = "bin"
	RoleStaff   Role = "staff"
)

// Outcome is what became of a scanned item; it decides colour, shape, word and sound.
type Outcome string

// The closed set of outcomes (design section 6).
const (
	OutcomeLoan       Outcome = "loan"
	OutcomeRenewal    Outcome = "renewal"
	OutcomeReturn     Outcome = "return"
	OutcomeHold       Outcome = "hold"
	OutcomeTransfer   Outcome = "transfer"
	OutcomeRepair     Outcome = "repair"
	OutcomeUnknown    Outcome = "unknown"
	OutcomeNotOurs    Outcome = "not_ours"
	OutcomeAlreadyIn  Outcome = "already_in"
	OutcomeFound      Outcome = "found"
	OutcomeIncomplete Outcome = "incomplete"
	OutcomeDuplicate  Outcome = "duplicate"
	OutcomeRefused    Outcome = "refused"
)

// in tells whether a book with this outcome is checked in.
func (o Outcome) in() bool {
	switch o {
	case OutcomeReturn, OutcomeHold, OutcomeTransfer, OutcomeRepair, OutcomeAlreadyIn, OutcomeFound:
		return true
	}
	return false
}

// Clock says how far the wall clock can be trusted (facts: reliability 4, classes T0 to T3).
type Clock string

// The classes of trust.
const (
	ClockSynchronised Clock = "synchronised" // by NTP
	ClockTold         Clock = "told"         // by the library system
	ClockRestored     Clock = "restored"     // a floor from the last run
	ClockImpossible   Clock = "impossible"   // before the build, or before the last entry
)

// An Act is what is to be written into the journal: one loan, renewal or return, one card, one book's tags or
// one PIN.
// Grade, ItemType and Class are for statistics without names.
type Act struct {
	Key      Key
	Kind     Kind
	At       time.Time // wall time
	Clock    Clock
	Session  uint64
	Role     Role
	Patron   PatronID   // who has or had the item; "" when nobody is known
	Card     Credential // enrolments
	Item     ItemID
	TitleID  TitleID
	Due      Due // loans and renewals
	Renewals int // of the loan, after this act
	Outcome  Outcome
	Policy   string // version of the policy that decided
	Grade    string
	ItemType string
	Class    string // call-number class: a Dewey hundred ("500") or the shelf word ("FIC")
}

// Delivery is how far an entry has come on its way to the library system (design section 6).
type Delivery string

// The states of a delivery.
const (
	Queued     Delivery = "queued"
	Attempting Delivery = "attempting"
	Confirmed  Delivery = "confirmed"
	Refused    Delivery = "refused"
	NeedsStaff Delivery = "needs_staff"
	HandedOver Delivery = "handed_over"
	Settled    Delivery = "settled"
)

// An Entry is an Act as it stands in the journal. Faded entries have no Patron.
type Entry struct {
	Act
	Seq      uint64        // 1, 2, 3, … within one incarnation
	Boot     string        // boot id of the machine
	BootTime time.Duration // time since boot, by CLOCK_BOOTTIME
	Delivery Delivery
	Attempts int
	Since    time.Time // of the delivery's state
	Answer   string    // what the library system said
}
