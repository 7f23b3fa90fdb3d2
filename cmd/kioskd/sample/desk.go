package sample

import (
	"slices"
	"strings"
)

// lend makes a loan that ends due days from today, negative for overdue.
func (s *school) lend(p *patron, it *item, due, renewals int) {
	days := period(it)
	it.out, it.since = true, due-days*(1+renewals)
	if it.title.kind != textbook {
		p.books++
	}
	s.loans = append(s.loans, loan{it, p, it.since, due, renewals})
}

// period is the policy's loan period in days; textbooks went out two months ago.
func period(it *item) int {
	return map[string]int{regular: 14, picture: 7, dvd: 3, textbook: 60}[it.title.kind]
}

// damage loses some copies and sends some to repair.
func (s *school) damage() {
	for i := range 10 {
		s.pick(regular, picture).status = []string{"lost", "repair"}[i%2]
	}
}

// circulate lends what the crowd has. Who stands out does so on purpose: two students blocked by overdue
// items, one above the limit, eight with one item overdue, six with one due today.
func (s *school) circulate() {
	for _, overdue := range []int{3, 4} {
		p := s.next()
		for i := range overdue {
			s.lend(p, s.pickFor(p), -3-7*i, 0)
		}
	}
	above := s.next()
	for i := range 6 {
		s.lend(above, s.pickFor(above), 1+i, 0)
	}
	for i := range 8 {
		p := s.next()
		s.lend(p, s.pickFor(p), -1-2*i, i%2)
	}
	for range 6 {
		p := s.next()
		s.lend(p, s.pickFor(p), 0, 0)
	}
	s.issueTextbooks()
	for len(s.loans) < openLoans {
		p, renewals := s.crowd[s.rng.IntN(len(s.crowd))], s.rng.IntN(6)/5
		if p.books == 4 {
			continue
		}
		it := s.pickFor(p)
		if s.rng.IntN(20) == 0 {
			it, renewals = s.pick(dvd), 0
		}
		s.lend(p, it, 1+s.rng.IntN(period(it)), renewals)
	}
}

// pickFor is a copy that a student would borrow, of a title not had yet; the youngest have picture books.
func (s *school) pickFor(p *patron) *item {
	kinds := []string{picture, regular}
	if strings.Contains("K12", p.grade) {
		kinds = kinds[:1]
	}
	for {
		if it := s.pick(kinds...); !s.has(p, it.title) {
			return it
		}
	}
}

// issueTextbooks gives each textbook to three students of its grade, which is the last sign of its call number.
func (s *school) issueTextbooks() {
	for _, t := range s.titles {
		if t.kind != textbook {
			continue
		}
		given := 0
		for _, p := range s.crowd {
			if p.grade == t.call[len(t.call)-1:] && given < 3 {
				s.lend(p, s.pickOf(t), 0, 0)
				given++
			}
		}
	}
}

// pickOf is the first copy of a title that stands on the shelf and has no part yet.
func (s *school) pickOf(t *title) *item {
	i := slices.IndexFunc(s.items, func(it *item) bool { return it.title == t && !it.out && !it.kept })
	return s.items[i]
}

// keep puts a copy on the hold shelf.
func (s *school) keep(p *patron, it *item) {
	it.kept = true
	s.holds = append(s.holds, hold{p, it.title, it, -2 - s.rng.IntN(8), Site, ready})
}

// want asks for a copy that is out: for this very one, or for any of its title.
func (s *school) want(p *patron, it *item, thisOne bool) {
	it.kept = true
	h := hold{p, it.title, nil, -s.rng.IntN(1 - it.since), Site, pending}
	if thisOne {
		h.item = it
	}
	if len(s.holds)%8 == 7 {
		h.site = OtherSite
	}
	s.holds = append(s.holds, h)
}

// wait places seven more holds that are ready, and sixteen on books that are out: ten for a title of which
// there is no other copy, six for one copy of several.
func (s *school) wait() {
	for range 7 {
		p := s.next()
		s.keep(p, s.pickFor(p))
	}
	for titles, items := 0, 0; titles+items < 16; {
		l := s.loans[s.rng.IntN(len(s.loans))]
		last := l.item.title.copies == 1
		switch {
		case l.item.kept || l.item.title.kind == textbook || s.has(s.crowd[0], l.item.title):
		case last && titles < 10:
			titles++
			s.want(s.next(), l.item, false)
		case !last && items < 6:
			items++
			s.want(s.next(), l.item, true)
		}
	}
}

// has tells whether a patron has a copy of a title out.
func (s *school) has(p *patron, t *title) bool {
	return slices.ContainsFunc(s.loans, func(l loan) bool { return l.patron == p && l.item.title == t })
}

func (s *school) charge(p *patron, it *item, reason string, cents int) {
	s.charges = append(s.charges, charge{p, it, reason, cents, -1 - s.rng.IntN(60)})
}

// owe makes charges: two more students above $10.00, one of them by two that are each below, and eleven with little.
func (s *school) owe() {
	s.charge(s.next(), s.pick(regular), "damaged", 1250)
	both := s.next()
	s.charge(both, s.pick(picture), "damaged", 600)
	s.charge(both, s.pick(picture), "water damage", 525)
	for range 11 {
		s.charge(s.next(), s.pick(regular, picture), "damaged", 50+25*s.rng.IntN(25))
	}
}
