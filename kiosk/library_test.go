package kiosk

import (
	"cmp"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata"
)

// A library is a small school library that stands in for cache and journal.
type library struct {
	patrons map[PatronID]Patron
	charges map[PatronID]int64
	items   map[ItemID]Item
	loans   map[ItemID]Loan
	holds   []Hold
	cards   map[Credential]PatronID
	wishes  map[ItemID]TagWish
	pins    map[PatronID]string
	tries   map[PatronID]int
	acts    []Act  // the journal
	last    uint64 // number of its last entry
}

// school is the library that every test begins with. Codes that begin with 2 are cards, with 3 books,
// and 7 could be both.
func school() *library {
	l := &library{patrons: map[PatronID]Patron{}, charges: map[PatronID]int64{"2005": 1000, "2006": 999}, items: map[ItemID]Item{}, loans: map[ItemID]Loan{},
		cards: map[Credential]PatronID{"c2001": "2001", "c2002": "2002", "c2009": "2009", "c2010": "2010"}, wishes: map[ItemID]TagWish{},
		pins: map[PatronID]string{"2010": "97531", "2012": "8642", "2013": "64208642"}, tries: map[PatronID]int{"2012": 10, "2013": 8}}
	for _, p := range []Patron{
		{ID: "2001", Name: "Maya", Type: "student", Grade: "4"},
		{ID: "2002", Name: "Mateo", Type: "student", Grade: "5", Language: "es"},
		{ID: "2003", Name: "Fiona", Type: "student"},
		{ID: "2004", Name: "Gaston", Type: "student", Inactive: true},
		{ID: "2005", Name: "Olga", Type: "student"},
		{ID: "2006", Name: "Aldo", Type: "student"},
		{ID: "2007", Name: "Ophelia", Type: "student"},
		{ID: "2008", Name: "Wanda", Type: "student"},
		{ID: "2009", Name: "Hilda", Type: "staff"},
		{ID: "2010", Name: "Petra", Type: "careful", PIN: true},
		{ID: "2011", Name: "Nestor", Type: "careful"},
		{ID: "2012", Name: "Lorenz", Type: "careful", PIN: true, Language: "es"},
		{ID: "2013", Name: "Ulrike", Type: "careful", PIN: true},
		{ID: "7001", Name: "Gemma", Type: "student"},
		{ID: "7002", Name: "Sven", Type: "student"},
	} {
		l.patrons[p.ID] = p
	}
	for i := range 30 {
		id := ItemID(fmt.Sprint(3001 + i))
		l.items[id] = Item{ID: id, TitleID: TitleID("t" + id), Title: "Book " + string(id[2:]), CallNumber: "FIC TOL", Type: "regular", Site: "here", Status: ItemAvailable}
	}
	l.items["7001"] = Item{ID: "7001", TitleID: "t7001", Title: "Twin Book", CallNumber: "599 TWI", Type: "regular"}
	for id, change := range map[ItemID]func(*Item){
		"3011": func(i *Item) { i.Site, i.Title = "there", "Their Book" },
		"3012": func(i *Item) { i.Status, i.Title = ItemLost, "Lost Book" },
		"3013": func(i *Item) { i.Status, i.Title = ItemRepair, "Torn Book" },
		"3014": func(i *Item) { i.Type, i.Title = "reference", "Atlas" },
		"3015": func(i *Item) { i.Title = "Wanted Book" },
		"3016": func(i *Item) { i.Type, i.Title = "textbook", "Algebra" },
		"3017": func(i *Item) { i.Type, i.Title = "laptop", "Laptop" },
		"3018": func(i *Item) { i.Title = "Sent Book" },
	} {
		i := l.items[id]
		change(&i)
		l.items[id] = i
	}
	l.holds = []Hold{
		{Patron: "2008", TitleID: "t3015", Item: "3015", Ready: true},
		{Patron: "2008", TitleID: "t3018", Site: "there"},
		{Patron: "2008", TitleID: "t3022"},
	}
	for _, loan := range []Loan{
		{Item: "3021", Patron: "2002", Due: day("2026-12-04")},
		{Item: "3022", Patron: "2002", Due: day("2026-12-03")},
		{Item: "3023", Patron: "2002", Due: day("2026-12-02"), Renewals: 1},
		{Item: "3024", Patron: "2003", Due: day("2026-12-15")},
		{Item: "3025", Patron: "2003", Due: day("2026-12-15")},
		{Item: "3026", Patron: "2007", Due: day("2026-11-16")},
		{Item: "3027", Patron: "2007", Due: day("2026-11-16")},
	} {
		l.loans[loan.Item] = loan
	}
	return l
}

// day is the end of a loan; a test's own dates are always right.
func day(s string) Due { return DueOn(date(s)) }

func date(s string) Date {
	d, err := ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

var pacific = func() *time.Location {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		panic(err)
	}
	return zone
}()

