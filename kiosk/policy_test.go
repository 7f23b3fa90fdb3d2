package kiosk

import (
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, pacific)
	if err != nil {
		panic(err)
	}
	return t
}

func TestDatesAreCivil(t *testing.T) {
	for _, c := range []struct {
		from string
		days int
		want string
	}{
		{"2026-11-24", 14, "2026-12-08"},
		{"2026-10-31", 1, "2026-11-01"}, // the day of 25 hours
		{"2026-11-01", 1, "2026-11-02"},
		{"2027-03-13", 1, "2027-03-14"}, // the day of 23 hours
		{"2027-03-14", 1, "2027-03-15"},
		{"2028-02-28", 1, "2028-02-29"}, // a leap day
		{"2028-02-29", 366, "2029-03-01"},
		{"2027-02-28", 1, "2027-03-01"},
		{"2026-12-31", 1, "2027-01-01"},
		{"2027-01-01", -1, "2026-12-31"},
	} {
		if got := date(c.from).Add(c.days).String(); got != c.want {
			t.Errorf("%s + %d = %s, want %s", c.from, c.days, got, c.want)
		}
	}
}

func TestDatesAreReadAsWritten(t *testing.T) {
	for _, s := range []string{"2026-11-24", "2028-02-29", "2026-11-24T14:15:00-08:00"} {
		if d, err := ParseDue(s); err != nil || d.String() != s {
			t.Errorf("%q became %q, %v", s, d, err)
		}
	}
	for _, s := range []string{"", "2027-02-29", "24.11.2026", "2026-11-24T14:15:00", "2026-13-01", "2026-11-24 "} {
		if d, err := ParseDue(s); err == nil {
			t.Errorf("%q became %q", s, d)
		}
	}
	if (Date{}).String() != "" || !(Due{}).IsZero() {
		t.Error("no date is written as one")
	}
}

// calendar is a school year with short days and a winter break.
func calendar() Calendar { return setup().Policy.Calendar }

