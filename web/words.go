package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"circdesk/kiosk"
)

//go:embed i18n
var i18n embed.FS

// A catalogue is one language: its words, its plural rule and its way to write days. Every word on
// the screen comes from here, so that two engines can never disagree about a plural or a month.
type catalogue struct {
	code       string
	Name       string             `json:"name"` // in its own script
	Dir        string             `json:"dir"`  // ltr or rtl
	Status     string             `json:"status"`
	Days       []string           `json:"days"` // Sunday first
	LongDays   []string           `json:"long_days"`
	Months     []string           `json:"months"`
	LongMonths []string           `json:"long_months"`
	Date       string             `json:"date"`
	LongDate   string             `json:"long_date"`
	Clock      string             `json:"clock"`
	Halves     []string           `json:"halves"` // before and after noon
	Strings    map[string]message `json:"strings"`
}

// A message is one sentence in one language: as shown, and as spoken where that differs.
type message struct {
	forms
	Speak forms  `json:"speak"`
	Note  string `json:"note"` // for translators
}

// forms are a sentence's plural forms. Other is never missing.
type forms struct {
	One   string `json:"one"`
	Other string `json:"other"`
}

// A sentence is what is to be said, before it is put into any language. The arguments fill
// {n}, {name}, {day} and {time}.
type sentence struct {
	id   string
	n    int
	name string
	day  kiosk.Date
	at   time.Time
}

// Languages lists the codes of the languages that there are catalogues for.
func Languages() []string {
	files, err := i18n.ReadDir("i18n")
	if err != nil {
		panic(err) // embedded
	}
	var codes []string
	for _, f := range files {
		codes = append(codes, strings.TrimSuffix(f.Name(), ".json"))
	}
	return codes
}

// loadCatalogue reads the embedded catalogue of one language.
func loadCatalogue(code string) (*catalogue, error) {
	if !slices.Contains(Languages(), code) {
		return nil, fmt.Errorf("language %q has no catalogue; there are %q", code, Languages())
	}
	text, err := i18n.ReadFile(path.Join("i18n", code+".json"))
	if err != nil {
		return nil, fmt.Errorf("read the catalogue of %q: %w", code, err)
	}
	c := &catalogue{code: code}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("read the catalogue of %q: %w", code, err)
	}
	return c, nil
}

// show puts a sentence into words for the eye.
func (c *catalogue) show(x sentence) string {
	return c.fill(c.Strings[x.id].forms, x, false)
}

// speak puts a sentence into words for the ear: days and months in full.
func (c *catalogue) speak(x sentence) string {
	m := c.Strings[x.id]
	if m.Speak.Other == "" {
		return c.fill(m.forms, x, true)
	}
	return c.fill(m.Speak, x, true)
}

func (c *catalogue) fill(f forms, x sentence, long bool) string {
	text := f.Other
	if singular(x.n) && f.One != "" {
		text = f.One
	}
	return replace(text, func(name string) string {
		switch name {
		case "n":
			return strconv.Itoa(x.n)
		case "name":
			return x.name
		case "day":
			return c.day(x.day, long)
		case "time":
			return c.time(x.at)
		}
		return "{" + name + "}"
	})
}

// replace puts what of gives into the place of each {name}. What it gives is not looked into.
func replace(text string, of func(name string) string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !ok || !closed {
			if b.Len() == 0 {
				return text
			}
			return b.String() + text
		}
		b.WriteString(before)
		b.WriteString(of(name))
		text = after
	}
}

// singular tells whether n takes the form "one". So do all languages that there are catalogues for
// (CLDR plural rules, en and es, whole numbers); the first that does not brings its own rule here.
func singular(n int) bool { return n == 1 }

// day writes a date without its year: nothing is lent for longer than one.
func (c *catalogue) day(d kiosk.Date, long bool) string {
	if d.IsZero() {
		return ""
	}
	days, months, pattern := c.Days, c.Months, c.Date
	if long {
		days, months, pattern = c.LongDays, c.LongMonths, c.LongDate
	}
	return replace(pattern, func(name string) string {
		switch name {
		case "weekday":
			return days[d.Weekday()]
		case "month":
			return months[d.Month-1]
		}
		return strconv.Itoa(d.Day)
	})
}

// time writes the time of day with the hours of a twelve-hour clock, which is the one on the
// wall of these schools in every language.
func (c *catalogue) time(t time.Time) string {
	return replace(c.Clock, func(name string) string {
		switch name {
		case "h":
			return strconv.Itoa((t.Hour()+11)%12 + 1)
		case "mm":
			return fmt.Sprintf("%02d", t.Minute())
		}
		return c.Halves[t.Hour()/12]
	})
}
