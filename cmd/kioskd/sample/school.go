package sample

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"circdesk/devices/barcode"
)

// The words of the CSV files that this package decides by.
const (
	student, teacher   = "student", "teacher"
	librarian          = "librarian"
	regular, picture   = "regular", "picture"
	textbook, dvd      = "textbook", "dvd"
	ready, pending     = "ready", "pending"
	available          = "available"
	students, teachers = 200, 8
	copies, elsewhere  = 2500, 12 // of the copies, so many at OtherSite
	openLoans          = 220
)

type title struct {
	id, name, author, call, kind, isbn string
	copies                             int // at Site
}

type item struct {
	code, site, status string
	title              *title
	price, parts       int  // cents; pieces that belong together
	kept               bool // has a part in the story already
	out                bool
	since              int // the day on which it was borrowed
}

type patron struct {
	code, district, last, first, nick, kind, grade, room, status, lang, pin, uid string
	expired                                                                      bool
	books                                                                        int // out, textbooks apart
}

// Days count from today.
type loan struct {
	item               *item
	patron             *patron
	out, due, renewals int
}

type hold struct {
	patron       *patron
	title        *title
	item         *item // nil: any copy
	placed       int
	site, status string
}

type charge struct {
	patron          *patron
	item            *item
	reason          string
	amount, created int
}

// A school in the making.
type school struct {
	rng     *rand.Rand
	titles  []*title
	items   []*item
	patrons []*patron
	crowd   []*patron // active students who have no part yet, in random order
	loans   []loan
	holds   []hold
	charges []charge
	cast    Cast
	leads   map[*Part]*patron
	props   map[*Part]*item
}

func build() *school {
	s := &school{rng: rand.New(rand.NewPCG(2026, 27)), leads: map[*Part]*patron{}, props: map[*Part]*item{}}
	s.readTitles()
	s.buy()
	s.enrol()
	s.strangers()
	s.act()
	s.damage()
	s.circulate()
	s.wait()
	s.owe()
	s.employ()
	return s
}

// label is a 14-digit library number: 2 for cards or 3 for items, the site, a number of eight digits and its
// check digit (Luhn).
func label(kind, site string, n int) string {
	digits := fmt.Sprintf("%s%s%08d", kind, site, n)
	check, _ := barcode.Luhn(digits)
	return digits + string(check)
}

func (s *school) readTitles() {
	rows, err := csv.NewReader(strings.NewReader(titlesCSV)).ReadAll()
	if err != nil {
		panic(fmt.Sprintf("sample: titles.csv: %v", err))
	}
	for i, r := range rows[1:] {
		s.titles = append(s.titles, &title{id: fmt.Sprintf("T%04d", i+1), name: r[0], author: r[1], call: r[2], kind: r[3], isbn: r[4]})
	}
}

// shelf is where a title stands.
func (t *title) shelf() string {
	word, _, _ := strings.Cut(t.call, " ")
	shelves := map[string]string{"E": "Picture books", "FIC": "Fiction", "GN": "Graphic novels", "B": "Biography",
		"SPA": "Spanish", "REF": "Reference", "TXT": "Textbook room", "DVD": "Media"}
	if at, ok := shelves[word]; ok {
		return at
	}
	return "Nonfiction"
}

// buy gets one copy of each title, textbooks by the class, and more of what is read much. The titles of
// the cast stay single.
func (s *school) buy() {
	single := map[string]bool{}
	for _, p := range s.cast.props() {
		single[p.title] = true
	}
	for _, t := range s.titles {
		s.label(t, Site)
		for range 29 {
			if t.kind == textbook {
				s.label(t, Site)
			}
		}
	}
	for len(s.items) < copies-1 {
		t := s.titles[s.rng.IntN(len(s.titles))]
		switch {
		case t.kind != regular && t.kind != picture || single[t.name]:
		case len(s.items) < copies-elsewhere:
			s.label(t, Site)
		default:
			s.label(t, OtherSite)
		}
	}
	for _, p := range s.cast.props() {
		it := s.onShelf(p.title)
		if p.part == &s.cast.OtherSchool {
			it = s.label(it.title, OtherSite)
		}
		it.kept = true
		s.props[p.part] = it
		*p.part = Part{it.code, p.title, p.what, p.story}
	}
}