func TestTheEndOfALoan(t *testing.T) {
	for _, c := range []struct {
		name    string
		rule    Rule
		now     string
		expires string
		want    string
	}{
		{"two weeks", Rule{Days: 14}, "2026-11-24 10:00", "", "2026-12-08"},
		{"late in the evening it is the same day", Rule{Days: 14}, "2026-11-24 23:59", "", "2026-12-08"},
		{"a Saturday moves to Monday", Rule{Days: 4}, "2026-12-01 10:00", "", "2026-12-07"},
		{"the break moves to its end", Rule{Days: 14}, "2026-12-08 10:00", "", "2027-01-11"},
		{"over the clock change in autumn", Rule{Days: 3}, "2026-10-30 10:00", "", "2026-11-02"},
		{"over the clock change in spring", Rule{Days: 3}, "2027-03-12 23:30", "", "2027-03-15"},
		{"onto a leap day", Rule{Days: 1}, "2028-02-28 10:00", "", "2028-02-29"},
		{"the end of term bounds it", Rule{Days: 30}, "2027-06-01 10:00", "", "2027-06-10"},
		{"on the last day of term", Rule{Days: 14}, "2027-06-10 10:00", "", "2027-06-10"},
		{"after the last term nothing bounds it", Rule{Days: 14}, "2027-06-11 10:00", "", "2027-06-25"},
		{"membership bounds it", Rule{Days: 14}, "2026-12-01 10:00", "2026-12-04", "2026-12-04"},
		{"a membership that ends on a Sunday ends the loan on Friday", Rule{Days: 14}, "2026-12-01 10:00", "2026-12-06", "2026-12-04"},
		{"an ended membership bounds nothing; it blocks", Rule{Days: 14}, "2026-12-01 10:00", "2026-11-30", "2026-12-15"},
		{"a membership that ends today", Rule{Days: 14}, "2026-12-01 10:00", "2026-12-01", "2026-12-01"},
		{"back over a weekend, but never before today", Rule{Days: 14}, "2026-12-05 10:00", "2026-12-06", "2026-12-05"},
		{"until a day", Rule{Until: date("2027-06-10")}, "2026-12-01 10:00", "", "2027-06-10"},
		{"until a day that is over", Rule{Until: date("2026-06-10")}, "2026-12-01 10:00", "", "2026-12-01"},
		{"two hours", Rule{Hours: 2}, "2026-12-01 10:00", "", "2026-12-01T12:00:00-08:00"},
		{"two hours, at closing time", Rule{Hours: 2}, "2026-12-01 14:00", "", "2026-12-02T07:30:00-08:00"},
		{"two hours before the weekend", Rule{Hours: 2}, "2026-12-04 15:00", "", "2026-12-07T07:30:00-08:00"},
		{"a day of hours is a day later on the clock of winter", Rule{Hours: 72}, "2026-10-30 10:00", "", "2026-11-02T09:00:00-08:00"},
	} {
		var expires Date
		if c.expires != "" {
			expires = date(c.expires)
		}
		if got := calendar().Due(c.rule, at(c.now), expires).String(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	never := Calendar{Open: map[time.Weekday]bool{}}
	if got := never.Due(Rule{Days: 3}, at("2026-12-01 10:00"), Date{}).String(); got != "2026-12-04" {
		t.Errorf("a library that never opens wants its books on %s", got)
	}
	if got := never.Due(Rule{Hours: 3}, at("2026-12-01 10:00"), Date{}).String(); got != "2026-12-01T13:00:00-08:00" {
		t.Errorf("and those of hours on %s", got)
	}
}

func TestWhenTheLibraryIsOpen(t *testing.T) {
	for _, c := range []struct {
		at    string
		open  bool
		opens string // the next opening after that
		turns string
	}{
		{"2026-12-01 07:29", false, "2026-12-01 07:30", "2026-12-01 07:30"},
		{"2026-12-01 07:30", true, "2026-12-02 07:30", "2026-12-01 16:00"},
		{"2026-12-01 15:59", true, "2026-12-02 07:30", "2026-12-01 16:00"},
		{"2026-12-01 16:00", false, "2026-12-02 07:30", "2026-12-02 00:00"},
		{"2026-12-04 16:00", false, "2026-12-07 07:30", "2026-12-05 00:00"},
		{"2026-12-19 10:00", false, "2027-01-11 07:30", "2026-12-19 16:00"},
		{"2026-10-31 10:00", false, "2026-11-02 07:30", "2026-10-31 16:00"},
		{"2026-11-01 00:30", false, "2026-11-02 07:30", "2026-11-01 07:30"}, // 7 hours and another one
		{"2027-03-14 01:30", false, "2027-03-15 07:30", "2027-03-14 07:30"},
	} {
		k := calendar()
		if got := k.OpenAt(at(c.at)); got != c.open {
			t.Errorf("open at %s: %v", c.at, got)
		}
		if got := k.Opens(at(c.at)); !got.Equal(at(c.opens)) {
			t.Errorf("after %s it opens %v, want %s", c.at, got, c.opens)
		}
		if got := k.Turns(at(c.at)); !got.Equal(at(c.turns)) {
			t.Errorf("after %s it turns at %v, want %s", c.at, got, c.turns)
		}
	}
	if always := (Calendar{}); !always.OpenAt(at("2026-12-25 03:00")) {
		t.Error("a library without a calendar closes")
	}
	if never := (Calendar{Open: map[time.Weekday]bool{}}); !never.Opens(at("2026-12-01 10:00")).IsZero() {
		t.Error("a library that never opens says when it does")
	}
	if got := calendar().LastOpen(date("2027-01-08")); got != date("2026-12-18") {
		t.Errorf("the last open day of the year is %s", got)
	}
}

func TestWhenALoanIsOverdue(t *testing.T) {
	for _, c := range []struct {
		due, now string
		grace    int
		past     bool
	}{
		{"2026-12-01", "2026-12-01 23:59", 0, false},
		{"2026-12-01", "2026-12-02 00:00", 0, true},
		{"2026-12-01", "2026-12-03 23:59", 2, false},
		{"2026-12-01", "2026-12-04 00:00", 2, true},
		{"2026-12-01T12:00:00-08:00", "2026-12-01 12:00", 0, false},
		{"2026-12-01T12:00:00-08:00", "2026-12-01 12:01", 0, true},
		{"2026-12-01T12:00:00-08:00", "2026-12-02 23:00", 1, false},
		{"2026-12-01T12:00:00-08:00", "2026-12-03 00:00", 1, true},
	} {
		due, err := ParseDue(c.due)
		if err != nil {
			t.Fatal(err)
		}
		if got := due.Past(at(c.now), c.grace); got != c.past {
			t.Errorf("due %s is past at %s with a grace of %d: %v", c.due, c.now, c.grace, got)
		}
	}
	noon, end := DueAt(at("2026-12-01 12:00")), DueOn(date("2026-12-01"))
	for _, c := range []struct {
		a, b Due
		want bool
	}{{noon, end, true}, {end, noon, false}, {end, end, false}, {noon, noon, false}, {end, DueOn(date("2026-12-02")), true}, {DueAt(at("2026-12-01 11:00")), noon, true}} {
		if got := c.a.Before(c.b); got != c.want {
			t.Errorf("%s before %s: %v", c.a, c.b, got)
		}
	}
	if (Due{}).Past(at("2026-12-01 12:00"), 0) {
		t.Error("a loan without an end is overdue")
	}
}

// loansOf is a shelf of open loans, so many of each type.
func loansOf(regular, textbook, dvd int) []Borrowed {
	var list []Borrowed
	for typ, n := range map[string]int{"regular": regular, "textbook": textbook, "dvd": dvd} {
		for range n {
			list = append(list, Borrowed{Item: Item{Type: typ}})
		}
	}
	return list
}

func TestHowMuchAPatronMayHave(t *testing.T) {
	p := Policy{Patrons: map[string]PatronType{
		"student": {Limit: 5, Limits: map[string]int{"textbook": 20, "dvd": 1}},
		"free":    {},
		"capped":  {Limits: map[string]int{"dvd": 2}},
		"none":    {Limit: 5, Limits: map[string]int{"dvd": 0}},
	}}
	for _, c := range []struct {
		patron                 string
		regular, textbook, dvd int
		item                   string
		room                   bool
	}{
		{"student", 4, 0, 0, "regular", true},
		{"student", 5, 0, 0, "regular", false},
		{"student", 4, 0, 1, "regular", false},   // a DVD is one of the five
		{"student", 4, 19, 0, "regular", true},   // textbooks have an allotment of their own
		{"student", 5, 19, 0, "textbook", true},  //
		{"student", 0, 20, 0, "textbook", false}, //
		{"student", 0, 0, 1, "dvd", false},
		{"student", 5, 0, 0, "dvd", false},
		{"free", 1000, 0, 0, "regular", true},
		{"capped", 1000, 0, 1, "dvd", true},
		{"capped", 0, 0, 2, "dvd", false},
		{"none", 0, 0, 0, "dvd", false},
	} {
		if got := p.Room(c.patron, loansOf(c.regular, c.textbook, c.dvd), c.item); got != c.room {
			t.Errorf("%s with %d, %d, %d: room for a %s: %v", c.patron, c.regular, c.textbook, c.dvd, c.item, got)
		}
	}
}

func TestWhoMayNotBorrow(t *testing.T) {
	p, now := setup().Policy, at("2026-12-01 10:00")
	p.Rules[RuleFor{"student", "slow"}] = Rule{Days: 14, Grace: 7}
	late := func(typ, due string) Borrowed { return Borrowed{Item: Item{Type: typ}, Loan: Loan{Due: day(due)}} }
	for name, c := range map[string]struct {
		account Account
		blocked bool
	}{
		"a student":                   {Account{Patron: Patron{Type: "student"}}, false},
		"of a type nobody knows":      {Account{Patron: Patron{Type: "martian"}}, true},
		"inactive":                    {Account{Patron: Patron{Type: "student", Inactive: true}}, true},
		"expires today":               {Account{Patron: Patron{Type: "student", Expires: date("2026-12-01")}}, false},
		"expired yesterday":           {Account{Patron: Patron{Type: "student", Expires: date("2026-11-30")}}, true},
		"owes a cent less":            {Account{Patron: Patron{Type: "student"}, Charges: 999}, false},
		"owes so much":                {Account{Patron: Patron{Type: "student"}, Charges: 1000}, true},
		"staff owes nothing that way": {Account{Patron: Patron{Type: "staff"}, Charges: 100000}, false},
		"one overdue":                 {Account{Patron: Patron{Type: "student"}, Loans: []Borrowed{late("regular", "2026-11-30")}}, false},
		"two overdue":                 {Account{Patron: Patron{Type: "student"}, Loans: []Borrowed{late("regular", "2026-11-30"), late("regular", "2026-11-29")}}, true},
		"two, one due today":          {Account{Patron: Patron{Type: "student"}, Loans: []Borrowed{late("regular", "2026-12-01"), late("regular", "2026-11-29")}}, false},
		"two, one in its grace":       {Account{Patron: Patron{Type: "student"}, Loans: []Borrowed{late("slow", "2026-11-24"), late("regular", "2026-11-29")}}, false},
		"two, one past its grace":     {Account{Patron: Patron{Type: "student"}, Loans: []Borrowed{late("slow", "2026-11-23"), late("regular", "2026-11-29")}}, true},
	} {
		if got := p.Blocked(c.account, now); got != c.blocked {
			t.Errorf("%s: blocked %v", name, got)
		}
	}
}

func TestWhoMayRenew(t *testing.T) {
	for name, c := range map[string]struct {
		loan  Borrowed
		due   string
		fault Fault
	}{
		"two weeks more":          {Borrowed{Loan: Loan{Due: day("2026-12-04")}, Item: Item{Type: "regular"}}, "2026-12-15", ""},
		"also when overdue":       {Borrowed{Loan: Loan{Due: day("2026-11-04")}, Item: Item{Type: "regular"}}, "2026-12-15", ""},
		"nothing to gain":         {Borrowed{Loan: Loan{Due: day("2026-12-15"), Renewals: 7}, Item: Item{Type: "regular"}}, "2026-12-15", ""},
		"renewed often enough":    {Borrowed{Loan: Loan{Due: day("2026-12-04"), Renewals: 1}, Item: Item{Type: "regular"}}, "", FaultNoRenewal},
		"no rule any more":        {Borrowed{Loan: Loan{Due: day("2026-12-04")}, Item: Item{Type: "reference"}}, "", FaultNoRenewal},
		"somebody waits":          {Borrowed{Loan: Loan{Due: day("2026-12-04")}, Item: Item{Type: "regular"}, Wanted: true}, "", FaultRenewalHold},
		"a rule without renewals": {Borrowed{Loan: Loan{Due: day("2026-12-04")}, Item: Item{Type: "textbook"}}, "", FaultNoRenewal},
	} {
		k := &step{State: New(setup(), tuesday, 0)}
		k.Account.Patron.Type = "student"
		if due, fault := k.renewal(c.loan); due.String() != c.due || fault != c.fault {
			t.Errorf("%s: %s %q", name, due, fault)
		}
	}
}

func TestForWhomABookIsKept(t *testing.T) {
	const me, she, they PatronID = "me", "she", "they"
	title := func(p PatronID) Hold { return Hold{Patron: p, TitleID: "t"} }
	here := func(p PatronID) Hold { return Hold{Patron: p, TitleID: "t", Item: "i", Ready: true} }
	for name, c := range map[string]struct {
		holds []Hold
		spare int
		want  bool
	}{
		"nobody waits":                    {nil, 0, false},
		"I wait":                          {[]Hold{title(me)}, 0, false},
		"she waits":                       {[]Hold{title(she)}, 0, true},
		"she waits, another copy is here": {[]Hold{title(she)}, 1, false},
		"two wait, another copy is here":  {[]Hold{title(she), title(they)}, 1, true},
		"I waited first":                  {[]Hold{title(me), title(she)}, 0, false},
		"she waited first":                {[]Hold{title(she), title(me)}, 0, true},
		"it stands on the shelf for me":   {[]Hold{title(she), here(me)}, 0, false},
		"it stands on the shelf for her":  {[]Hold{title(me), here(she)}, 5, true},
	} {
		if got := claimed(Copy{Item: Item{ID: "i"}, Holds: c.holds, Spare: c.spare}, me); got != c.want {
			t.Errorf("%s: kept for others %v", name, got)
		}
	}
}

func TestCallNumberClasses(t *testing.T) {
	for call, want := range map[string]string{
		"599.4 TWI": "500", "FIC TOL": "FIC", "SPA FIC ALL": "FIC", "REF 031 WOR": "000", "E CAR": "E", "j 398.2": "J", "": "", "SPA": "", "B LIN": "B",
	} {
		if got := class(call); got != want {
			t.Errorf("class of %q is %q, want %q", call, got, want)
		}
	}
}
