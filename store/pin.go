package store

import (
	"crypto/hmac"

	"circdesk/kiosk"
)

// A wrong PIN is an entry of the journal like a loan, and the cache counts those since the last right one.
// So neither a reboot nor a clock that is set frees a guess. The count ends with a newer file of patrons,
// which is how staff unlock a card.

// pin is the keyed digest of a PIN as a file has it: the PIN itself is not kept in the cache.
func (s *Store) pin(patron, pin string) string {
	if pin == "" || s.o.PIN == nil {
		return ""
	}
	return s.o.PIN(patron, pin)
}

// CheckPIN tells whether a PIN is the patron's. Whoever has none has no right one.
func (s *Store) CheckPIN(v kiosk.Verify) kiosk.Verified {
	s.Follow()
	if s.cache.behind.Load() {
		return kiosk.Verified{Call: v.Call, Failed: true}
	}
	typed := s.pin(string(v.Patron), v.PIN)
	var kept string
	err := s.ask(func(q asking) (err error) {
		var p kiosk.Patron
		kept, _, err = q.patron(v.Patron, &p)
		return err
	})
	if err != nil {
		s.cacheFailed("look up a PIN", err)
		return kiosk.Verified{Call: v.Call, Failed: true}
	}
	return kiosk.Verified{Call: v.Call, OK: kept != "" && hmac.Equal([]byte(kept), []byte(typed))}
}

// tries are the wrong PINs of a patron since the last right one.
func (h *held) tries(id kiosk.PatronID) (n int, err error) {
	var sum int64
	found, err := h.row("SELECT n, sum FROM tries WHERE patron = ?", []any{id}, &n, &sum)
	if err == nil && found {
		err = sound("tries", sum, string(id), n)
	}
	return n, err
}

// projectTries counts a wrong PIN; a right one ends the count. Of one whose patron has faded nobody knows
// any more whose it was.
func (c *cache) projectTries(r *row) error {
	if !r.patron.Valid {
		return nil
	}
	if r.kind == string(kiosk.KindPINRight) {
		return c.w.exec("DELETE FROM tries WHERE patron = ?", r.patron.String)
	}
	n, err := c.w.tries(kiosk.PatronID(r.patron.String))
	if err != nil {
		return err
	}
	return c.w.exec("INSERT OR REPLACE INTO tries VALUES (?, ?, ?)", summed(r.patron.String, n+1)...)
}