func (s *school) label(t *title, site string) *item {
	price := map[string]int{regular: 899, picture: 1499, textbook: 6995, dvd: 1495, "reference": 3995}[t.kind]
	it := &item{code: label("3", site, 10_001+len(s.items)), site: site, status: available, title: t,
		price: price + 100*s.rng.IntN(10), parts: 1}
	if t.kind == picture && s.rng.IntN(40) == 0 {
		it.parts = 2 // with a disc to read along
	}
	if site == Site {
		t.copies++
	}
	s.items = append(s.items, it)
	return it
}

// onShelf is the first copy of a title.
func (s *school) onShelf(name string) *item {
	for _, it := range s.items {
		if it.title.name == name {
			return it
		}
	}
	panic(fmt.Sprintf("sample: titles.csv has no %q", name))
}

// pick is any copy of a type that stands on the shelf and has no part yet.
func (s *school) pick(kinds ...string) *item {
	for {
		it := s.items[s.rng.IntN(len(s.items))]
		if slices.Contains(kinds, it.title.kind) && it.site == Site && it.status == available && !it.out && !it.kept {
			return it
		}
	}
}

// next takes a student out of the crowd.
func (s *school) next() *patron {
	p := s.crowd[0]
	s.crowd = s.crowd[1:]
	return p
}

func (s *school) enrol() {
	for _, l := range s.cast.leads() {
		p := &patron{first: l.first, last: l.last, grade: l.grade, lang: l.lang, kind: student}
		what := "student, grade " + l.grade
		if l.grade == "" {
			p.kind, what = teacher, "teacher"
		}
		s.register(p)
		s.leads[l.part] = p
		*l.part = Part{p.code, p.first + " " + p.last, what, l.story}
	}
	taken := map[string]bool{}
	for _, p := range s.patrons {
		taken[p.first+p.last] = true
	}
	for i := len(s.patrons); i < students+teachers; {
		p := s.somebody()
		if taken[p.first+p.last] {
			continue
		}
		taken[p.first+p.last] = true
		if i++; i <= students+1 { // one of the leads is a teacher
			p.kind, p.grade = student, []string{"K", "1", "2", "3", "4", "5", "6", "7", "8"}[i%9]
			s.crowd = append(s.crowd, p)
		}
		s.register(p)
	}
	s.rng.Shuffle(len(s.crowd), func(i, j int) { s.crowd[i], s.crowd[j] = s.crowd[j], s.crowd[i] })
	for range 3 {
		s.next().status = "I"
	}
	for range 2 {
		s.next().expired = true
	}
}

func (s *school) one(of []string) string { return of[s.rng.IntN(len(of))] }

// somebody has a name and a language.
func (s *school) somebody() *patron {
	n := s.rng.IntN(100)
	for _, of := range peoples() {
		if n -= of.weight; n >= 0 {
			continue
		}
		p := &patron{first: s.one(of.first), last: s.one(of.last), kind: teacher, lang: "en"}
		if s.rng.IntN(100) < of.spanish {
			p.lang = "es"
		}
		if s.rng.IntN(2) == 0 {
			p.nick = nicknames()[p.first]
		}
		return p
	}
	panic("sample: the weights of peoples are less than 100")
}

// register gives a patron a place and a card.
func (s *school) register(p *patron) {
	n := len(s.patrons)
	p.code, p.district, p.status = label("2", Site, 20_001+n), fmt.Sprintf("10%08d", 40_017+37*n), "A"
	p.uid = fmt.Sprintf("04%012X", s.rng.Uint64()>>16) // the seven bytes of an NXP chip
	p.room = p.grade + string("AB"[n%2])
	if p.kind != student {
		p.room = fmt.Sprintf("Room %d", 1+n%20)
	}
	s.patrons = append(s.patrons, p)
}
