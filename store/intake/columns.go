package intake

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A column is one that we know, by our name and by the names in Destiny's reports. Columns without a place
// are known and not read.
type column struct {
	name    string
	aliases []string // normal form
	read    bool
}

// columns are those of a kind, in the order of the place constants in rows.go.
func columns(kind string) []column {
	switch kind {
	case "patrons":
		return []column{
			{"barcode", []string{"patronbarcode"}, true}, {"nickname", nil, true}, {"first_name", nil, true},
			{"patron_type", nil, true}, {"grade", []string{"gradelevel"}, true},
			{"homeroom", nil, true}, {"language", []string{"preferredlanguage"}, true},
			{"status", []string{"patronstatus"}, true}, {"expires", []string{"cardexpires"}, true},
			{"district_id", nil, true}, {"card_uid", nil, true}, {"pin", []string{"patronpin", "pinnumber", "pincode"}, true}, {"last_name", nil, false},
		}
	case "copies":
		return []column{
			{"barcode", []string{"copybarcode", "itembarcode"}, true}, {"title_id", []string{"bibid"}, true},
			{"title", []string{"copytitle"}, true}, {"author", nil, true}, {"call_number", []string{"callno", "call"}, true},
			{"circ_type", []string{"circulationtype", "circtypename"}, true},
			{"site", []string{"siteshortname", "owningsite"}, true}, {"status", []string{"copystatus"}, true},
			{"isbn", nil, false}, {"price", nil, false}, {"parts", nil, false}, {"sublocation", nil, false},
		}
	case "loans":
		return []column{
			{"item", []string{"copybarcode", "itembarcode", "barcode"}, true}, {"patron", []string{"patronbarcode"}, true},
			{"checked_out", []string{"checkoutdate", "datecheckedout", "dateout", "checkedoutdate"}, true},
			{"due", []string{"duedate", "datedue", "due"}, true}, {"renewals", []string{"timesrenewed", "renewalcount"}, true},
		}
	case "holds":
		return []column{
			{"patron", []string{"patronbarcode"}, true}, {"title_id", []string{"bibid"}, true},
			{"item", []string{"copybarcode", "itembarcode"}, true},
			{"placed", []string{"dateplaced", "holdplaced", "holddate", "requestdate", "daterequested"}, true},
			{"pickup_site", []string{"pickupat", "pickuplocation"}, true}, {"status", []string{"holdstatus"}, true},
		}
	case "charges":
		return []column{
			{"patron", []string{"patronbarcode"}, true}, {"amount", []string{"amountdue", "amountowed", "balance"}, true},
			{"item", []string{"copybarcode", "itembarcode"}, false}, {"reason", nil, false},
			{"currency", nil, false}, {"created", []string{"datecreated"}, false},
		}
	default:
		return []column{
			{"card_uid", []string{"uid", "card", "cardnumber"}, true}, {"patron", []string{"patronbarcode", "barcode"}, true},
		}
	}
}

// needed are the columns without which a file of the kind is of no use; any of those with a '|' between.
func needed(kind string) []string {
	return map[string][]string{
		"patrons": {"barcode"}, "copies": {"barcode", "title"}, "loans": {"item", "patron", "due"},
		"holds": {"patron", "title_id|item"}, "charges": {"patron", "amount"}, "cards": {"card_uid", "patron"},
	}[kind]
}

// normal is a header without what people write differently.
func normal(header string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, header)
}

// A layout says where in a row each column stands.
type layout struct {
	columns []column
	at      []int    // by column: its field, -1 not there
	us      []bool   // by column: dates may be mm/dd/yyyy
	headers []string // of the file
	format  string
	ignored []string
}

// arrange finds a kind's columns in a header.
func arrange(kind string, headers []string, mapped map[string]string) (*layout, error) {
	l := &layout{columns: columns(kind), headers: headers, format: "csv"}
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = normal(h)
	}
	for ours := range mapped {
		if !slices.ContainsFunc(l.columns, func(c column) bool { return c.name == ours }) {
			return nil, fmt.Errorf("the config maps %q, which is no column of %s", ours, kind)
		}
	}
	used := make([]bool, len(headers))
	for _, c := range l.columns {
		at, own, err := find(c, names, mapped[c.name])
		if err != nil {
			return nil, err
		}
		if at >= 0 {
			used[at] = true
		}
		l.at, l.us = append(l.at, at), append(l.us, !own)
	}
	for i, h := range headers {
		if !used[i] && h != "" {
			l.ignored = append(l.ignored, h)
		}
	}
	if isSIS(names) && kind == "patrons" {
		l.format = "destiny-sis"
	}
	return l, l.complete(kind)
}

