package intake

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	formatCSV  = "csv"
	formatMARC = "marc"
	formatXML  = "marcxml"

	recordEnd    = 0x1d
	fieldEnd     = 0x1e
	subfieldMark = 0x1f

	marcCap = 99_999 // bytes of a record: its length has five digits
)

// sniff tells what the head of a file looks like.
func sniff(head []byte) string {
	text := bytes.TrimLeft(head, " \r\n\t")
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return formatXML
	case bytes.IndexByte(head, fieldEnd) >= 0 && bytes.IndexByte(head, subfieldMark) >= 0,
		len(text) >= 24 && digits(string(text[:5])) && digits(string(text[12:17])) && string(text[20:22]) == "45":
		return formatMARC
	}
	return formatCSV
}

// A record is what we read of a bibliographic record.
type record struct {
	id, author string
	title      titleParts
	items      []item
}

// titleParts are those of field 245.
type titleParts struct{ main, full string }

// An item is one field 852.
type item struct {
	barcode, site, circ string
	call                []string
}

// clear makes room for the next record.
func (r *record) clear() { *r = record{items: r.items[:0]} }

// control takes a control field.
func (r *record) control(tag, value string) {
	if tag == "001" {
		r.id = value
	}
}

// wants tells the fields that are read.
func wants(tag string) bool {
	switch tag {
	case "001", "100", "110", "111", "245", "852":
		return true
	}
	return false
}

// A subfield is a piece of a field.
type subfield struct {
	code  byte
	value string
}

// data takes a field with subfields.
func (r *record) data(tag string, subs []subfield) {
	switch tag {
	case "245":
		if r.title.main == "" {
			r.title = title(subs)
		}
	case "852":
		r.items = append(r.items, holding(subs))
	default:
		for _, s := range subs {
			if s.code == 'a' && r.author == "" {
				r.author = author(s.value)
			}
		}
	}
}

// title splits a title from its subtitle: $a $n $p and $b.
func title(subs []subfield) (t titleParts) {
	var all, main []string
	for _, s := range subs {
		v := strings.TrimSpace(s.value)
		switch {
		case v == "":
		case s.code == 'a' || s.code == 'n' || s.code == 'p':
			main, all = append(main, v), append(all, v)
		case s.code == 'b':
			if n := len(all) - 1; n >= 0 && unpunctuated(all[n]) == all[n] {
				all[n] += " :"
			}
			all = append(all, v)
		}
	}
	return titleParts{unpunctuated(strings.Join(main, " ")), unpunctuated(strings.Join(all, " "))}
}

// whole is the title with the subtitle, if that is not too long to show.
func (t titleParts) whole() string {
	if len(t.full) <= 200 {
		return t.full
	}
	return t.main
}

// unpunctuated takes the cataloguers' punctuation between fields off the end.
func unpunctuated(s string) string { return strings.TrimRight(s, " /:;=,") }

// author takes the full stop off "Lowry, Lois." and leaves "Tolkien, J. R. R." and "King, Martin Luther, Jr.".
func author(s string) string {
	s = unpunctuated(strings.TrimSpace(s))
	bare := strings.TrimSuffix(s, ".")
	if last := bare[strings.LastIndexAny(bare, " .")+1:]; len(last) > 2 {
		return bare
	}
	return s
}

// holding reads an 852 by Destiny's rules (facts: ecosystem 6.4).
func holding(subs []subfield) (it item) {
	for _, s := range subs {
		v := strings.TrimSpace(s.value)
		switch s.code {
		case 'p':
			if it.barcode == "" {
				it.barcode = v
			}
		case 'a':
			it.site = v
		case 'k', 'h', 'i', 'm':
			it.call = append(it.call, v)
		case 'x':
			if fsc, ok := strings.CutPrefix(v, "FSC"); ok && it.circ == "" {
				it.circ = circulation(fsc)
			}
		}
	}
	return it
}