// setup is the desk of the small library: open on school days until four, three books each.
func setup() *Setup {
	return &Setup{
		Site: "here", Zone: pacific, Languages: []string{"en", "es"},
		Policy: Policy{
			Version: "1",
			Calendar: Calendar{
				Open: map[time.Weekday]bool{time.Monday: true, time.Tuesday: true, time.Wednesday: true, time.Thursday: true, time.Friday: true},
				From: 7*time.Hour + 30*time.Minute, To: 16 * time.Hour,
				Closed:   []Span{{date("2026-12-21"), date("2027-01-08")}},
				TermEnds: []Date{date("2027-06-10")},
			},
			Patrons: map[string]PatronType{
				"student": {Limit: 3, Limits: map[string]int{"textbook": 5, "laptop": 1}, BlockOverdue: 2, BlockCharges: 1000},
				"staff":   {Staff: true},
				"careful": {PIN: true},
			},
			Rules: map[RuleFor]Rule{
				{"student", "regular"}: {Days: 14, Renewals: 1}, {"student", "textbook"}: {Until: date("2027-06-10")},
				{"student", "laptop"}: {Hours: 2}, {"staff", "regular"}: {Days: 28, Renewals: 5},
				{"careful", "regular"}: {Days: 14, Renewals: 1},
			},
		},
	}
}

// holder is what the cache says of a patron by number or card, or nil.
func (l *library) holder(e Find) *Account {
	for _, card := range append([]Credential{e.Card}, e.Also...) {
		if id := l.cards[card]; id != "" {
			return l.account(id)
		}
	}
	return l.account(e.Patron)
}

// account is what the cache says of a patron, or nil.
func (l *library) account(id PatronID) *Account {
	p, ok := l.patrons[id]
	if !ok {
		return nil
	}
	a := &Account{Patron: p, Charges: l.charges[id], Tries: l.tries[id]}
	for item, loan := range l.loans {
		if loan.Patron == id {
			a.Loans = append(a.Loans, Borrowed{Loan: loan, Item: l.items[item], Wanted: claimed(*l.copy(item), id)})
		}
	}
	slices.SortFunc(a.Loans, func(x, y Borrowed) int {
		return cmp.Or(x.Loan.Due.Day.Compare(y.Loan.Due.Day), cmp.Compare(x.Loan.Item, y.Loan.Item))
	})
	for _, h := range l.holds {
		if h.Patron == id && h.Ready {
			a.Ready++
		}
	}
	return a
}

// copy is what the cache says of an item, or nil.
func (l *library) copy(id ItemID) *Copy {
	i, ok := l.items[id]
	if !ok {
		return nil
	}
	c := &Copy{Item: i, Pending: l.wishes[id]}
	c.Loan, c.Out = l.loans[id]
	for _, h := range l.holds {
		if h.Item == id || h.Item == "" && h.TitleID == i.TitleID {
			c.Holds = append(c.Holds, h)
		}
	}
	return c
}

func (l *library) journal(writable bool) JournalIs {
	return JournalIs{Writable: writable, Prefix: "K-1-", Next: l.last + 1}
}

// apply is the journal and its projection. It refuses what no true library could be told.
func (l *library) apply(a Act) error {
	loan, out := l.loans[a.Item]
	if i := slices.IndexFunc(l.acts, func(b Act) bool { return b.Key == a.Key }); i >= 0 {
		return fmt.Errorf("key %q is used twice", a.Key)
	}
	if _, err := fmt.Sscanf(string(a.Key), "K-1-%d", &l.last); err != nil {
		return fmt.Errorf("key %q: %w", a.Key, err)
	}
	l.acts = append(l.acts, a)
	switch a.Kind {
	case KindLoan:
		if out {
			return fmt.Errorf("item %q is lent twice", a.Item)
		}
		l.loans[a.Item], l.wishes[a.Item] = loanOf(a), WishClear
	case KindRenewal:
		if !out || loan.Patron != a.Patron {
			return fmt.Errorf("item %q is renewed for %q, who does not have it", a.Item, a.Patron)
		}
		l.loans[a.Item], l.wishes[a.Item] = loanOf(a), WishClear
	case KindEnrolment:
		if l.cards[a.Card] != "" || a.Card == "" || l.patrons[a.Patron].ID == "" {
			return fmt.Errorf("card %q is enrolled for %q and is that of %q", a.Card, a.Patron, l.cards[a.Card])
		}
		l.cards[a.Card] = a.Patron
	case KindTagSet, KindTagCleared, KindTagFailed:
		return l.applyTag(a, out)
	case KindPINWrong, KindPINRight:
		return l.applyPIN(a)
	case KindReturn:
		delete(l.loans, a.Item)
		l.wishes[a.Item] = WishSet
		i := l.items[a.Item]
		if i.Status == ItemLost {
			i.Status = ItemAvailable
			l.items[a.Item] = i
		}
	default:
		return fmt.Errorf("act of kind %q", a.Kind)
	}
	return nil
}

// applyPIN is what the journal is told of PINs.
func (l *library) applyPIN(a Act) error {
	if a.Item != "" || l.pins[a.Patron] == "" {
		return fmt.Errorf("%s of %q names item %q", a.Kind, a.Patron, a.Item)
	}
	l.tries[a.Patron]++
	if a.Kind == KindPINRight {
		l.tries[a.Patron] = 0
	}
	return nil
}

// applyTag is what the journal is told of tags.
func (l *library) applyTag(a Act, out bool) error {
	if a.Patron != "" {
		return fmt.Errorf("%s of item %q names %q", a.Kind, a.Item, a.Patron)
	}
	if a.Kind == KindTagSet && out || a.Kind == KindTagCleared && !out {
		return fmt.Errorf("%s of item %q, which is lent: %v", a.Kind, a.Item, out)
	}
	if a.Kind != KindTagFailed {
		delete(l.wishes, a.Item)
	}
	return nil
}
