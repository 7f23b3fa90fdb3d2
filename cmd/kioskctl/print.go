package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"circdesk/cmd/kioskd/control"
	"circdesk/kiosk"
)

func (t *tool) print(text string) error {
	if _, err := io.WriteString(t.out, text); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// document prints v as JSON, on one line.
func (t *tool) document(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return t.print(string(text) + "\n")
}

// glance is the status for people.
func (t *tool) glance(st control.Status) string {
	var s strings.Builder
	name := st.Kiosk
	if st.Name != "" && st.Name != st.Kiosk {
		name = fmt.Sprintf("%s (%s)", st.Name, st.Kiosk)
	}
	fmt.Fprintf(&s, "%s, kioskd %s, up for %s\n\n", plain(name), plain(st.Version), length(time.Duration(st.UptimeS)*time.Second))
	session := "nobody"
	if st.Session != 0 {
		session = fmt.Sprintf("session %d", st.Session)
	}
	s.WriteString(table([][]string{
		{"Screen", string(st.Screen)},
		{"At the desk", session},
		{"Clock", string(st.Clock)},
		{"Library system", st.Library},
		{"Journal", count(int(st.Entries), "entry", "entries")},
		{"Queue", fmt.Sprintf("%d waiting, %s", st.Queue, count(st.NeedsStaff, "needs staff", "need staff"))},
		{"Cache", cacheAge(st.CacheAgeS)},
		{"Last import", t.lastImport(st.LastImport)},
	}))
	s.WriteString("\n")
	if f := st.LastFile; f != nil && (f.Refused != "" || f.Bad > 0) {
		fmt.Fprintf(&s, "The last file, %s\n%s\n", t.ago(f.At), t.importReport(f.ImportReport, 5))
	}
	if len(st.Alarms) == 0 {
		s.WriteString("No alarms.\n")
	} else {
		rows := [][]string{{"ALARM", "SINCE", "TEXT"}}
		for _, a := range st.Alarms {
			rows = append(rows, []string{string(a.Code), t.ago(a.Since), a.Text})
		}
		s.WriteString(table(rows))
	}
	return s.String() + "\n" + t.deviceTable(st.Devices)
}

func cacheAge(seconds *int64) string {
	if seconds == nil {
		return "empty: no file from the library system was imported yet"
	}
	return length(time.Duration(*seconds)*time.Second) + " old"
}

func (t *tool) lastImport(i *control.Imported) string {
	if i == nil {
		return "none"
	}
	bad := ""
	if i.Bad > 0 {
		bad = fmt.Sprintf(" and %d bad", i.Bad)
	}
	return fmt.Sprintf("%s, %s%s, %s", i.Kind, count(i.Rows, "row", "rows"), bad, t.ago(i.At))
}

func (t *tool) deviceTable(all []control.Device) string {
	if len(all) == 0 {
		return "No devices.\n"
	}
	rows := [][]string{{"DEVICE", "STATE", "SINCE", "ROLE", "READS", "REPEATS", "DROPS", "PATH", "TROUBLE"}}
	for _, d := range all {
		rows = append(rows, []string{d.Name, d.State, t.ago(d.Since), string(d.Role),
			fmt.Sprint(d.Reads), fmt.Sprint(d.Repeats), fmt.Sprint(d.Drops), d.Path, d.Error})
	}
	return table(rows)
}

// journalForm has fixed widths: a journal is printed while it is read.
const journalForm = "%7s  %-20s %-8s %-12s %-16s %-16s %-16s %s\n"

func journalHead() string {
	return fmt.Sprintf(journalForm, "SEQ", "WHEN", "KIND", "OUTCOME", "ITEM", "PATRON", "DUE", "DELIVERY")
}

func (t *tool) journalLine(l control.Line) string {
	when := l.At.In(t.zone).Format(time.DateTime)
	if l.Clock != kiosk.ClockSynchronised && l.Clock != kiosk.ClockTold {
		when += "?"
	}
	return fmt.Sprintf(journalForm, fmt.Sprint(l.Seq), when, plain(string(l.Kind)), plain(string(l.Outcome)),
		plain(string(l.Item)), patron(l), t.due(l.Due), plain(string(l.Delivery)))
}

func patron(l control.Line) string {
	if l.Patron == nil {
		return "-"
	}
	return plain(string(*l.Patron))
}

// due is a date or, for loans of hours, the time on the wall here.
func (t *tool) due(text string) string {
	d, err := kiosk.ParseDue(text)
	switch {
	case text == "":
		return "-"
	case err != nil || d.At.IsZero():
		return plain(text)
	}
	return d.At.In(t.zone).Format("2006-01-02 15:04")
}

func (t *tool) queueTable(all []control.Waiting) string {
	if len(all) == 0 {
		return "Nothing waits for the library system.\n"
	}
	rows := [][]string{{"SEQ", "DELIVERY", "SINCE", "TRIES", "KIND", "ITEM", "PATRON", "ANSWER"}}
	for _, w := range all {
		rows = append(rows, []string{fmt.Sprint(w.Seq), string(w.Delivery), t.ago(w.Since), fmt.Sprint(w.Attempts),
			string(w.Kind), string(w.Item), patron(w.Line), w.Answer})
	}
	return table(rows)
}

// countedBy tells what of a Stat a line is for; nil: there is no such.
func countedBy(what string) func(control.Stat) string {
	return map[string]func(control.Stat) string{
		"day":   func(s control.Stat) string { return s.Day },
		"hour":  func(s control.Stat) string { return fmt.Sprintf("%2d", s.Hour) },
		"grade": func(s control.Stat) string { return fmt.Sprintf("%2s", s.Grade) }, // 3 comes before 10
		"type":  func(s control.Stat) string { return s.Type },
		"class": func(s control.Stat) string { return s.Class },
	}[what]
}

// statsTable has a line for each day, hour or the like, and a column for each kind of act.
func statsTable(all []control.Stat, by string) string {
	if len(all) == 0 {
		return "Nothing happened in that time.\n"
	}
	lines, kinds := map[string]map[kiosk.Kind]int{}, map[kiosk.Kind]bool{}
	for _, s := range all {
		name := countedBy(by)(s)
		if lines[name] == nil {
			lines[name] = map[kiosk.Kind]int{}
		}
		lines[name][s.Kind] += s.Count
		kinds[s.Kind] = true
	}
	columns := slices.Sorted(maps.Keys(kinds))
	rows := [][]string{{strings.ToUpper(by)}}
	for _, kind := range columns {
		rows[0] = append(rows[0], strings.ToUpper(string(kind)))
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		row := []string{cmp.Or(strings.TrimSpace(name), "-")}
		for _, kind := range columns {
			row = append(row, fmt.Sprint(lines[name][kind]))
		}
		rows = append(rows, row)
	}
	return table(rows)
}

func verdict(v control.Verified) string {
	switch {
	case v.OK && v.Entries == 0:
		return "The journal is empty.\n"
	case v.OK:
		return fmt.Sprintf("The journal is whole: %s, the last hash is %s.\n", count(int(v.Entries), "entry", "entries"), plain(v.Head))
	case v.BadSeq == 0:
		return fmt.Sprintf("The journal is NOT whole: %s.\n", plain(v.Reason))
	}
	return fmt.Sprintf("The journal is NOT whole: entry %d: %s. The %s before it fit.\n", v.BadSeq, plain(v.Reason), count(int(v.Entries), "entry", "entries"))
}

// importReport is what became of a file, with the first bad rows.
func (t *tool) importReport(r control.ImportReport, mostBad int) string {
	var s strings.Builder
	name := plain(r.Name)
	if name == "" {
		name = "standard input"
	}
	if r.Refused != "" {
		fmt.Fprintf(&s, "%s: NOTHING was loaded: %s\n", name, plain(r.Refused))
	} else {
		fmt.Fprintf(&s, "%s: %d of %s loaded as %s, %d before; written %s\n",
			name, r.Loaded, count(r.Rows, "row", "rows"), plain(r.Kind), r.Before, t.ago(r.Taken))
	}
	if r.Bad > 0 {
		fmt.Fprintf(&s, "\n%s left out:\n", count(r.Bad, "row was", "rows were"))
		rows := [][]string{{"LINE", "COLUMN", "REASON"}}
		for _, b := range r.BadRows[:min(len(r.BadRows), mostBad)] {
			rows = append(rows, []string{fmt.Sprint(b.Line), b.Column, b.Reason})
		}
		s.WriteString(table(rows))
		if more := r.Bad - len(rows) + 1; more > 0 {
			fmt.Fprintf(&s, "and %d more\n", more)
		}
	}
	if len(r.Ignored) > 0 {
		fmt.Fprintf(&s, "\nColumns that are not used: %s\n", plain(strings.Join(r.Ignored, ", ")))
	}
	return s.String()
}

// table aligns rows of cells.
func table(rows [][]string) string {
	var s strings.Builder
	w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = plain(cell)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush() // a strings.Builder takes everything
	var trimmed strings.Builder
	for l := range strings.Lines(s.String()) {
		trimmed.WriteString(strings.TrimRight(l, " \n") + "\n")
	}
	return trimmed.String()
}

// plain is text without what would move the cursor of a terminal, change its colours or turn the
// direction of the text: labels and the library system's answers may hold anything.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// count is a number with its word: "1 row", "2 rows".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ago is how long a time has passed. A time that cannot be right is shown as it is.
func (t *tool) ago(at time.Time) string {
	switch d := t.now.Sub(at); {
	case at.IsZero():
		return "-"
	case d < -time.Minute:
		return at.In(t.zone).Format("2006-01-02 15:04")
	case d < time.Minute:
		return "just now"
	default:
		return length(d) + " ago"
	}
}

// length is a duration for people: one number, hours up to two days.
func length(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/day)
}
