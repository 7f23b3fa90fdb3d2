// Package kiosk is the core of circdesk: what a circulation desk knows, decides and shows.
//
// It knows policy, patrons, items and time, all as plain values; it refuses to know files, databases,
// devices, sockets and the clock. Everything happens in two pure functions: Step takes a State and
// an Event and gives the next State and the Effects to carry out; View draws a State as a Screen.
package kiosk

import (
	"cmp"
	"fmt"
	"time"
)

type (
	// PatronID is a patron's barcode as the library system stores it.
	PatronID string
	// ItemID is a copy's barcode as the library system stores it.
	ItemID string
	// Credential is the keyed digest of a card chip's number, in hex.
	Credential string
	// TitleID names a title: all copies of one book share it.
	TitleID string
	// Key names a journal entry: KIOSK-INCARNATION-SEQ. It is the idempotency key everywhere.
	Key string
)

// A Date is a civil date in the site's zone. The zero Date means "none".
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the date that t shows in its own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads an ISO 8601 calendar date, 2026-11-24.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("date %q is not of the form 2026-11-24", s)
	}
	return DateOf(t), nil
}

// String is the ISO 8601 form, or "" for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// IsZero tells a missing date.
func (d Date) IsZero() bool { return d == Date{} }

// Add counts civil days; no clock change can move the result.
func (d Date) Add(days int) Date { return DateOf(d.noon(time.UTC).AddDate(0, 0, days)) }

// Compare orders dates: -1, 0 or +1.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day))
}

// Before tells whether d comes earlier than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.noon(time.UTC).Weekday() }

func (d Date) noon(zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, zone)
}

// A Due says when a loan ends: a whole Day or, for loans of hours, the instant At (Day is then At's day).
type Due struct {
	Day Date
	At  time.Time
}

// DueOn is the end of a loan that lasts until the end of a day.
func DueOn(d Date) Due { return Due{Day: d} }

// DueAt is the end of a loan of hours.
func DueAt(t time.Time) Due { return Due{Day: DateOf(t), At: t.Round(0)} }

// ParseDue reads what Due.String writes: an ISO date, or an RFC 3339 date-time with offset.
func ParseDue(s string) (Due, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return DueAt(t), nil
	}
	d, err := ParseDate(s)
	if err != nil {
		return Due{}, fmt.Errorf("due %q is neither a date nor a date-time with offset", s)
	}
	return DueOn(d), nil
}

// String is ISO 8601: a date, or a date-time with offset; "" for none.
func (d Due) String() string {
	if d.At.IsZero() {
		return d.Day.String()
	}
	return d.At.Format(time.RFC3339)
}

// IsZero tells a missing due date.
func (d Due) IsZero() bool { return d.Day.IsZero() }

// Before orders due dates; a loan of hours ends before one that lasts until the end of the same day.
func (d Due) Before(e Due) bool {
	if c := d.Day.Compare(e.Day); c != 0 {
		return c < 0
	}
	if d.At.IsZero() || e.At.IsZero() {
		return !d.At.IsZero() && e.At.IsZero()
	}
	return d.At.Before(e.At)
}

// Past tells whether the loan is overdue at now, after a grace of whole days.
func (d Due) Past(now time.Time, grace int) bool {
	switch {
	case d.IsZero():
		return false
	case d.At.IsZero() || grace > 0:
		return d.Day.Add(grace).Before(DateOf(now))
	}
	return d.At.Before(now)
}

// A Patron is a person who may borrow, as far as the core needs to know: no family name, so that none can be shown.
type Patron struct {
	ID       PatronID
	Name     string // nickname or first name: the greeting
	Type     string // patron type of the policy
	Grade    string
	Language string // wished language, "" if unknown
	Inactive bool
	Expires  Date // last day of membership; zero: never
	PIN      bool // the file has one
}

// ItemStatus is the physical state of an item, apart from being on loan.
type ItemStatus string

// The states of an item that the library system tells and the kiosk cares about.
const (
	ItemAvailable ItemStatus = "available"
	ItemLost      ItemStatus = "lost"
	ItemRepair    ItemStatus = "repair"
	ItemWithdrawn ItemStatus = "withdrawn"
)

// An Item is one copy with a barcode.
type Item struct {
	ID         ItemID
	TitleID    TitleID
	Title      string
	Author     string
	CallNumber string
	Type       string // circulation type of the policy
	Site       string // the school that owns it
	Status     ItemStatus
}

// A Loan is an item in a patron's hands.
type Loan struct {
	Item     ItemID
	Patron   PatronID
	At       time.Time // when it was borrowed
	Due      Due
	Renewals int
}

// A Hold is a patron's claim on a title or on one item.
type Hold struct {
	Patron  PatronID
	TitleID TitleID
	Item    ItemID // "" = any copy of the title; a ready hold names the copy that waits
	Site    string // pickup site, "" = here
	Ready   bool   // the copy stands on the hold shelf
}

// A Borrowed is one line of a patron's account.
type Borrowed struct {
	Loan   Loan
	Item   Item
	Wanted bool // another patron waits for this copy, so it cannot be renewed
}

// An Account is all that is decided about a patron from the cache, at one moment.
type Account struct {
	Patron  Patron
	Loans   []Borrowed // open loans, first due first
	Charges int64      // sum of open charges in minor units
	Ready   int        // holds that wait for the patron on the hold shelf
	Tries   int        // wrong PINs in a row, since the last right one or the last newer file of patrons
}

// A Copy is all that is decided about an item from the cache, at one moment.
type Copy struct {
	Item  Item
	Out   bool // on loan
	Loan  Loan // the open loan if Out
	Holds []Hold
	// Holds: the open holds that this copy could serve (of its title or on itself), oldest first.
	Spare   int     // other copies of the title at this site that stand on the shelf unclaimed; 0 without Holds
	Pending TagWish // what an earlier act wanted of its tags and was not confirmed
}

// A TagWish is what is still to be done to a book's tags.
type TagWish string

// The wishes. "" is none.
const (
	WishSet   TagWish = "set"   // the gate is to alarm: the book has come back
	WishClear TagWish = "clear" // the gate is to let it pass: the book is lent
)
