package sample

// A Part is a card or a book that somebody can hold under the scanner.
type Part struct {
	Code  string // what the scanner reads
	Name  string // the person or the title
	What  string // "student, grade 4"; "regular book"
	Story string // one line: what to expect of it, in the school as School gives it
}

// Cast are the people and books that every story is played with. Each is put into the school on purpose.
type Cast struct {
	Maya        Part // nothing out, English
	Mateo       Part // Spanish, one book out
	AtLimit     Part // five books out
	Overdue     Part // blocked: three items overdue
	Charged     Part // blocked: charges above $10.00
	HoldReady   Part // OnHold waits on the hold shelf
	CanRenew    Part // has Renewable
	CannotRenew Part // has Wanted
	Teacher     Part
	Librarian   Part // asked for a PIN, which is PIN
	UnknownCard Part // well-formed, but nobody's

	Regular       Part // stands on the shelf, as do Picture, Textbook, DVD and Plain
	Picture       Part
	Textbook      Part
	DVD           Part
	Plain         [3]Part // three more, for a child with a pile
	Reference     Part    // not for loan
	OnHold        Part    // stands on the hold shelf for HoldReady
	OnLoan        Part    // out to somebody who is not of the cast
	Renewable     Part    // out to CanRenew until tomorrow
	Wanted        Part    // out to CannotRenew; somebody else waits for it
	OtherSchool   Part    // OtherSite's copy, not out
	Lost          Part
	InRepair      Part
	UnknownItem   Part // well-formed, but no copy's
	PublicLibrary Part // 14 digits of another library
	ISBN          Part // the publisher's code on Plain[0]
}

// PIN is the Librarian's; nobody else of the sample has one.
const PIN = "2468"

// People are the cards, in the order in which they are worth trying.
func (c Cast) People() []Part {
	var all []Part
	for _, r := range c.leads() {
		all = append(all, *r.part)
	}
	return append(all, c.Librarian, c.UnknownCard)
}

// Books are the books and labels, in the order in which they are worth trying.
func (c Cast) Books() []Part {
	var all []Part
	for _, r := range c.props() {
		all = append(all, *r.part)
	}
	return append(all, c.UnknownItem, c.PublicLibrary, c.ISBN)
}

// A lead is a person of the cast before the school gives out cards.
type lead struct {
	part                            *Part
	first, last, grade, lang, story string // no grade: a teacher
}

func (c *Cast) leads() []lead {
	return []lead{
		{&c.Maya, "Maya", "Thompson", "4", "en", "Nothing out: three books in four scans"},
		{&c.Mateo, "Mateo", "Hernández", "3", "es", "The desk speaks Spanish; one book is out"},
		{&c.AtLimit, "Aram", "Ter-Grigoryan", "5", "en", "Five books out: no sixth, but a textbook is allowed"},
		{&c.Overdue, "Sofía", "Núñez", "6", "es", "Blocked by three overdue items; the screen does not say why"},
		{&c.Charged, "Liam", "O'Brien", "5", "en", "Blocked by a lost book not yet paid; the screen does not say why"},
		{&c.HoldReady, "Ji-woo", "Park", "6", "en", "A book waits on the hold shelf and may be borrowed"},
		{&c.CanRenew, "Jasmine", "Dela Cruz", "4", "en", "One book is due tomorrow and can be renewed once"},
		{&c.CannotRenew, "Diego", "Muñoz", "3", "es", "One book is out; another student waits for it, so no renewal"},
		{&c.Teacher, "Rosa", "García", "", "en", "A teacher with six books out; may have fifty"},
	}
}

// A prop is a book of the cast before the school has labelled it.
type prop struct {
	part               *Part
	title, what, story string
}

