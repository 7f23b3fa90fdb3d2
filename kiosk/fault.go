package kiosk

// A Fault is a reason that a student or a technician can see. The set is closed: Faults lists it.
// The sentence that goes with it lives in web's catalogues; a student's sentence says what to do
// with the book now.
type Fault string

// The reasons. "" is no fault.
const (
	FaultUnknownCard  Fault = "unknown_card"   // no such patron
	FaultBlocked      Fault = "blocked"        // may not borrow; the screen never says why
	FaultUnknownItem  Fault = "unknown_item"   // no such item
	FaultNotOurs      Fault = "not_ours"       // another library's label
	FaultOtherSchool  Fault = "other_school"   // an item of another school of the district
	FaultISBN         Fault = "isbn"           // the shop's barcode instead of the library label
	FaultUnreadable   Fault = "unreadable"     // garbage, wrong check digit under a strict rule
	FaultOnHold       Fault = "on_hold"        // somebody else waits for it
	FaultNotForLoan   Fault = "not_for_loan"   // no rule lets this patron borrow this type
	FaultTooMany      Fault = "too_many"       // the limit is reached
	FaultOtherPerson  Fault = "other_person"   // on loan to somebody else
	FaultNeedsHelper  Fault = "needs_helper"   // lost, in repair or withdrawn: a person must look
	FaultNoRenewal    Fault = "no_renewal"     // the renewals are used up
	FaultRenewalHold  Fault = "renewal_hold"   // no renewal: somebody waits for it
	FaultCardHere     Fault = "card_here"      // a card where a book is expected
	FaultTryAgain     Fault = "try_again"      // a passing trouble, or scanned too fast
	FaultBorrowingOff Fault = "borrowing_off"  // the journal cannot be written
	FaultClosed       Fault = "closed"         // the library is closed
	FaultOutOfOrder   Fault = "out_of_order"   // no scanner works
	FaultOneCard      Fault = "one_card"       // several cards at once
	FaultRandomCard   Fault = "random_card"    // a chip with a new number each time: a phone
	FaultScanCard     Fault = "scan_card"      // staff: scan the barcode of the new card
	FaultCardLinked   Fault = "card_linked"    // staff: done, the new card works
	FaultWrongPIN     Fault = "wrong_pin"      // not the PIN of this card
	FaultNoPIN        Fault = "no_pin"         // a PIN is asked for and the file has none
	FaultPINLocked    Fault = "pin_locked"     // too many wrong ones in a row: staff must load a newer file
	FaultIncomplete   Fault = "incomplete_set" // parts of the set are missing
	FaultLayFlat      Fault = "lay_flat"       // the tags are not yet done: lay it flat and wait
	FaultPadFull      Fault = "pad_full"       // more lies on the pad than it can read
)

// Faults is the closed set, with the code that staff see (at most five characters).
func Faults() map[Fault]string {
	return map[Fault]string{
		FaultUnknownCard: "P01", FaultBlocked: "P02", FaultCardHere: "P03",
		FaultUnknownItem: "B01", FaultNotOurs: "B02", FaultOtherSchool: "B03", FaultISBN: "B04",
		FaultUnreadable: "B05", FaultOnHold: "B06", FaultNotForLoan: "B07", FaultTooMany: "B08",
		FaultOtherPerson: "B09", FaultNeedsHelper: "B10", FaultNoRenewal: "B11", FaultRenewalHold: "B12",
		FaultTryAgain: "K01", FaultBorrowingOff: "K02", FaultClosed: "K03", FaultOutOfOrder: "K04",
		FaultOneCard: "P04", FaultRandomCard: "P05", FaultScanCard: "P06", FaultCardLinked: "P07",
		FaultWrongPIN: "P08", FaultNoPIN: "P09", FaultPINLocked: "P10",
		FaultIncomplete: "B13", FaultLayFlat: "B14", FaultPadFull: "B15",
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
	AlarmDamaged Alarm = "JRNL2" // the journal was damaged, put aside, and a new one begun
	AlarmLost    Alarm = "JRNL3" // the card lost acknowledged entries
	AlarmRemade  Alarm = "CACH2" // the cache was damaged and is rebuilt
	AlarmDisk    Alarm = "DISK1" // the disk is nearly full
	AlarmReader  Alarm = "READ1" // an RFID reader is not there
	AlarmDevice  Alarm = "DEV1"  // a device works, but not as it should
	AlarmPrinter Alarm = "PRNT1" // the printer is not there or has no paper
	AlarmPaper   Alarm = "PRNT2" // the paper is nearly out
	AlarmBin     Alarm = "BIN1"  // the bin is full
	AlarmDoor    Alarm = "DOOR1" // the door is open
	AlarmPower   Alarm = "PWR1"  // undervoltage
	AlarmHeat    Alarm = "TEMP1" // too hot
	AlarmWear    Alarm = "WEAR1" // the card is wearing out
	AlarmTags    Alarm = "TAGS1" // a tag could not be secured
)

// Alarms is the closed set.
func Alarms() []Alarm {
	return []Alarm{AlarmScanner, AlarmJournal, AlarmCache, AlarmClock, AlarmLibrary, AlarmDamaged, AlarmLost, AlarmRemade,
		AlarmDisk, AlarmReader, AlarmDevice, AlarmPrinter, AlarmPaper, AlarmBin, AlarmDoor, AlarmPower, AlarmHeat, AlarmWear, AlarmTags}
}
