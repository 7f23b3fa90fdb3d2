package intake

import (
	"fmt"
	"strings"
)

// Limits of values in bytes. They are those of Destiny's own fields where it has one, and then some.
const (
	maxCode  = 64
	maxWord  = 100
	maxTitle = 300
	leastPIN = 4 // as the desk asks for them
	mostPIN  = 8
)

// openCSV reads the header of a CSV file.
func openCSV(kind string, s *source, o Options) (*File, error) {
	c := &csvFile{s: s, most: csvCap}
	headers, err := c.readHeader()
	if err != nil {
		return nil, err
	}
	c.most = len(headers) + 50
	l, err := arrange(kind, headers, o.Headers)
	if err != nil {
		return nil, err
	}
	t := &table{c: c, layout: l, o: o}
	return &File{format: l.format, ignored: l.ignored, utf8: c.encoding, rows: t.rows(t.reader(kind))}, nil
}

// A table gives the rows of a CSV file their types. The first thing that is wrong with a row is kept in bad.
type table struct {
	c *csvFile
	*layout
	o   Options
	bad *Bad
}

// rows reads on until the file ends.
func (t *table) rows(read func() Row) func(yield func(Row, *Bad) bool) {
	return func(yield func(Row, *Bad) bool) {
		for len(t.c.s.window()) > 0 {
			problem := t.c.next()
			if t.c.s.pos == t.c.s.end && t.c.s.failed() != nil {
				break // the row may be cut off
			}
			if problem == "" && blank(t.c.raw) {
				continue
			}
			if row, bad := t.row(problem, read); !yield(row, bad) {
				return
			}
		}
		if err := t.c.s.failed(); err != nil {
			yield(nil, &Bad{Line: max(1, t.c.line), Reason: err.Error(), Fatal: err})
		}
	}
}

// blank tells lines with nothing on them, among them the end-of-file mark of DOS.
func blank(line []byte) bool {
	for _, b := range line {
		if b != ' ' && b != 0x1a {
			return false
		}
	}
	return true
}

// row is the row that was read, or why there is none.
func (t *table) row(problem string, read func() Row) (Row, *Bad) {
	if n := len(t.c.spans); problem == "" && n != len(t.headers) {
		problem = fmt.Sprintf("has %d fields where the header has %d", n, len(t.headers))
	}
	if problem != "" {
		return nil, &Bad{Line: t.c.start, Reason: "the row " + problem}
	}
	t.bad = nil
	row := read()
	if t.bad != nil {
		return nil, t.bad
	}
	return row, nil
}

// fail notes what is wrong with a column.
func (t *table) fail(col int, reason string) {
	if t.bad == nil && reason != "" {
		t.bad = &Bad{Line: t.c.start, Column: t.headers[t.at[col]], Reason: reason}
	}
}

// cell is a column's value as it stands in the file; "" if the file has no such column.
func (t *table) cell(col int) string {
	if t.at[col] < 0 {
		return ""
	}
	return t.c.field(t.at[col])
}

// words is a text of at most limit bytes.
func (t *table) words(col, limit int) string {
	s, reason := clean(t.cell(col))
	if reason == "" && len(s) > limit {
		reason = fmt.Sprintf("has %d bytes; the limit is %d", len(s), limit)
	}
	t.fail(col, reason)
	return s
}

// kind is a type in lower case, as the policy writes it.
func (t *table) kind(col int, missing string) string {
	if s := strings.ToLower(t.words(col, maxWord)); s != "" {
		return s
	}
	return missing
}

// code is a barcode or another number of the library system; it may be empty.
func (t *table) code(col int) string {
	s, reason := code(t.cell(col))
	t.fail(col, reason)
	return s
}

// need is a code that must be there.
func (t *table) need(col int) string {
	s := t.code(col)
	switch {
	case s == "":
		t.fail(col, "is empty")
	case strings.EqualFold(s, "autoassign"):
		t.fail(col, "is \"autoassign\": Destiny makes the number up; export the file from Destiny itself")
	}
	return s
}

// uid is the UID of a card; it may be empty.
func (t *table) uid(col int) string {
	s := t.code(col)
	if s == "" || t.o.Card == nil {
		return s
	}
	s, reason := t.o.Card(s)
	t.fail(col, reason)
	return s
}

// pin is a PIN; it may be empty. What is wrong with one is said without a word of it.
func (t *table) pin(col int) string {
	s, reason := code(t.cell(col))
	if reason != "" || s != "" && (len(s) < leastPIN || len(s) > mostPIN || strings.Trim(s, "0123456789") != "") {
		t.fail(col, fmt.Sprintf("is no PIN of %d to %d digits", leastPIN, mostPIN))
		return ""
	}
	return s
}

// choice is one of a few words.
func (t *table) choice(col int, words map[string]string) string {
	s := strings.ToLower(t.words(col, maxWord))
	word, ok := words[s]
	if !ok {
		t.fail(col, fmt.Sprintf("is %q", short(s)))
	}
	return word
}

// site is a site's short name; "" is this one.
func (t *table) site(col int) string {
	if s := t.words(col, maxWord); !strings.EqualFold(s, t.o.Site) {
		return s
	}
	return ""
}