func (c *Cast) props() []prop {
	return []prop{
		{&c.Plain[0], "Holes", "regular book", "Can be borrowed for 14 days"},
		{&c.Plain[1], "El Deafo", "regular book", "Can be borrowed for 14 days"},
		{&c.Plain[2], "Coral Reefs", "regular book", "Can be borrowed for 14 days"},
		{&c.Regular, "Charlotte's Web", "regular book", "Can be borrowed for 14 days"},
		{&c.Picture, "Donde viven los monstruos", "picture book", "Can be borrowed for 7 days"},
		{&c.Textbook, "California Math, Course 1", "textbook", "Can be borrowed until the end of the term, even with five books out"},
		{&c.DVD, "March of the Penguins", "DVD", "Can be borrowed for 3 days, not renewed"},
		{&c.Reference, "National Geographic Atlas of the World", "reference book", "Not for loan: stays in the library"},
		{&c.OnHold, "Smile", "regular book, on the hold shelf", "Refused: kept for Ji-woo Park"},
		{&c.OnLoan, "Diary of a Wimpy Kid", "regular book, out", "Refused: out to somebody else; return it first"},
		{&c.Renewable, "The Lightning Thief", "regular book, out", "Out to Jasmine Dela Cruz, who can renew it"},
		{&c.Wanted, "The Wild Robot", "regular book, out", "Out to Diego Muñoz; in the return bin it goes to the hold shelf"},
		{&c.OtherSchool, "Hatchet", "regular book of another school", "Refused; in the return bin it goes into the transfer box"},
		{&c.Lost, "Wonder", "regular book, lost", "Refused; in the return bin it is found again"},
		{&c.InRepair, "The Snowy Day", "picture book, in repair", "Refused; in the return bin it goes to repair"},
	}
}

// employ adds the librarian to a school that is complete without her: nobody else's card or book changes.
func (s *school) employ() {
	p := &patron{first: "Hilda", last: "Brand", kind: librarian, lang: "en", pin: PIN}
	s.register(p)
	s.cast.Librarian = Part{p.code, p.first + " " + p.last, "librarian", "A card is not enough: the desk asks for the PIN, " + PIN}
}

// strangers are the codes that stand for nothing here.
func (s *school) strangers() {
	c := &s.cast
	c.UnknownCard = Part{label("2", Site, 99_990_001), "Unknown card", "card, not in the system", "Not known: ask for help"}
	c.UnknownItem = Part{label("3", Site, 99_990_001), "Unknown book", "label, not in the system", "Not known: set it aside"}
	c.PublicLibrary = Part{label("3", "7244", 10_200_301), "Public library book", "another library's label", "Not ours: set it aside"}
	c.ISBN = Part{s.props[&c.Plain[0]].title.isbn, c.Plain[0].Name, "the publisher's barcode", "The wrong barcode: scan the library label"}
}

// act gives the leads what their stories say; nobody else has touched loans, holds and charges yet.
func (s *school) act() {
	c := &s.cast
	s.lend(s.leads[&c.Mateo], s.onShelf("El principito"), 6, 0)
	for i := range 5 {
		s.lend(s.leads[&c.AtLimit], s.pick(regular), 2+2*i, 0)
	}
	for i := range 3 {
		s.lend(s.leads[&c.Overdue], s.pick(regular), -5-4*i, 0)
	}
	for i := range 6 {
		s.lend(s.leads[&c.Teacher], s.pick(picture), 1+i, 0)
	}
	s.lend(s.leads[&c.CanRenew], s.props[&c.Renewable], 1, 0)
	s.lend(s.leads[&c.CannotRenew], s.props[&c.Wanted], 4, 0)
	s.lend(s.next(), s.props[&c.OnLoan], 8, 0)
	s.keep(s.leads[&c.HoldReady], s.props[&c.OnHold])
	s.want(s.next(), s.props[&c.Wanted], false)
	for _, l := range s.loans {
		l.item.kept = true
	}
	lost := s.props[&c.Lost]
	lost.status, lost.price = "lost", 1799
	s.charge(s.leads[&c.Charged], lost, "lost", lost.price)
	s.props[&c.InRepair].status = "repair"
}
