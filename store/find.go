package store

import (
	"database/sql"
	"time"

	"circdesk/kiosk"
)

// Find looks up a patron's account, by barcode or card, a copy, or both, at one moment.
func (s *Store) Find(f kiosk.Find) kiosk.Found {
	s.Follow()
	found := kiosk.Found{Call: f.Call}
	if s.cache.behind.Load() {
		found.Failed = true
		return found
	}
	err := s.ask(func(q asking) error { return q.find(f, &found) })
	if err != nil {
		s.cacheFailed("look up", err)
		return kiosk.Found{Call: f.Call, Failed: true}
	}
	return found
}

// ask looks things up at one moment.
func (s *Store) ask(fn func(asking) error) error {
	h, done := s.cache.reader()
	defer done()
	err := cmpErr(h.mend(), func() error { return s.cache.hang(h) })
	return cmpErr(err, func() error {
		return h.read(func() error { return fn(asking{held: h, site: s.o.Site, zone: s.o.Zone}) })
	})
}

func (q asking) find(f kiosk.Find, found *kiosk.Found) (err error) {
	patron := f.Patron
	if f.Card != "" {
		if patron, err = q.holder(f); err != nil {
			return err
		}
	}
	if patron != "" {
		if found.Account, err = q.account(patron); err != nil {
			return err
		}
	}
	if f.Item != "" {
		found.Copy, err = q.copy(f.Item)
	}
	return err
}

// reader is a connection for the loop. The one that writes knows its pages already, where another one reads
// them anew after every write; but the loop waits for nobody who is writing with it.
func (c *cache) reader() (h *held, done func()) {
	if c.turn.TryLock() {
		return c.w, c.turn.Unlock
	}
	return c.r, func() {}
}

// An asking is a connection to the cache on which somebody looks something up.
type asking struct {
	*held
	site string
	zone *time.Location
}

// holder is who is asked for by a card: by its whole number, else by a part of it.
func (q asking) holder(f kiosk.Find) (id kiosk.PatronID, err error) {
	for _, card := range append([]kiosk.Credential{f.Card}, f.Also...) {
		if id, err = q.owner(card); err != nil || id != "" {
			break
		}
	}
	return id, err
}

// owner is whose card it is; "" if nobody's. A card that was enrolled here, or stands in a list of cards,
// counts more than what the list of patrons says.
func (q asking) owner(card kiosk.Credential) (id kiosk.PatronID, err error) {
	var patron string
	var sum int64
	found, err := q.row("SELECT patron, sum FROM cards WHERE card = ?", []any{card}, &patron, &sum)
	if err == nil && found {
		return kiosk.PatronID(patron), sound("cards", sum, string(card), patron)
	}
	if err == nil {
		n := 0
		err = q.each("SELECT barcode FROM patrons WHERE card = ? AND card <> ''", []any{card}, func(rows *sql.Rows) error { n++; return rows.Scan(&id) })
		if n > 1 {
			id = "" // a part of a number, say, that two cards have: neither may open the other's account
		}
	}
	return id, err
}

