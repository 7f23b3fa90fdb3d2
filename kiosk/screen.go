package kiosk

import (
	"cmp"
	"time"
)

// Mode names a screen (design section 6).
type Mode string

// The screens of this version.
const (
	ModeAttract      Mode = "attract"
	ModeItemFirst    Mode = "item_first"
	ModeWho          Mode = "who"
	ModeUnknownCard  Mode = "unknown_card"
	ModeBlocked      Mode = "blocked"
	ModePIN          Mode = "pin"
	ModeBorrow       Mode = "borrow"
	ModeAccount      Mode = "account"
	ModeRenewed      Mode = "renewed"
	ModeReturn       Mode = "return"
	ModeFinish       Mode = "finish"
	ModeBye          Mode = "bye"
	ModeStillThere   Mode = "still_there"
	ModeHelp         Mode = "help"
	ModeBin          Mode = "bin"
	ModeAside        Mode = "aside"
	ModeClosed       Mode = "closed"
	ModeBorrowingOff Mode = "borrowing_off"
	ModeOutOfOrder   Mode = "out_of_order"
)

// Modes is the closed set of screens.
func Modes() []Mode {
	return []Mode{ModeAttract, ModeItemFirst, ModeWho, ModeUnknownCard, ModeBlocked, ModePIN, ModeBorrow, ModeAccount, ModeRenewed,
		ModeReturn, ModeFinish, ModeBye, ModeStillThere, ModeHelp, ModeBin, ModeAside, ModeClosed, ModeBorrowingOff, ModeOutOfOrder}
}

// Sound is the kind of an audible event (design section 6).
type Sound string

// The sounds.
const (
	SoundOK        Sound = "ok"
	SoundRefused   Sound = "refused"
	SoundHold      Sound = "hold"
	SoundTransfer  Sound = "transfer"
	SoundRepair    Sound = "repair"
	SoundUnknown   Sound = "unknown"
	SoundDuplicate Sound = "duplicate"
	SoundTick      Sound = "tick"
	SoundWarn      Sound = "warn"
	SoundBye       Sound = "bye"
)

// A Heard is one sound with its number; the page plays each number once.
type Heard struct {
	ID   uint64
	Kind Sound
}

// A Line is one item on a screen.
type Line struct {
	Key        string // journal key; in the account a name for the line within the session
	Outcome    Outcome
	Item       ItemID // for matching a later scan; a Screen shows Tail only
	Title      string
	Tail       string // last four characters of the barcode
	CallNumber string // where it goes (bin and return)
	Due        Due
	Late       bool  // overdue (account)
	Can        bool  // may be renewed (account)
	Fault      Fault // why not, or "" (refused lines, and renewals that failed)
}

// The kinds of devices that the desk knows more of than their names.
const (
	DeviceScanner = "scanner"
	DeviceReader  = "reader"
	DevicePrinter = "printer"
)

// A Device is a device as the desk sees it.
type Device struct {
	Name    string
	Kind    string // DeviceScanner, DeviceReader, …; "": a scanner
	Role    Role
	Ready   bool
	Trouble bool // it works, but not as it should
}

// is tells whether d is a device of a kind.
func (d Device) is(kind string) bool { return cmp.Or(d.Kind, DeviceScanner) == kind }

// A Standing is an alarm and since when it stands.
type Standing struct {
	Alarm Alarm
	Since time.Time
}

// A Screen is all that is to be seen and heard, without a word of any language. Package web puts
// it into words. Screen shares nothing with the State it was drawn from that Step would change.
type Screen struct {
	Seq         uint64 // of the State
	Mode        Mode
	Lang        string
	Offline     bool
	Session     uint64    // 0: nobody stands at the desk
	Greeting    string    // first name or nickname, "" if nobody is known
	Lines       []Line    // newest first; in the account first due first
	First       int       // the first line of the page shown (account, aside)
	New         int       // items borrowed in this session
	All         int       // items the patron now has
	Ready       int       // holds waiting for the patron
	Tally       Tally     // the bin's counts
	Aside       int       // items in the aside tray
	Notice      Fault     // the sentence to show now
	Provisional bool      // due dates are computed from a clock that cannot be trusted
	Seconds     int       // countdown (still_there), else 0
	Typed       int       // digits typed (pin); which ones no Screen knows
	Opens       time.Time // next opening (closed); zero: unknown
	Actions     []string  // action ids that a tap may send, in order; the primary one first
	Sounds      []Heard   // the last eight
	Alarms      []Standing
}

// A Tally counts a bin session by outcome.
type Tally struct {
	Return, Hold, Transfer, Repair, Unknown, NotOurs, AlreadyIn, Found, Duplicate, Refused, Incomplete int
}

// All is the number of items read, duplicates left out.
func (t Tally) All() int {
	return t.Return + t.Hold + t.Transfer + t.Repair + t.Unknown + t.NotOurs + t.AlreadyIn + t.Found + t.Refused + t.Incomplete
}
