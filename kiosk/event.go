package kiosk

import "time"

// An Event is something that happened.
type Event interface{ event() }

// An Effect is something to be done: plain data, carried out by the loop in the order given and
// answered in that order.
type Effect interface{ effect() }

type (
	// Scanned is a code that a scanner read, with what the configured rules make of it.
	// Patron and Item are the identities it could have; both may be set.
	Scanned struct {
		Source  string // the scanner's name
		Role    Role
		Code    string // printable and bounded; what the label says
		Patron  PatronID
		Item    ItemID
		Card    Credential   // a tapped card: nothing else is set but Problem: one_card, random_card
		Also    []Credential // by which a list that has only a part of its number may know it
		Command string       // a command printed on the panel: "finish", "return", …
		Problem Fault        // why it can be neither: isbn, unreadable, not_ours
	}

	// Tapped is a touch on the page. Seq and Session are those of the snapshot that was touched.
	Tapped struct {
		ID      string
		Seq     uint64
		Session uint64
	}

	// Found answers Find. A nil part was not found; Failed means that the cache could not be read.
	Found struct {
		Call    uint64
		Account *Account
		Copy    *Copy
		Failed  bool
	}

	// Recorded answers Record: all acts are durable or, if not OK, their outcome is unknown.
	Recorded struct {
		Call uint64
		OK   bool
	}

	// Verified answers Verify: whether it is the patron's PIN. Failed means that the cache could not be read.
	Verified struct {
		Call   uint64
		OK     bool
		Failed bool
	}

	// Woke is the timer that Wake asked for. Spurious ones are harmless.
	Woke struct{}

	// Laid tells all tags that lie on a reader, whenever that changes.
	Laid struct {
		Source  string
		Role    Role
		Tags    []TagOn
		Unclear bool // there is something more that cannot be made out
	}

	// Secured answers Secure: Failed are the tags that three tries could not change.
	Secured struct {
		Call   uint64
		Failed []string
	}

	// DeviceIs tells that a device came or went.
	DeviceIs struct {
		Name    string
		Kind    string // DeviceScanner, DeviceReader, …; "": a scanner
		Role    Role
		Ready   bool
		Trouble bool // it works, but not as it should
	}

	// JournalIs tells where the journal stands, and whether anything can be looked up: at start and whenever
	// that changes. Prefix + a sequence number is a key; Next is the first free number.
	JournalIs struct {
		Writable bool
		Reserve  bool // the disk is nearly full: only returns are taken
		NoCache  bool // the cache cannot be read, or is being filled
		Prefix   string
		Next     uint64
	}

	// AlarmIs tells that a trouble begins or ends that a shell knows of.
	AlarmIs struct {
		Alarm Alarm
		On    bool
	}

	// LibraryIs tells whether the library system answers.
	LibraryIs struct{ Up bool }

	// ClockIs tells how far the wall clock can be trusted. While it is impossible, dates are
	// reckoned from Floor, the latest plausible time.
	ClockIs struct {
		Trust Clock
		Floor time.Time
	}
)

func (Scanned) event()   {}
func (Tapped) event()    {}
func (Found) event()     {}
func (Recorded) event()  {}
func (Verified) event()  {}
func (Woke) event()      {}
func (DeviceIs) event()  {}
func (JournalIs) event() {}
func (LibraryIs) event() {}
func (ClockIs) event()   {}
func (AlarmIs) event()   {}
func (Laid) event()      {}
func (Secured) event()   {}

type (
	// Find asks the cache for a patron's account (by barcode or by card), for a copy, or for both.
	// Answer: Found.
	Find struct {
		Call   uint64
		Patron PatronID
		Card   Credential
		Also   []Credential // asked for in this order if nobody has Card
		Item   ItemID
	}

	// Record asks the journal to make acts durable in one transaction. Answer: Recorded.
	Record struct {
		Call uint64
		Acts []Act
	}

	// Verify asks the cache whether a PIN is a patron's. Nothing else carries a PIN, and nobody keeps it.
	// Answer: Verified.
	Verify struct {
		Call   uint64
		Patron PatronID
		PIN    string
	}

	// Secure asks a reader to change tags and to read them back, trying three times: On, the gate alarms.
	// Answer: Secured, whenever the reader is done; no other answer waits for it.
	Secure struct {
		Call   uint64
		Source string
		Tags   []string // their numbers
		On     bool
	}
)

func (Secure) effect() {}
func (Find) effect()   {}
func (Record) effect() {}
func (Verify) effect() {}
