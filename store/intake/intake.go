// Package intake turns the files that a library system writes into typed rows. It knows formats, headers,
// dates and money, and nothing of databases, policy or the desk.
//
// It streams: a file of a million rows needs no more memory than one of a thousand. What it hands out is
// bounded and clean: no control characters, no bidi overrides, no value longer than its column's limit.
// A row that is wrong is left out and reported with line, column and reason; the rest goes on. Nothing is
// shortened or guessed in silence.
//
// # CSV
//
// The delimiter is a comma, semicolon or TAB, whichever the header has most of. Lines end in LF, CR LF or
// CR. Text is UTF-8, with or without a byte order mark. A row that is not UTF-8 is read as Windows-1252 as
// long as the file has had neither a byte order mark nor a row with a good UTF-8 sequence in it; after one
// it is reported. [File.Encoding] tells. Headers count without case, spaces, '_' and '-'. The default
// headers take ISO 8601 dates only; Destiny's own headers, and those that the config names, also mm/dd/yy
// (always 20yy) and mm/dd/yyyy.
//
// A missing or empty patron_type is "student", circ_type "regular", a copy's status "available", a patron's
// active, a hold's pending, renewals 0. Types are folded to lower case: Destiny writes Student, the policy
// student. A restricted patron (R) is inactive: a helper decides.
//
// A family name is never read. A first name or nickname with a comma in it ("Garcia, Maya") is a whole
// name, and only what follows the comma is kept.
//
// Line breaks and TABs within quotes become a space in texts; any other control character is a reason to
// leave the row out. Bidi controls are taken out.
//
// # Cards
//
// How a card's UID is written, which numbers alone cannot tell, [Options.Card] knows; what it makes of one is
// the UID here.
//
// # MARC
//
// Files of copies may be MARC 21 in ISO 2709 or MARCXML, told by content. Each 852 with a barcode in $p is
// a copy, by Destiny's rules; a record without one is passed over. We read it ourselves: of the Go libraries
// we found two that know MARC-8, both begun in 2026; one skips bad records, and the other's reader is no
// longer in the latest version of its module. MARC-8 is ASCII and ANSEL here; a run in another script
// becomes "…".
package intake

import (
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"
)

// Options say what a file does not say itself.
type Options struct {
	Headers map[string]string // our column -> its header in the file
	Zone    *time.Location    // the zone of times without an offset; nil is UTC
	Site    string            // this school's short name: copies of it have no site of their own

	// Card reads the UID of a card; a reason says why it is none, and does not show it. nil: it stays as it stands.
	Card func(written string) (uid, reason string)
}

// A Row is a *Patron, *Copy, *Loan, *Hold, *Charge or *Card.
type Row interface{ row() }

// A Patron is somebody who may borrow.
type Patron struct {
	Line                            int
	Barcode                         string
	Name                            string // nickname or first name
	Type, Grade, Homeroom, Language string
	Inactive                        bool
	Expires                         string // ISO 8601 date; "" never
	DistrictID                      string
	CardUID                         string // what Options.Card made of it
	PIN                             string // 4 to 8 digits, or ""; it must stand in no log, report or error
}

// A Copy is one thing to borrow.
type Copy struct {
	Line                                                  int // the number of the record in MARC
	Barcode, TitleID, Title, Author, CallNumber, CircType string
	Site                                                  string // "" this one
	Status                                                string // available, lost, repair, withdrawn, or the file's word in lower case
}

// A Loan is a copy that is out.
type Loan struct {
	Line         int
	Item, Patron string
	At           int64  // µs since 1970; 0 unknown
	Due          string // ISO 8601 date, or RFC 3339 for loans of hours
	Renewals     int
}

// A Hold is a wish for a title or for one copy of it.
type Hold struct {
	Line                  int
	Patron, TitleID, Item string
	Placed                int64 // µs since 1970; 0 unknown
	Site                  string
	Ready                 bool
}

// A Charge is money owed.
type Charge struct {
	Line   int
	Patron string
	Amount int64 // minor units
}

// A Card is a chip card and whose it is.
type Card struct {
	Line        int
	UID, Patron string // UID: what Options.Card made of it
}

func (*Patron) row() {}
func (*Copy) row()   {}
func (*Loan) row()   {}
func (*Hold) row()   {}
func (*Charge) row() {}
func (*Card) row()   {}

// A Bad is a row that is left out, or the end of reading.
type Bad struct {
	Line   int    // of the file, from 1; in MARC the number of the record
	Column string // the file's own header; in MARC the field
	Reason string // for people; it quotes dates, amounts and words, never a name or a barcode
	Fatal  error  // reading stopped here
}

// A File is an opened file whose header has been understood.
type File struct {
	format  string
	ignored []string
	rows    func(yield func(Row, *Bad) bool)
	utf8    func() string
}

// Kinds are the kinds of files there are.
func Kinds() []string { return []string{"patrons", "copies", "loans", "holds", "charges", "cards"} }

// Open reads the head of a file of one of the Kinds. An error refuses the whole file, in one sentence for people.
func Open(kind string, r io.Reader, o Options) (*File, error) {
	if !slices.Contains(Kinds(), kind) {
		return nil, fmt.Errorf("%q is not a kind of file; there are %s", kind, strings.Join(Kinds(), ", "))
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	s := newSource(r)
	head, err := s.head()
	if err != nil {
		return nil, err
	}
	switch format := sniff(head); {
	case format == formatCSV:
		return openCSV(kind, s, o)
	case kind != "copies":
		return nil, fmt.Errorf("the file is MARC, which has copies and no %s", kind)
	case format == formatXML:
		return openXML(s, o)
	default:
		return openMARC(s, o), nil
	}
}

// Format is csv, destiny-sis, marc or marcxml.
func (f *File) Format() string { return f.format }

// Ignored are the headers of the columns that are not read.
func (f *File) Ignored() []string { return f.ignored }

// Encoding is how the rows so far were written: UTF-8, Windows-1252 or MARC-8, whichever is oldest.
func (f *File) Encoding() string { return f.utf8() }

// Rows are the rows of the file, once: a row or a reason why there is none. The struct behind a Row is used
// again for the next; its strings stay.
func (f *File) Rows() iter.Seq2[Row, *Bad] { return f.rows }