// circulation is the value of @a in Destiny's "FSC@aR@b12".
func circulation(fsc string) string {
	for _, part := range strings.Split(fsc, "@") {
		if v, ok := strings.CutPrefix(part, "a"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// A marcFile gives the records of a MARC file out as copies.
type marcFile struct {
	s      *source
	o      Options
	number int   // of the record
	at     int64 // its offset
	rec    record
	copies int
	old    bool // a record was MARC-8
	out    Copy
}

func (m *marcFile) encoding() string {
	if m.old {
		return "MARC-8"
	}
	return "UTF-8"
}

// bad is a reason about the record being read.
func (m *marcFile) bad(field, reason string) *Bad {
	return &Bad{Line: m.number, Column: field, Reason: fmt.Sprintf("%s (the record at byte %d)", reason, m.at)}
}

// emit gives out the copies of a record; false if the reader of them has had enough.
func (m *marcFile) emit(yield func(Row, *Bad) bool) bool {
	for i := range m.rec.items {
		m.copies++
		bad := m.copyOf(&m.rec.items[i])
		if bad != nil && !yield(nil, bad) || bad == nil && !yield(&m.out, nil) {
			return false
		}
	}
	return true
}

// copyOf makes a Copy of an item in out.
func (m *marcFile) copyOf(it *item) *Bad {
	c := Copy{Line: m.number, Status: "available"}
	var bad *Bad
	take := func(field, value string, limit int, read func(string) (string, string)) string {
		text, reason := read(withoutSortMarks(value))
		if reason == "" && len(text) > limit {
			reason = fmt.Sprintf("has %d bytes; the limit is %d", len(text), limit)
		}
		if reason != "" && bad == nil {
			bad = m.bad(field, reason)
		}
		return text
	}
	c.Barcode = take("852$p", it.barcode, maxCode, code)
	c.TitleID = take("001", m.rec.id, maxCode, code)
	c.Title = take("245", m.rec.title.whole(), maxTitle, clean)
	c.Author = take("100", m.rec.author, maxTitle, clean)
	c.CallNumber = take("852$h", strings.Join(it.call, " "), maxWord, clean)
	c.CircType = circType(strings.ToLower(take("852$x", it.circ, maxWord, clean)))
	if c.Site = take("852$a", it.site, maxWord, clean); strings.EqualFold(c.Site, m.o.Site) {
		c.Site = ""
	}
	if c.Barcode == "" && bad == nil {
		bad = m.bad("852$p", "is missing or empty: the copy has no barcode")
	}
	m.out = c
	return bad
}

// withoutSortMarks takes out the two control characters around an article that is not sorted by.
func withoutSortMarks(s string) string {
	if !strings.Contains(s, "\u0098") && !strings.Contains(s, "\u009c") {
		return s
	}
	return strings.NewReplacer("\u0098", "", "\u009c", "").Replace(s)
}

// finish ends the reading: an error of the disk, or a file in which copies are somewhere else.
func (m *marcFile) finish(yield func(Row, *Bad) bool) {
	err := m.s.failed()
	if err == nil && m.number > 0 && m.copies == 0 {
		err = fmt.Errorf("none of the %d records has a copy: copies are read from field 852 with a barcode in $p", m.number)
	}
	if err != nil {
		yield(nil, &Bad{Line: m.number, Reason: err.Error(), Fatal: err})
	}
}

// openMARC reads ISO 2709.
func openMARC(s *source, o Options) *File {
	m := &marcFile{s: s, o: o}
	if bytes.HasPrefix(s.window(), []byte("\ufeff")) {
		s.pos += len("\ufeff")
	}
	return &File{format: formatMARC, utf8: m.encoding, rows: func(yield func(Row, *Bad) bool) {
		for m.nextISO() {
			bad := m.readISO()
			if s.failed() != nil && s.pos == s.end {
				break // the record may be cut off
			}
			if bad != nil && !yield(nil, bad) || bad == nil && !m.emit(yield) {
				return
			}
		}
		m.finish(yield)
	}}
}

// nextISO goes to where the next record begins.
func (m *marcFile) nextISO() bool {
	for w := m.s.window(); len(w) > 0; w = m.s.window() {
		n := len(w) - len(bytes.TrimLeft(w, " \r\n\x00\x1a"))
		if m.s.pos += n; n < len(w) {
			m.number++
			m.at = m.s.offset()
			return true
		}
	}
	return false
}

// readISO reads the record at pos and moves behind it.
func (m *marcFile) readISO() *Bad {
	m.rec.clear()
	w := m.s.window()
	end := bytes.IndexByte(w, recordEnd)
	if end < 0 || end >= marcCap {
		return m.tooLong(end)
	}
	m.s.pos += end + 1
	raw := w[:end+1]
	if len(raw) < 26 {
		return m.bad("", fmt.Sprintf("has only %d bytes", len(raw)))
	}
	if n := number(string(raw[:5])); n != len(raw) {
		m.s.pos -= len(raw) - resume(raw)
		return m.bad("leader", fmt.Sprintf("says %q bytes where the record has %d", raw[:5], len(raw)))
	}
	base := number(string(raw[12:17]))
	if base < 25 || base >= len(raw) || raw[base-1] != fieldEnd || (base-25)%12 != 0 {
		return m.bad("leader", fmt.Sprintf("says that the fields begin at %q, which they do not", raw[12:17]))
	}
	return m.fields(raw, raw[24:base-1], raw[base:len(raw)-1])
}

// resume is where in the bytes of a broken record a whole one begins, as it does behind one that is cut off.
func resume(raw []byte) int {
	for i := 1; i+26 <= len(raw); i++ {
		if raw[i+20] == '4' && raw[i+21] == '5' && number(string(raw[i:i+5])) == len(raw)-i {
			return i
		}
	}
	return len(raw)
}

// tooLong moves behind the next end of a record, however far away.
func (m *marcFile) tooLong(end int) *Bad {
	for end < 0 {
		m.s.pos = m.s.end
		w := m.s.window()
		if len(w) == 0 {
			return m.bad("", "is cut off: the file ends within it")
		}
		end = bytes.IndexByte(w, recordEnd)
	}
	m.s.pos += end + 1
	return m.bad("", fmt.Sprintf("is longer than %d bytes or does not end", marcCap))
}

// fields goes through a record's directory: for each field 3 bytes of tag, 4 of length, 5 of place.
func (m *marcFile) fields(raw, directory, body []byte) *Bad {
	for ; len(directory) > 0; directory = directory[12:] {
		tag, n, at := string(directory[:3]), number(string(directory[3:7])), number(string(directory[7:12]))
		if n < 1 || at < 0 || at+n > len(body) || body[at+n-1] != fieldEnd {
			return m.bad("directory", fmt.Sprintf("says that a field %q has %q bytes at %q, which it does not have", tag, directory[3:7], directory[7:12]))
		}
		if !wants(tag) {
			continue
		}
		text, old, reason := fieldText(body[at:at+n-1], raw[9] == 'a')
		if reason != "" {
			return m.bad(tag, reason)
		}
		m.old = m.old || old
		if tag < "010" {
			m.rec.control(tag, text)
			continue
		}
		m.rec.data(tag, subfields(text))
	}
	return nil
}

// subfields takes a field apart: indicators, and then for each piece a mark, a letter and the text.
func subfields(field string) (subs []subfield) {
	_, rest, _ := strings.Cut(field, string(rune(subfieldMark)))
	for part := range strings.SplitSeq(rest, string(rune(subfieldMark))) {
		if part == "" || part[0] >= utf8.RuneSelf {
			continue
		}
		subs = append(subs, subfield{part[0], part[1:]})
	}
	return subs
}
