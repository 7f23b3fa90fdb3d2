package store

import (
	"database/sql"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"circdesk/kiosk"
)

// Every row of the cache ends with a sum over its other columns, so that a bit that has flipped on the
// card is noticed before anything is decided by it. That no row has vanished is what the indexes tell.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// rowSum is the sum over the columns of a row: strings and whole numbers.
func rowSum(columns ...any) int64 {
	var room [256]byte
	b := room[:0]
	for _, c := range columns {
		switch c := c.(type) {
		case string:
			b = append(b, c...)
		case int:
			b = strconv.AppendInt(b, int64(c), 10)
		case int64:
			b = strconv.AppendInt(b, c, 10)
		case bool:
			b = strconv.AppendBool(b, c)
		default:
			panic(fmt.Sprintf("store: a column of type %T has no sum", c))
		}
		b = append(b, 0)
	}
	return int64(crc32.Checksum(b, castagnoli))
}

// summed appends their sum to columns.
func summed(columns ...any) []any { return append(columns, rowSum(columns...)) }

// sound compares a row's sum.
func sound(table string, sum int64, columns ...any) error {
	if sum == rowSum(columns...) {
		return nil
	}
	return fmt.Errorf("a row of %s: %w", table, errDamaged)
}

// A loanRow is a row of loans.
type loanRow struct {
	item, patron string
	at           int64
	due          string
	renewals     int
	sum          int64
}

func (l *loanRow) columns() []any { return []any{l.item, l.patron, l.at, l.due, l.renewals} }
func (l *loanRow) sound() error   { return sound("loans", l.sum, l.columns()...) }

// A holdRow is a row of holds.
type holdRow struct {
	line                  int64
	patron, title, wanted string
	item                  string
	placed                int64
	site                  string
	ready                 bool
	readyBy, takenBy      int64
	sum                   int64
}

const selectHold = "SELECT rowid, patron, title_id, wanted, item, placed, site, ready, ready_by, taken_by, sum FROM holds "

func (h *holdRow) dest() []any {
	return []any{&h.line, &h.patron, &h.title, &h.wanted, &h.item, &h.placed, &h.site, &h.ready, &h.readyBy, &h.takenBy, &h.sum}
}

func (h *holdRow) columns() []any {
	return []any{h.patron, h.title, h.wanted, h.item, h.placed, h.site, h.ready, h.readyBy, h.takenBy}
}

func (h *holdRow) sound() error { return sound("holds", h.sum, h.columns()...) }

func (h *holdRow) hold() kiosk.Hold {
	return kiosk.Hold{
		Patron: kiosk.PatronID(h.patron), TitleID: kiosk.TitleID(h.title), Item: kiosk.ItemID(h.item), Site: h.site, Ready: h.ready,
	}
}

// eachHold calls use for every hold of a query that begins with selectHold.
func (h *held) eachHold(query string, args []any, use func(holdRow)) error {
	return h.each(query, args, func(rows *sql.Rows) error {
		var r holdRow
		if err := rows.Scan(r.dest()...); err != nil {
			return err
		}
		use(r)
		return r.sound()
	})
}

// An imported is the last file of its kind that was loaded, as it stands in imports.
type imported struct {
	kind            string
	runs            int
	at, taken       int64
	rows, kept, bad int
	file            string
	sum             int64
}

func (i *imported) columns() []any {
	return []any{i.kind, i.runs, i.at, i.taken, i.rows, i.kept, i.bad, i.file}
}

func (i imported) takenAt() time.Time { return time.UnixMicro(i.taken) }