// account is all that is decided about a patron; nil if there is none.
func (q asking) account(id kiosk.PatronID) (*kiosk.Account, error) {
	a := kiosk.Account{}
	_, found, err := q.patron(id, &a.Patron)
	if err != nil || !found {
		return nil, err
	}
	if a.Tries, err = q.tries(id); err != nil {
		return nil, err
	}
	if a.Loans, err = q.loans(id); err != nil {
		return nil, err
	}
	err = q.each("SELECT amount, sum FROM charges WHERE patron = ?", []any{id}, func(rows *sql.Rows) error {
		var amount, sum int64
		if err := rows.Scan(&amount, &sum); err != nil {
			return err
		}
		a.Charges += amount
		return sound("charges", sum, string(id), amount)
	})
	if err != nil {
		return nil, err
	}
	err = q.eachHold(selectHold+"WHERE patron = ? AND taken_by = 0", []any{id}, func(h holdRow) {
		if h.ready && (h.site == "" || h.site == q.site) {
			a.Ready++
		}
	})
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// patron is a row of patrons, and the keyed digest of the PIN; "" if there is none.
func (q asking) patron(id kiosk.PatronID, p *kiosk.Patron) (pin string, found bool, err error) {
	var homeroom, expires, district, card string
	var sum int64
	found, err = q.row(`SELECT barcode, name, type, grade, homeroom, language, inactive, expires, district_id, card, pin, sum
		FROM patrons WHERE barcode = ?`, []any{id},
		&p.ID, &p.Name, &p.Type, &p.Grade, &homeroom, &p.Language, &p.Inactive, &expires, &district, &card, &pin, &sum)
	if err != nil || !found {
		return "", false, err
	}
	p.PIN = pin != ""
	err = sound("patrons", sum, string(p.ID), p.Name, p.Type, p.Grade, homeroom, p.Language, p.Inactive, expires, district, card, pin)
	if err == nil && expires != "" {
		p.Expires, err = kiosk.ParseDate(expires)
	}
	return pin, true, err
}

// loans are a patron's open loans, first due first. A loan may be of a copy that the cache does not have.
func (q asking) loans(id kiosk.PatronID) ([]kiosk.Borrowed, error) {
	var all []kiosk.Borrowed
	err := q.each("SELECT * FROM loans WHERE patron = ? ORDER BY due, item", []any{id}, func(rows *sql.Rows) error {
		b := kiosk.Borrowed{}
		var l loanRow
		err := rows.Scan(&l.item, &l.patron, &l.at, &l.due, &l.renewals, &l.sum)
		if err == nil {
			b.Loan, err = q.loan(l)
		}
		all = append(all, b)
		return err
	})
	for i := range all {
		if err == nil {
			_, err = q.item(all[i].Loan.Item, &all[i].Item)
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Wanted, err = q.wanted(all[i].Item, id); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// loan is what a row says.
func (q asking) loan(r loanRow) (kiosk.Loan, error) {
	l := kiosk.Loan{Item: kiosk.ItemID(r.item), Patron: kiosk.PatronID(r.patron), Renewals: r.renewals}
	err := r.sound()
	if r.at != 0 {
		l.At = time.UnixMicro(r.at).In(q.zone)
	}
	if err == nil && r.due != "" {
		l.Due, err = kiosk.ParseDue(r.due)
	}
	return l, err
}

// item reads a copy; of one that is not there only the number is known.
func (q asking) item(id kiosk.ItemID, i *kiosk.Item) (found bool, err error) {
	i.ID = id
	var sum int64
	found, err = q.row("SELECT * FROM copies WHERE barcode = ?", []any{id}, append(itemDest(i), &sum)...)
	if err == nil && found {
		err = soundItem(sum, *i)
	}
	return found, err
}

func itemDest(i *kiosk.Item) []any {
	return []any{&i.ID, &i.TitleID, &i.Title, &i.Author, &i.CallNumber, &i.Type, &i.Site, &i.Status}
}

func soundItem(sum int64, i kiosk.Item) error {
	return sound("copies", sum, string(i.ID), string(i.TitleID), i.Title, i.Author, i.CallNumber, i.Type, i.Site, string(i.Status))
}

// wanted tells whether another patron waits for this very copy: by a hold on it, or because more wait
// for its title than other copies on the shelf could serve.
func (q asking) wanted(i kiosk.Item, by kiosk.PatronID) (bool, error) {
	holds, err := q.holds(i)
	others := 0
	for _, h := range holds {
		switch {
		case h.Patron == by:
		case h.Item == i.ID:
			return true, err
		default:
			others++
		}
	}
	if err != nil || others == 0 {
		return false, err
	}
	spare, err := q.spare(i)
	return others > spare, err
}

// copy is all that is decided about an item; nil if there is none.
func (q asking) copy(id kiosk.ItemID) (*kiosk.Copy, error) {
	var c kiosk.Copy
	found, err := q.item(id, &c.Item)
	if err != nil || !found {
		return nil, err
	}
	var l loanRow
	c.Out, err = q.row("SELECT * FROM loans WHERE item = ?", []any{id}, &l.item, &l.patron, &l.at, &l.due, &l.renewals, &l.sum)
	if err == nil && c.Out {
		c.Loan, err = q.loan(l)
	}
	if err != nil {
		return nil, err
	}
	if c.Pending, err = q.wish(id); err != nil {
		return nil, err
	}
	if c.Holds, err = q.holds(c.Item); err != nil {
		return nil, err
	}
	if len(c.Holds) == 0 {
		return &c, nil // nobody competes for the other copies
	}
	if c.Spare, err = q.spare(c.Item); err != nil {
		return nil, err
	}
	return &c, nil
}

// wish is what is still to be done to an item's tags.
func (q asking) wish(id kiosk.ItemID) (w kiosk.TagWish, err error) {
	var sum int64
	found, err := q.row("SELECT wish, sum FROM tags WHERE item = ?", []any{id}, &w, &sum)
	if err == nil && found {
		err = sound("tags", sum, string(id), string(w))
	}
	return w, err
}

// holds are the open holds that a copy could serve, oldest first.
func (q asking) holds(i kiosk.Item) ([]kiosk.Hold, error) {
	var all []kiosk.Hold
	err := q.eachHold(selectHold+`WHERE rowid IN (SELECT rowid FROM holds WHERE taken_by = 0 AND item = ?
		UNION ALL SELECT rowid FROM holds WHERE taken_by = 0 AND title_id = ? AND title_id <> '' AND item = '')
		ORDER BY placed, rowid`, []any{i.ID, i.TitleID}, func(h holdRow) { all = append(all, h.hold()) })
	return all, err
}

// spare counts the other copies of the title that stand on this site's shelf and wait for nobody.
func (q asking) spare(i kiosk.Item) (n int, err error) {
	err = q.each(`SELECT copies.*, EXISTS (SELECT 1 FROM loans WHERE loans.item = copies.barcode)
		OR EXISTS (SELECT 1 FROM holds WHERE holds.item = copies.barcode AND taken_by = 0)
		FROM copies WHERE title_id = ? AND title_id <> '' AND barcode <> ?`, []any{i.TitleID, i.ID}, func(rows *sql.Rows) error {
		var other kiosk.Item
		var sum int64
		var away bool
		if err := rows.Scan(append(itemDest(&other), &sum, &away)...); err != nil {
			return err
		}
		here := other.Site == "" || other.Site == q.site
		if here && !away && (other.Status == "" || other.Status == kiosk.ItemAvailable) {
			n++
		}
		return soundItem(sum, other)
	})
	return n, err
}
