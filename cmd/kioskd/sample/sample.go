// Package sample is the school of kioskd demo and of tests: 200 students, eight teachers, a librarian and 2,500 copies
// of real books, with loans, holds and charges that never grow old. The people are made up.
//
// It is built anew at every call and is the same each time; only the dates move with the day. It knows the
// default CSV headers of the importers (design section 6) and nothing of what reads them.
package sample

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed titles.csv
var titlesCSV string

//go:embed policy.toml
var policyTOML string

// The schools of the sample: Site is the desk's own, OtherSite owns a dozen of the copies.
const (
	Site      = "0123"
	OtherSite = "0456"
)

// Files is the school as its library system would hand it over: CSV files in UTF-8 with the default headers
// and ISO 8601 dates, the policy to go with them, and the people and books worth knowing.
type Files struct {
	Patrons, Copies, Loans, Holds, Charges []byte
	Policy                                 []byte // policy.toml
	Cast                                   Cast
}

// School is the sample on a day: today is a date in the school's zone, 2026-11-24. Anything else is a
// mistake of the program and panics.
func School(today string) Files {
	day, err := time.Parse(time.DateOnly, today)
	if err != nil {
		panic(fmt.Sprintf("sample: today: %v", err))
	}
	s, on := build(), calendar{day}
	return Files{
		Patrons: s.patronFile(on), Copies: s.copyFile(), Loans: s.loanFile(on), Holds: s.holdFile(on),
		Charges: s.chargeFile(on), Policy: on.policy(), Cast: s.cast,
	}
}

// A calendar turns days from today into dates.
type calendar struct{ today time.Time }

func (c calendar) day(n int) string { return c.today.AddDate(0, 0, n).Format(time.DateOnly) }

// next is the first such day of a year that is not before today.
func (c calendar) next(month time.Month, day int) time.Time {
	t := time.Date(c.today.Year(), month, day, 0, 0, 0, 0, time.UTC)
	if t.Before(c.today) {
		t = t.AddDate(1, 0, 0)
	}
	return t
}

// policy leaves out the closed days and ends of term that touch today or tomorrow: they would shut the
// demo's desk or let a renewal gain nothing.
func (c calendar) policy() []byte {
	span := regexp.MustCompile(`^  "(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?"`)
	var kept bytes.Buffer
	for line := range strings.Lines(policyTOML) {
		m := span.FindStringSubmatch(line)
		if m != nil && m[1] <= c.day(1) && cmp.Or(m[2], m[1]) >= c.day(0) {
			continue
		}
		kept.WriteString(line)
	}
	return kept.Bytes()
}

// table is a CSV file.
func table(header string, rows [][]string) []byte {
	var b bytes.Buffer
	all := append([][]string{strings.Fields(header)}, rows...)
	if err := csv.NewWriter(&b).WriteAll(all); err != nil {
		panic(fmt.Sprintf("sample: %v", err)) // a buffer takes everything
	}
	return b.Bytes()
}

func (s *school) patronFile(on calendar) []byte {
	var rows [][]string
	for _, p := range s.patrons {
		rows = append(rows, []string{p.code, p.district, p.last, p.first, p.nick, p.kind, p.grade, p.room, p.status,
			p.expires(on), p.lang, p.pin, p.uid})
	}
	return table("barcode district_id last_name first_name nickname patron_type grade homeroom status expires language pin card_uid", rows)
}

// expires is the last day of membership: the 30th of June after grade 8, never for grown-ups.
func (p *patron) expires(on calendar) string {
	grade, _ := strconv.Atoi(p.grade) // kindergarten is 0
	switch {
	case p.kind != student:
		return ""
	case p.expired:
		return on.day(-40)
	}
	return on.next(time.June, 30).AddDate(8-grade, 0, 0).Format(time.DateOnly)
}

func (s *school) copyFile() []byte {
	var rows [][]string
	for _, it := range s.items {
		t := it.title
		rows = append(rows, []string{it.code, t.id, t.name, t.author, t.isbn, t.call, t.kind, it.site, money(it.price),
			it.status, strconv.Itoa(it.parts), t.shelf()})
	}
	return table("barcode title_id title author isbn call_number circ_type site price status parts sublocation", rows)
}

func (s *school) loanFile(on calendar) []byte {
	var rows [][]string
	for _, l := range s.loans {
		due := on.day(l.due)
		if l.item.title.kind == textbook {
			due = on.next(time.June, 10).Format(time.DateOnly) // the end of the term
		}
		rows = append(rows, []string{l.item.code, l.patron.code, on.day(l.out), due, strconv.Itoa(l.renewals)})
	}
	return table("item patron checked_out due renewals", rows)
}

func (s *school) holdFile(on calendar) []byte {
	var rows [][]string
	for _, h := range s.holds {
		item := ""
		if h.item != nil {
			item = h.item.code
		}
		rows = append(rows, []string{h.patron.code, h.title.id, item, on.day(h.placed), h.site, h.status})
	}
	return table("patron title_id item placed pickup_site status", rows)
}

func (s *school) chargeFile(on calendar) []byte {
	var rows [][]string
	for _, c := range s.charges {
		rows = append(rows, []string{c.patron.code, c.item.code, c.reason, money(c.amount), "USD", on.day(c.created)})
	}
	return table("patron item reason amount currency created", rows)
}

// money is an amount of cents in dollars.
func money(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