// find is where a column stands, and whether under our own name for it.
func find(c column, names []string, mapped string) (at int, own bool, err error) {
	want := append([]string{normal(c.name)}, c.aliases...)
	if mapped != "" {
		want = []string{normal(mapped)}
	}
	for i, name := range want {
		at := slices.Index(names, name)
		if at < 0 {
			continue
		}
		if c.read && slices.Contains(names[at+1:], name) {
			return 0, false, fmt.Errorf("the header has the column for %q twice", c.name)
		}
		return at, i == 0 && mapped == "", nil
	}
	if mapped != "" {
		return 0, false, fmt.Errorf("the config says that %q stands in the column %q, which the header does not have", c.name, mapped)
	}
	return -1, false, nil
}

// isSIS tells the header that student information systems write for Destiny.
func isSIS(names []string) bool {
	for _, name := range []string{"barcode", "siteshortname", "districtid", "lastname", "firstname", "nickname",
		"patrontype", "accesslevel", "status", "cardexpires", "gradelevel", "homeroom"} {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return true
}

// complete complains of needed columns that are not there. It shows the header only when some of it is
// known: otherwise the first line may be somebody's row.
func (l *layout) complete(kind string) error {
	var lacks []string
	for _, need := range needed(kind) {
		there := func(c column) bool {
			return slices.Contains(strings.Split(need, "|"), c.name) && l.at[l.place(c.name)] >= 0
		}
		if !slices.ContainsFunc(l.columns, there) {
			lacks = append(lacks, strings.ReplaceAll(need, "|", " or "))
		}
	}
	known := slices.ContainsFunc(l.at, func(at int) bool { return at >= 0 })
	switch {
	case len(lacks) == 0:
		return nil
	case !known:
		return fmt.Errorf("the first line is no header for %s: none of its columns (%d) has a name that we know, like %s",
			kind, len(l.headers), l.columns[0].name)
	}
	var shown []string
	for _, h := range l.headers[:min(len(l.headers), 40)] {
		shown = append(shown, fmt.Sprintf("%q", h[:min(len(h), 40)]))
	}
	return fmt.Errorf("the file has no column for %s; its header is %s", strings.Join(lacks, ", "), strings.Join(shown, ", "))
}

func (l *layout) place(name string) int {
	return slices.IndexFunc(l.columns, func(c column) bool { return c.name == name })
}

// delimiter is what the header has most of; a comma if there is only one column.
func delimiter(header []byte) byte {
	best, most := byte(','), 0
	for _, d := range []byte{',', ';', '\t'} {
		n, quoted := 0, false
		for _, c := range header {
			if c == '"' {
				quoted = !quoted
			} else if c == d && !quoted {
				n++
			}
		}
		if n > most {
			best, most = d, n
		}
	}
	return best
}

// readHeader reads the first row, and before it what may stand there: a byte order mark, empty lines and
// the "sep=;" that spreadsheets write.
func (c *csvFile) readHeader() ([]string, error) {
	if bytes.HasPrefix(c.s.window(), []byte("\ufeff")) {
		c.s.pos += len("\ufeff")
		c.utf8 = true
	}
	said := byte(0)
	for {
		text, whole, ended := c.s.line()
		line := c.s.buf[c.s.pos : c.s.pos+text]
		switch {
		case !ended && text > csvCap:
			return nil, fmt.Errorf("the first line is longer than %d bytes: the file is no CSV", csvCap)
		case !ended && text == 0:
			return nil, errors.New("the file is empty")
		case len(bytes.TrimSpace(line)) == 0:
		case len(line) == 5 && bytes.EqualFold(line[:4], []byte("sep=")):
			if bytes.IndexByte([]byte(",;\t|"), line[4]) >= 0 {
				said = line[4]
			}
		default:
			if c.delim = delimiter(line); said != 0 {
				c.delim = said
			}
			return c.headerRow()
		}
		c.s.pos += whole
		c.line++
	}
}

// headerRow reads the names of the columns.
func (c *csvFile) headerRow() ([]string, error) {
	if problem := c.next(); problem != "" {
		return nil, fmt.Errorf("the header cannot be read: %s", problem)
	}
	if len(c.spans) > 500 {
		return nil, fmt.Errorf("the header has %d columns", len(c.spans))
	}
	var headers []string
	for i := range c.spans {
		h, reason := clean(c.field(i))
		if reason != "" {
			return nil, fmt.Errorf("the name of column %d %s", i+1, reason)
		}
		headers = append(headers, strings.Clone(h))
	}
	return headers, nil
}
