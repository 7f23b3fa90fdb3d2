package store

import "circdesk/kiosk"

// project applies an entry to a state that is older.
func (c *cache) project(r *row) error {
	switch kiosk.Kind(r.kind) {
	case kiosk.KindEnrolment:
		return c.projectCard(r, true)
	case kiosk.KindTagSet, kiosk.KindTagCleared, kiosk.KindTagFailed:
		return c.projectTag(r)
	case kiosk.KindPINWrong, kiosk.KindPINRight:
		return c.projectTries(r)
	}
	return cmpErr(c.projectLoan(r, true), func() error {
		return cmpErr(c.projectHold(r), func() error { return c.projectTag(r) })
	})
}

// projectTag keeps what is still to be done to an item's tags.
func (c *cache) projectTag(r *row) error {
	wish := func(w kiosk.TagWish) error {
		if c.o.NoTags {
			return nil
		}
		return c.w.exec("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", summed(r.item, string(w))...)
	}
	done := func(w kiosk.TagWish) error {
		return c.w.exec("DELETE FROM tags WHERE item = ? AND wish = ?", r.item, w)
	}
	switch kiosk.Kind(r.kind) {
	case kiosk.KindLoan, kiosk.KindRenewal:
		return wish(kiosk.WishClear)
	case kiosk.KindReturn:
		return wish(kiosk.WishSet)
	case kiosk.KindTagCleared:
		return done(kiosk.WishClear)
	case kiosk.KindTagSet:
		return done(kiosk.WishSet)
	}
	return nil
}

// projectCard gives a patron a card. Of an older entry than the list of cards the list knows better.
func (c *cache) projectCard(r *row, newest bool) error {
	if r.kind != string(kiosk.KindEnrolment) {
		return nil
	}
	how := "INSERT OR IGNORE"
	if newest {
		how = "INSERT OR REPLACE"
	}
	return c.w.exec(how+" INTO cards VALUES (?, ?, ?)", summed(r.card, r.patron.String)...)
}

// projectLoan applies an entry to the loans. If the loans may be newer than the entry, as those of a
// snapshot may, a loan that began after it stays: a late return must not end somebody else's loan.
func (c *cache) projectLoan(r *row, newest bool) error {
	var l loanRow
	found, err := c.w.row("SELECT * FROM loans WHERE item = ?", []any{r.item}, &l.item, &l.patron, &l.at, &l.due, &l.renewals, &l.sum)
	if err == nil && found {
		err = l.sound()
	}
	late := !newest && r.clock != string(kiosk.ClockImpossible) && l.at > r.at
	if err != nil || found && late {
		return err
	}
	switch kiosk.Kind(r.kind) {
	case kiosk.KindLoan:
		if !r.patron.Valid {
			return nil // faded, so it has come back
		}
		l = loanRow{item: r.item, patron: r.patron.String, at: r.at, due: r.due, renewals: r.renewals}
		return c.w.exec("INSERT OR REPLACE INTO loans VALUES (?, ?, ?, ?, ?, ?)", summed(l.columns()...)...)
	case kiosk.KindRenewal:
		if !found || l.patron != r.patron.String {
			return nil
		}
		l.due, l.renewals = r.due, r.renewals
		return c.w.exec("UPDATE loans SET due = ?, renewals = ?, sum = ? WHERE item = ?", l.due, l.renewals, rowSum(l.columns()...), l.item)
	case kiosk.KindReturn:
		return c.w.exec("DELETE FROM loans WHERE item = ?", r.item)
	}
	return nil
}

// projectHold marks the hold that an entry fulfils or makes ready.
func (c *cache) projectHold(r *row) error {
	switch {
	case r.kind == string(kiosk.KindLoan) && r.patron.Valid:
		h, err := c.firstHold(`WHERE patron = ? AND taken_by = 0 AND (item = ? OR title_id = ? AND wanted = '')
			ORDER BY item = ? DESC, placed, rowid LIMIT 1`, r.patron.String, r.item, r.title, r.item)
		if err != nil || h == nil {
			return err
		}
		h.takenBy = int64(r.seq)
		return c.putHold(*h)
	case r.kind == string(kiosk.KindReturn) && r.outcome == string(kiosk.OutcomeHold):
		h, err := c.firstHold(`WHERE rowid = (SELECT rowid FROM (SELECT rowid, placed FROM holds WHERE taken_by = 0 AND item = ?
			UNION ALL SELECT rowid, placed FROM holds WHERE taken_by = 0 AND title_id = ? AND item = '')
			ORDER BY placed, rowid LIMIT 1)`, r.item, r.title)
		if err != nil || h == nil {
			return err
		}
		if !h.ready {
			h.readyBy = int64(r.seq)
		}
		h.item, h.ready = r.item, true
		return c.putHold(*h)
	}
	return nil
}

// firstHold is the first hold of a query; nil if there is none.
func (c *cache) firstHold(where string, args ...any) (first *holdRow, err error) {
	err = c.w.eachHold(selectHold+where, args, func(h holdRow) { first = &h })
	return first, err
}
