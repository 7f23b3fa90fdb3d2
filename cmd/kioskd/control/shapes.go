// Package control is the daemon's unix socket: what maintenance staff and technicians ask kioskd, and
// what it answers. It knows HTTP, JSON and who may ask; what the answers are, a Desk knows.
//
//	GET  /v1/status                      Status
//	GET  /v1/devices                     a list of Device
//	GET  /v1/journal?since=SEQ&limit=N   one Line a line, oldest first; limit 0 or missing: all
//	GET  /v1/queue                       one Waiting a line, oldest first
//	GET  /v1/stats?from=RFC3339&until=RFC3339   one Stat a line; a missing time: no bound
//	GET  /v1/verify                      Verified
//	GET  /v1/backup                      the journal as one file; its checksum is in the header Sha256
//	POST /v1/settle?key=KEY&why=TEXT     {}
//	POST /v1/import/KIND?force=true&taken=RFC3339&name=FILE   with the file as body: ImportReport
//
// A failure is {"error": "…"}, with a status of 400 or above or, where lines have been sent already, as
// the last line.
package control

import (
	"context"
	"io"
	"iter"
	"time"

	"circdesk/kiosk"
)

// A Desk answers for the daemon. Its methods may be called at any time, from any goroutine, and return
// soon after ctx is done. Their errors are logged as well as shown, so they hold no patron's data.
type Desk interface {
	Status(ctx context.Context) (Status, error)
	Devices(ctx context.Context) ([]Device, error)

	// Journal yields the entries from number since on, in order. Queue yields those that have not
	// reached the library system, in order. Either may end with one error.
	Journal(ctx context.Context, since uint64) iter.Seq2[kiosk.Entry, error]
	Queue(ctx context.Context) iter.Seq2[kiosk.Entry, error]

	// Stats counts what happened from one moment on and before another; a zero one is no bound.
	Stats(ctx context.Context, from, until time.Time) ([]Stat, error)

	// Verify checks the whole journal's chain. A broken chain is no error, but a Verified that is not OK.
	Verify(ctx context.Context) (Verified, error)

	// Backup makes a consistent copy of the journal and lends it to use, with its SHA-256 in hexadecimal.
	Backup(ctx context.Context, use func(copy io.Reader, sum string) error) error

	// Settle ends a delivery that staff have seen to by hand.
	Settle(ctx context.Context, key kiosk.Key, why string) error

	// Import loads a file of one of Kinds, all of it or nothing, and does not keep r. Bad rows, and a
	// file that is refused as a whole, are no error, but stand in the report.
	Import(ctx context.Context, kind string, r io.Reader, req ImportRequest) (ImportReport, error)
}

// Kinds are the kinds of files that can be imported (design section 6).
func Kinds() []string { return []string{"patrons", "copies", "loans", "holds", "charges", "cards"} }

// A Status is the desk at a glance.
type Status struct {
	Kiosk      string      `json:"kiosk"` // its id
	Name       string      `json:"name"`
	Version    string      `json:"version"` // of the program
	UptimeS    int64       `json:"uptime_s"`
	Screen     kiosk.Mode  `json:"screen"`
	Session    uint64      `json:"session"` // 0: nobody stands at the desk
	Clock      kiosk.Clock `json:"clock"`
	Library    string      `json:"library"` // none, up, down
	Entries    uint64      `json:"entries"` // in the journal
	Queue      int         `json:"queue"`   // entries on their way to the library system
	NeedsStaff int         `json:"needs_staff"`
	CacheAgeS  *int64      `json:"cache_age_s"` // since the snapshot was taken; null: there is none
	LastImport *Imported   `json:"last_import"` // null: none
	LastFile   *Tried      `json:"last_file"`   // null: none since the daemon has started
	Alarms     []Alarm     `json:"alarms"`
	Devices    []Device    `json:"devices"`
}

// An Imported is the last file that was loaded.
type Imported struct {
	Kind  string    `json:"kind"`
	At    time.Time `json:"at"`
	Taken time.Time `json:"taken"` // when the library system wrote it
	Rows  int       `json:"rows"`  // that were loaded
	Bad   int       `json:"bad"`   // that were left out
}

// A Tried is the last file that was to be loaded, whatever became of it.
type Tried struct {
	At time.Time `json:"at"`
	ImportReport
}

