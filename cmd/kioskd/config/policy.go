package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"circdesk/kiosk"
)

// The bounds of numbers in policy.toml: far beyond any library, and far from overflow.
const (
	most      = 1_000_000
	farthest  = 3650          // days of a loan period
	mostHours = 24 * 366      // hours of one
	mostMoney = 1_000_000_000 // minor units
)

// readPolicy reads policy.toml into p and returns what is said about it.
func readPolicy(src Source, p *kiosk.Policy) *file {
	f, t := parse(src)
	if t == nil {
		return f
	}
	defer t.end()
	p.Version = required(t, "version", text)
	p.Calendar = readCalendar(t.sub("calendar"))
	tables := t.subs("patron_type")
	p.Patrons = readPatronTypes(tables)
	p.Rules = readRules(t.subs("rule"), p.Patrons)
	for _, t := range tables {
		noteLimits(t, p.Rules)
	}
	return f
}

func readCalendar(t *table) kiosk.Calendar {
	defer t.end()
	c := kiosk.Calendar{
		Closed:   list(t, "closed", dates),
		TermEnds: list(t, "term_ends", date),
	}
	if days := list(t, "open", weekday); days != nil {
		c.Open = map[time.Weekday]bool{}
		for _, d := range days {
			c.Open[d] = true
		}
	}
	h := value(t, "hours", hours{}, opening)
	c.From, c.To = h.from, h.to
	return c
}

// weekday reads "mon".
func weekday(raw any) (time.Weekday, error) {
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	s, err := oneOf(names...)(raw)
	return time.Weekday(slices.Index(names, s)), err
}

// hours are the times of day at which the library opens and closes, since midnight.
type hours struct{ from, to time.Duration }

// opening reads "07:30-16:00".
func opening(raw any) (hours, error) {
	s, _ := raw.(string)
	from, to, _ := strings.Cut(s, "-")
	h := hours{clock(from), clock(to)}
	switch {
	case h.from < 0 || h.to < 0:
		return hours{}, unlike(raw, `the hours of a day, like "07:30-16:00"`)
	case h.to <= h.from:
		return hours{}, fmt.Errorf("%q closes before it opens", s)
	}
	return h, nil
}

// clock reads "07:30" as the time since midnight, "24:00" included; what is not a time of day is negative.
func clock(s string) time.Duration {
	if s == "24:00" {
		return 24 * time.Hour
	}
	t, err := time.Parse("15:04", s)
	if err != nil {
		return -1
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
}

func readPatronTypes(tables []*table) map[string]kiosk.PatronType {
	all := map[string]kiosk.PatronType{}
	ids := map[string]string{}
	for _, t := range tables {
		id := required(t, "id", word)
		p := kiosk.PatronType{
			Limit:        value(t, "limit", 0, whole(0, most)),
			Limits:       readLimits(t.sub("limits")),
			BlockOverdue: value(t, "block_overdue", 0, whole(0, most)),
			BlockCharges: int64(value(t, "block_charges", 0, whole(0, mostMoney))),
			Staff:        value(t, "staff", false, boolean),
			PIN:          value(t, "pin", false, boolean),
		}
		unique(t, "id", id, ids)
		t.end()
		if id != "" {
			all[id] = p
		}
	}
	return all
}

// word reads the name of a type. Library systems write "Student" here and "student" there, so that case
// does not count; the importers fold it as well.
func word(raw any) (string, error) {
	s, err := text(raw)
	return strings.ToLower(s), err
}

// readLimits reads a table whose keys are circulation types.
func readLimits(t *table) map[string]int {
	if len(t.keys) == 0 {
		return nil
	}
	all := map[string]int{}
	for _, item := range slices.Sorted(maps.Keys(t.keys)) {
		all[strings.ToLower(item)] = value(t, item, 0, whole(0, most))
	}
	return all
}

// noteLimits notes the limits of circulation types that the patron type may not borrow anyway: a misspelt name, mostly.
func noteLimits(t *table, rules map[kiosk.RuleFor]kiosk.Rule) {
	id, _ := t.keys["id"].(string)
	id = strings.ToLower(id)
	limits, _ := t.keys["limits"].(map[string]any)
	for item := range limits {
		if _, ok := rules[kiosk.RuleFor{Patron: id, Item: strings.ToLower(item)}]; !ok {
			t.note(join(join(t.path, "limits"), item), "has no effect; no rule lends %q to %q", item, id)
		}
	}
}

func readRules(tables []*table, patrons map[string]kiosk.PatronType) map[kiosk.RuleFor]kiosk.Rule {
	all := map[kiosk.RuleFor]kiosk.Rule{}
	first := map[kiosk.RuleFor]string{}
	types := slices.Sorted(maps.Keys(patrons))
	for _, t := range tables {
		pair := kiosk.RuleFor{Patron: required(t, "patron", word), Item: required(t, "item", word)}
		if _, ok := patrons[pair.Patron]; pair.Patron != "" && !ok {
			t.complain(join(t.path, "patron"), "there is no patron type %q%s", pair.Patron, hint(pair.Patron, types))
		}
		if before, twice := first[pair]; twice && pair.Patron != "" && pair.Item != "" {
			t.complain(t.path, "is for %q and %q, as is %s%s", pair.Patron, pair.Item, before, t.place(before))
			pair = kiosk.RuleFor{}
		}
		first[pair] = t.path
		r := readRule(t)
		if pair.Patron != "" && pair.Item != "" {
			all[pair] = r
		}
	}
	return all
}

func readRule(t *table) kiosk.Rule {
	defer t.end()
	r := kiosk.Rule{
		Days:     value(t, "days", 0, whole(1, farthest)),
		Hours:    value(t, "hours", 0, whole(1, mostHours)),
		Until:    value(t, "until", kiosk.Date{}, date),
		Renewals: value(t, "renewals", 0, whole(0, most)),
		Grace:    value(t, "grace", 0, whole(0, farthest)),
	}
	var periods []string
	for _, key := range []string{"days", "hours", "until"} {
		if t.has(key) {
			periods = append(periods, strconv.Quote(key))
		}
	}
	switch len(periods) {
	case 0:
		t.complain(t.path, `needs one of "days", "hours" and "until"`)
	case 1:
	default:
		t.complain(t.path, "has %s; only one of them can be meant", strings.Join(periods, " and "))
	}
	return r
}
