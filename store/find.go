package store

import (
	"database/sql"
	"time"

	"circdesk/kiosk"
)

// Find looks up a patron's account, a copy, or both, at one moment.
func (s *Store) Find(f kiosk.Find) kiosk.Found {
	found := kiosk.Found{Call: f.Call}
	if s.cache.behind.Load() {
		found.Failed = true
		return found
	}
	q := asking{held: s.cache.r, site: s.o.Site, zone: s.o.Zone}
	err := q.read(func() (err error) {
		if f.Patron != "" {
			if found.Account, err = q.account(f.Patron); err != nil {
				return err
			}
		}
		if f.Item != "" {
			found.Copy, err = q.copy(f.Item)
		}
		return err
	})
	if err != nil {
		s.cacheFailed("look up", err)
		return kiosk.Found{Call: f.Call, Failed: true}
	}
	return found
}

// An asking is a connection to the cache on which somebody looks something up.
type asking struct {
	*held
	site string
	zone *time.Location
}

const selectItem = `SELECT copies.barcode, title_id, title, author, call_number, circ_type, copies.site, copies.status`

func itemDest(i *kiosk.Item) []any {
	return []any{&i.ID, &i.TitleID, &i.Title, &i.Author, &i.CallNumber, &i.Type, &i.Site, &i.Status}
}

// account is all that is decided about a patron; nil if there is none.
func (q asking) account(id kiosk.PatronID) (*kiosk.Account, error) {
	a := kiosk.Account{Patron: kiosk.Patron{ID: id}}
	p, expires := &a.Patron, ""
	found, err := q.row("SELECT name, type, grade, language, inactive, expires FROM patrons WHERE barcode = ?", []any{id},
		&p.Name, &p.Type, &p.Grade, &p.Language, &p.Inactive, &expires)
	if err != nil || !found {
		return nil, err
	}
	if expires != "" {
		if p.Expires, err = kiosk.ParseDate(expires); err != nil {
			return nil, err
		}
	}
	if a.Loans, err = q.loans(id); err != nil {
		return nil, err
	}
	if _, err = q.row("SELECT coalesce(sum(amount), 0) FROM charges WHERE patron = ?", []any{id}, &a.Charges); err != nil {
		return nil, err
	}
	_, err = q.row("SELECT count(*) FROM holds WHERE patron = ? AND ready AND taken_by = 0 AND site IN ('', ?)",
		[]any{id, q.site}, &a.Ready)
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// loans are a patron's open loans, first due first. A loan may be of a copy that the cache does not have.
func (q asking) loans(id kiosk.PatronID) ([]kiosk.Borrowed, error) {
	var all []kiosk.Borrowed
	err := q.each(`SELECT loans.item, loans.at, loans.due, loans.renewals, coalesce(title_id, ''), coalesce(title, ''),
		coalesce(author, ''), coalesce(call_number, ''), coalesce(circ_type, ''), coalesce(site, ''), coalesce(status, '')
		FROM loans LEFT JOIN copies ON copies.barcode = loans.item WHERE loans.patron = ? ORDER BY loans.due, loans.item`,
		[]any{id}, func(rows *sql.Rows) error {
			b := kiosk.Borrowed{Loan: kiosk.Loan{Patron: id}}
			var at int64
			var due string
			i := &b.Item
			err := rows.Scan(&i.ID, &at, &due, &b.Loan.Renewals,
				&i.TitleID, &i.Title, &i.Author, &i.CallNumber, &i.Type, &i.Site, &i.Status)
			if err == nil {
				b.Loan.Item = i.ID
				b.Loan.At, b.Loan.Due, err = q.times(at, due)
			}
			all = append(all, b)
			return err
		})
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

// times are a loan's begin and end.
func (q asking) times(at int64, due string) (begin time.Time, end kiosk.Due, err error) {
	if at != 0 {
		begin = time.UnixMicro(at).In(q.zone)
	}
	if due != "" {
		end, err = kiosk.ParseDue(due)
	}
	return begin, end, err
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
	c := kiosk.Copy{Loan: kiosk.Loan{Item: id}}
	var at, renewals sql.NullInt64
	var patron, due sql.NullString
	dest := append(itemDest(&c.Item), &patron, &at, &due, &renewals)
	found, err := q.row(selectItem+`, patron, at, due, renewals
		FROM copies LEFT JOIN loans ON loans.item = copies.barcode WHERE copies.barcode = ?`, []any{id}, dest...)
	if err != nil || !found {
		return nil, err
	}
	if c.Out = patron.Valid; c.Out {
		c.Loan.Patron, c.Loan.Renewals = kiosk.PatronID(patron.String), int(renewals.Int64)
		if c.Loan.At, c.Loan.Due, err = q.times(at.Int64, due.String); err != nil {
			return nil, err
		}
	} else {
		c.Loan = kiosk.Loan{}
	}
	if c.Holds, err = q.holds(c.Item); err != nil {
		return nil, err
	}
	if c.Spare, err = q.spare(c.Item); err != nil {
		return nil, err
	}
	return &c, nil
}

// holds are the open holds that a copy could serve, oldest first.
func (q asking) holds(i kiosk.Item) ([]kiosk.Hold, error) {
	var all []kiosk.Hold
	err := q.each(`SELECT patron, title_id, item, site, ready FROM (
		SELECT rowid AS line, * FROM holds WHERE taken_by = 0 AND item = ?
		UNION ALL SELECT rowid, * FROM holds WHERE taken_by = 0 AND title_id = ? AND title_id <> '' AND item = '')
		ORDER BY placed, line`, []any{i.ID, i.TitleID}, func(rows *sql.Rows) error {
		var h kiosk.Hold
		err := rows.Scan(&h.Patron, &h.TitleID, &h.Item, &h.Site, &h.Ready)
		all = append(all, h)
		return err
	})
	return all, err
}

// spare counts the other copies of the title that stand on this site's shelf and wait for nobody.
func (q asking) spare(i kiosk.Item) (n int, err error) {
	_, err = q.row(`SELECT count(*) FROM copies WHERE title_id = ? AND title_id <> '' AND barcode <> ?
		AND site IN ('', ?) AND status IN ('', 'available')
		AND NOT EXISTS (SELECT 1 FROM loans WHERE loans.item = copies.barcode)
		AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.item = copies.barcode AND taken_by = 0)`,
		[]any{i.TitleID, i.ID, q.site}, &n)
	return n, err
}
