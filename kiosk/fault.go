package kiosk

// A Fault is a reason that a student or a technician can see. The set is closed: Faults lists it.
// The sentence that goes with it lives in web's catalogues; a student's sentence says what to do
// with the book now.
type Fault string

// The reasons. "" is no fault.
const (
	FaultUnknownCard  Fault = "unknown_card"  // no such patron
	FaultBlocked      Fault = "blocked"       // may not borrow; the screen never says why
	FaultUnknownItem  Fault = "unknown_item"  // no such item
	FaultNotOurs      Fault = "not_ours"      // another library's label
	FaultOtherSchool  Fault = "other_school"  // an item of another school of the district
	FaultISBN         Fault = "isbn"          // the shop's barcode instead of the library label
	FaultUnreadable   Fault = "unreadable"    // garbage, wrong check digit under a strict rule
	FaultOnHold       Fault = "on_hold"       // somebody else waits for it
	FaultNotForLoan   Fault = "not_for_loan"  // no rule lets this patron borrow this type
	FaultTooMany      Fault = "too_many"      // the limit is reached
	FaultOtherPerson  Fault = "other_person"  // on loan to somebody else
	FaultNeedsHelper  Fault = "needs_helper"  // lost, in repair or withdrawn: a person must look
	FaultNoRenewal    Fault = "no_renewal"    // the renewals are used up
	FaultRenewalHold  Fault = "renewal_hold"  // no renewal: somebody waits for it
	FaultCardHere     Fault = "card_here"     // a card where a book is expected
	FaultTryAgain     Fault = "try_again"     // a passing trouble, or scanned too fast
	FaultBorrowingOff Fault = "borrowing_off" // the journal cannot be written
	FaultClosed       Fault = "closed"        // the library is closed
	FaultOutOfOrder   Fault = "out_of_order"  // no scanner works
)

// Faults is the closed set, with the code that staff see (at most five characters).
func Faults() map[Fault]string {
	return map[Fault]string{
		FaultUnknownCard: "P01", FaultBlocked: "P02", FaultCardHere: "P03",
		FaultUnknownItem: "B01", FaultNotOurs: "B02", FaultOtherSchool: "B03", FaultISBN: "B04",
		FaultUnreadable: "B05", FaultOnHold: "B06", FaultNotForLoan: "B07", FaultTooMany: "B08",
		FaultOtherPerson: "B09", FaultNeedsHelper: "B10", FaultNoRenewal: "B11", FaultRenewalHold: "B12",
		FaultTryAgain: "K01", FaultBorrowingOff: "K02", FaultClosed: "K03", FaultOutOfOrder: "K04",
	}
}

// Code is what staff see for f; "" for no fault.
func (f Fault) Code() string { return Faults()[f] }

// An Alarm is a standing trouble for staff. Its code has at most five characters.
type Alarm string

// The alarms.
const (
	AlarmScanner Alarm = "SCAN1" // a scanner is not there
	AlarmJournal Alarm = "JRNL1" // the journal cannot be written
	AlarmCache   Alarm = "CACH1" // the cache cannot be read
	AlarmClock   Alarm = "CLCK1" // the clock is not believable
	AlarmLibrary Alarm = "LIBR1" // the library system does not answer
)

// Alarms is the closed set.
func Alarms() []Alarm {
	return []Alarm{AlarmScanner, AlarmJournal, AlarmCache, AlarmClock, AlarmLibrary}
}