func (t *table) instant(col int) int64 {
	if t.cell(col) == "" {
		return 0
	}
	m, reason := parseMoment(t.cell(col), t.us[col], t.o.Zone)
	t.fail(col, reason)
	return m.at.UnixMicro()
}

// reader makes rows of a kind. The columns are numbered as in columns().
func (t *table) reader(kind string) func() Row {
	switch kind {
	case "patrons":
		return t.patron()
	case "copies":
		return t.copyOf()
	case "loans":
		return t.loan()
	case "holds":
		return t.hold()
	case "charges":
		return t.charge()
	default:
		return t.card()
	}
}

func (t *table) patron() func() Row {
	var p Patron
	states := map[string]string{"": "", "a": "", "active": "", "i": "i", "inactive": "i", "r": "i", "restricted": "i"}
	return func() Row {
		p = Patron{
			Line: t.c.start, Barcode: t.need(0), Type: t.kind(3, "student"), Grade: t.words(4, maxWord),
			Homeroom: t.words(5, maxWord), Language: language(t.words(6, maxWord)),
			Inactive: t.choice(7, states) != "", DistrictID: t.code(9), CardUID: t.uid(10), PIN: t.pin(11),
		}
		if p.Name = given(t.words(1, maxWord)); p.Name == "" {
			p.Name = given(t.words(2, maxWord))
		}
		if t.cell(8) != "" {
			m, reason := parseMoment(t.cell(8), t.us[8], t.o.Zone)
			t.fail(8, reason)
			p.Expires = m.day
		}
		return &p
	}
}

// given leaves the family name out of "Garcia, Maya".
func given(name string) string {
	if _, after, ok := strings.Cut(name, ","); ok {
		return strings.TrimSpace(after)
	}
	return name
}

// language is a language's tag; "" if the file says something else: the desk then begins in its own.
func language(s string) string {
	s = strings.ToLower(s)
	switch s {
	case "english":
		return "en"
	case "spanish", "español", "espanol":
		return "es"
	}
	tag, _, _ := strings.Cut(s, "-")
	const letters = "abcdefghijklmnopqrstuvwxyz"
	if len(tag) < 2 || len(tag) > 3 || len(s) > 35 || strings.Trim(tag, letters) != "" || strings.Trim(s, letters+"0123456789-") != "" {
		return ""
	}
	return s
}

func (t *table) copyOf() func() Row {
	var c Copy
	return func() Row {
		c = Copy{
			Line: t.c.start, Barcode: t.need(0), TitleID: t.code(1), Title: t.words(2, maxTitle),
			Author: t.words(3, maxTitle), CallNumber: t.words(4, maxWord), CircType: circType(t.kind(5, "")),
			Site: t.site(6), Status: status(t.kind(7, "")),
		}
		return &c
	}
}

// circType is a circulation type as the policy writes it. R is Destiny's own short form.
func circType(s string) string {
	if s == "" || s == "r" {
		return "regular"
	}
	return s
}

// status is what is known of a copy apart from loans and holds, which have files of their own.
func status(s string) string {
	switch s {
	case "", "a", "available", "checked out", "on loan", "out", "on hold", "on hold shelf":
		return "available"
	case "l", "lost":
		return "lost"
	case "repair", "in repair", "out for repairs", "out for repair", "damaged":
		return "repair"
	case "withdrawn", "weeded", "deleted", "discarded":
		return "withdrawn"
	}
	return s
}

func (t *table) loan() func() Row {
	var l Loan
	return func() Row {
		l = Loan{Line: t.c.start, Item: t.need(0), Patron: t.need(1), At: t.instant(2), Renewals: t.count(4)}
		m, reason := parseMoment(t.cell(3), t.us[3], t.o.Zone)
		t.fail(3, reason)
		l.Due = m.due()
		return &l
	}
}

// count is a small number; 0 if the field is empty.
func (t *table) count(col int) int {
	n, s := 0, strings.TrimSpace(t.cell(col))
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i == 4 {
			t.fail(col, fmt.Sprintf("is %q, which is no number from 0 to 9999", short(s)))
			return 0
		}
		n = 10*n + int(s[i]-'0')
	}
	return n
}

func (t *table) hold() func() Row {
	var h Hold
	states := map[string]string{"": "", "pending": "", "p": "", "ready": "r", "r": "r"}
	return func() Row {
		h = Hold{
			Line: t.c.start, Patron: t.need(0), TitleID: t.code(1), Item: t.code(2), Placed: t.instant(3),
			Site: t.site(4), Ready: t.choice(5, states) != "",
		}
		if h.TitleID == "" && h.Item == "" && t.bad == nil {
			t.bad = &Bad{Line: t.c.start, Column: "title_id", Reason: "is empty, and the row names no item either"}
		}
		return &h
	}
}

func (t *table) charge() func() Row {
	var c Charge
	return func() Row {
		amount, reason := parseMoney(t.cell(1))
		t.fail(1, reason)
		c = Charge{Line: t.c.start, Patron: t.need(0), Amount: amount}
		return &c
	}
}

func (t *table) card() func() Row {
	var c Card
	return func() Row {
		c = Card{Line: t.c.start, UID: t.uid(0), Patron: t.need(1)}
		if c.UID == "" {
			t.fail(0, "is empty")
		}
		return &c
	}
}