// An Alarm is a standing trouble.
type Alarm struct {
	Code  kiosk.Alarm `json:"code"` // at most five characters
	Text  string      `json:"text"` // for staff
	Since time.Time   `json:"since"`
}

// A Device is one line of the device list. Its counters run since the daemon started.
type Device struct {
	Name    string     `json:"name"`
	Kind    string     `json:"kind"` // "serial"
	Path    string     `json:"path"`
	Role    kiosk.Role `json:"role"`
	State   string     `json:"state"` // opening, ready, absent, denied, noisy, failed
	Since   time.Time  `json:"since"` // of State
	Error   string     `json:"error"` // why it is not ready
	Opens   uint64     `json:"opens"`
	Reads   uint64     `json:"reads"`
	Repeats uint64     `json:"repeats"` // the same code again at once
	Drops   uint64     `json:"drops"`   // noise
}

// A Line is one entry of the journal.
type Line struct {
	Seq      uint64          `json:"seq"`
	Key      kiosk.Key       `json:"key"`
	Kind     kiosk.Kind      `json:"kind"`
	At       time.Time       `json:"at"`
	Clock    kiosk.Clock     `json:"clock"`
	Session  uint64          `json:"session"`
	Role     kiosk.Role      `json:"role"`
	Patron   *kiosk.PatronID `json:"patron"` // null: faded, or never known
	Item     kiosk.ItemID    `json:"item"`
	Due      string          `json:"due"` // ISO 8601, see kiosk.Due; empty: none
	Outcome  kiosk.Outcome   `json:"outcome"`
	Policy   string          `json:"policy"`
	Delivery kiosk.Delivery  `json:"delivery"`
}

// A Waiting is an entry on its way to the library system.
type Waiting struct {
	Line
	Attempts int       `json:"attempts"`
	Since    time.Time `json:"since"`  // of Delivery
	Answer   string    `json:"answer"` // what the library system said last
}

func lineOf(e kiosk.Entry) Line {
	l := Line{
		Seq: e.Seq, Key: e.Key, Kind: e.Kind, At: e.At, Clock: e.Clock, Session: e.Session, Role: e.Role,
		Item: e.Item, Due: e.Due.String(), Outcome: e.Outcome, Policy: e.Policy, Delivery: e.Delivery,
	}
	if e.Patron != "" {
		l.Patron = &e.Patron
	}
	return l
}

func waitingOf(e kiosk.Entry) Waiting {
	return Waiting{lineOf(e), e.Attempts, e.Since, e.Answer}
}

// A Stat counts the acts of one kind, of one hour, grade, circulation type and class of call numbers. There
// is no name in it.
type Stat struct {
	Day   string     `json:"day"` // ISO 8601
	Hour  int        `json:"hour"`
	Kind  kiosk.Kind `json:"kind"`
	Grade string     `json:"grade"`
	Type  string     `json:"circ_type"`
	Class string     `json:"class"`
	Count int        `json:"count"`
}

// A Verified is the result of checking the journal.
type Verified struct {
	OK      bool   `json:"ok"`
	Entries uint64 `json:"entries"` // that were checked
	Head    string `json:"head"`    // hash of the last one, in hexadecimal
	BadSeq  uint64 `json:"bad_seq"` // the first entry that does not fit; 0: none, or the journal as a whole
	Reason  string `json:"reason"`  // empty if OK
}

// An ImportRequest is what goes with a file.
type ImportRequest struct {
	Name  string    // of the file, for messages; may be empty
	Taken time.Time // when the library system wrote it
	Force bool      // load it though it looks wrong: older than the last, or much smaller
}

// An ImportReport is what became of a file.
type ImportReport struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Taken   time.Time `json:"taken"`
	Rows    int       `json:"rows"`     // that were read, the header not counted
	Loaded  int       `json:"loaded"`   // of those
	Before  int       `json:"before"`   // how many there were of this kind
	Refused string    `json:"refused"`  // why nothing was loaded; empty if it was
	Bad     int       `json:"bad"`      // rows that were left out
	BadRows []BadRow  `json:"bad_rows"` // the first of them
	Ignored []string  `json:"ignored"`  // headers of columns that are not used
}

// A BadRow is a row that was left out.
type BadRow struct {
	Line   int    `json:"line"`   // in the file, counted from 1
	Column string `json:"column"` // its header
	Reason string `json:"reason"`
}
