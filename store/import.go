package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"circdesk/kiosk"
	"circdesk/store/intake"
)

// ImportOptions are what goes with a file.
type ImportOptions struct {
	Name    string            // of the file, for messages
	Taken   time.Time         // when the library system wrote it; zero: now
	Force   bool              // load it though it looks wrong: older than the last, or much smaller
	Headers map[string]string // our column -> its header in the file
	Cards   []string          // the notations of the numbers of cards; nil: the usual ones

	knows knowledge // what is in a file that is loaded again
}

// An ImportReport is what became of a file.
type ImportReport struct {
	Kind    string
	Name    string
	Taken   time.Time
	Rows    int      // that were read, the header not counted
	Loaded  int      // of those
	Before  int      // how many there were of this kind
	Refused string   // why nothing was loaded; empty if it was
	Bad     int      // rows that were left out
	BadRows []BadRow // the first of them
	Ignored []string // headers of columns that are not used
}

// A BadRow is a row that was left out.
type BadRow struct {
	Line   int // in the file, counted from 1
	Column string
	Reason string
}

const (
	rowsInTurn = 128 // rows that are written at once: so long may the loop wait
	badsShown  = 100 // bad rows that a report holds
)

// errNoRoom: the rest of the disk is for the journal.
var errNoRoom = errors.New("there is not enough room on the disk")

// Import loads a file beside what is there and swaps it in, all of it or nothing. The entries of the
// journal that the file cannot know are applied to it again. A file that is refused is no error.
func (s *Store) Import(ctx context.Context, kind string, r io.Reader, o ImportOptions) (ImportReport, error) {
	select {
	case s.taking <- struct{}{}:
		defer func() { <-s.taking }()
	case <-ctx.Done():
		return ImportReport{}, ctx.Err()
	}
	if o.Taken.IsZero() {
		o.Taken = s.o.Now()
	}
	if refused := s.cache.tooOld(kind, o); refused != "" {
		return ImportReport{Kind: kind, Name: o.Name, Taken: o.Taken, Refused: refused}, nil
	}
	o.knows.Journal, o.knows.Until = s.journal.whose()
	k := s.o.keep(kind, origin{ID: rand.Text(), Name: o.Name, Taken: o.Taken, knowledge: o.knows, Headers: o.Headers, Cards: o.Cards})
	report, err := s.take(ctx, kind, io.TeeReader(r, k), o, k)
	if trouble := k.close(); trouble != nil {
		s.o.Log.Error("the file is not kept as a snapshot", "kind", kind, "error", trouble)
	}
	if spoilt(err) {
		s.cacheFailed("import", err)
	}
	if err == nil && report.Refused == "" {
		s.cache.remade.Store(false)
	}
	return report, err
}

// A keeper keeps what is loaded: before the swap, so that the cache is never ahead of the snapshots.
type keeper interface {
	put() (id string)
	takeBack()
}

// take loads a file, whatever its age.
func (s *Store) take(ctx context.Context, kind string, r io.Reader, o ImportOptions, k keeper) (ImportReport, error) {
	report := ImportReport{Kind: kind, Name: o.Name, Taken: o.Taken}
	how := intake.Options{Headers: o.Headers, Zone: s.o.Zone, Site: s.o.Site}
	if s.o.ReadCard != nil {
		how.Card = func(written string) (uid, reason string) { return s.o.ReadCard(written, o.Cards) }
	}
	file, err := intake.Open(kind, r, how)
	if err != nil {
		report.Refused = err.Error()
		return report, nil
	}
	report.Ignored = file.Ignored()
	l := loading{s: s, kind: kind, o: o, report: &report, rest: r, keeper: k}
	if err := l.run(ctx, file.Rows()); err != nil {
		return ImportReport{}, fmt.Errorf("import %s: %w", kind, err)
	}
	return report, nil
}

// tooOld says why a file is refused for its age.
func (c *cache) tooOld(kind string, o ImportOptions) string {
	c.turn.Lock()
	defer c.turn.Unlock()
	last, ok := c.imports[kind]
	if o.Force || !ok || !o.Taken.Before(last.takenAt()) {
		return ""
	}
	return fmt.Sprintf("the file is older (%s) than the last one that was loaded (%s)",
		o.Taken.In(c.o.Zone).Format(time.DateTime), last.takenAt().In(c.o.Zone).Format(time.DateTime))
}

// A loading is one file on its way into the cache.
type loading struct {
	s      *Store
	kind   string
	o      ImportOptions
	report *ImportReport
	rest   io.Reader // what nobody has read yet
	keeper keeper
	file   string // what the snapshot is called
	more   int    // rows that were found to stand in the file twice when all of it was read
}

func (l *loading) run(ctx context.Context, rows iter.Seq2[intake.Row, *intake.Bad]) (err error) {
	if isList(l.kind) {
		return l.runList(ctx, rows)
	}
	c := l.s.cache
	if err := c.sweep(ctx, beside(l.kind), behind(l.kind)); err != nil {
		return err
	}
	if err := c.inTurn(func() error { return c.layOut(l.kind) }); err != nil {
		return err
	}
	defer func() {
		// Of the new table after a failure, of the old one after the swap: in steps, beside the loop. What
		// is left here is swept at the next import, or when names fade.
		err = errors.Join(err, c.sweep(context.WithoutCancel(ctx), beside(l.kind), behind(l.kind)))
	}()
	if err := l.load(ctx, rows, l.put); err != nil {
		return err
	}
	before, err := c.number(ctx, "SELECT count(*) FROM "+l.kind)
	if err != nil || l.tooFew(before, 0) {
		return err
	}
	l.file = l.keeper.put()
	if err := l.swap(ctx); err != nil {
		l.keeper.takeBack()
		return err
	}
	return nil
}

// load hands all rows to put, a few at a time.
func (l *loading) load(ctx context.Context, rows iter.Seq2[intake.Row, *intake.Bad], put func([]filed) error) error {
	var batch []filed
	handOn := func() error {
		full := batch
		batch = nil
		if err := l.s.journal.ballast.spare(0); err != nil {
			return err
		}
		return errors.Join(put(full), ctx.Err())
	}
	for row, bad := range rows {
		switch {
		case bad != nil && bad.Fatal != nil:
			return bad.Fatal
		case bad != nil:
			l.leaveOut(*bad)
			continue
		}
		f, err := l.s.fileOf(row)
		if err != nil {
			return err
		}
		l.report.Rows++
		if batch = append(batch, f); len(batch) == rowsInTurn {
			if err := handOn(); err != nil {
				return err
			}
		}
	}
	return errors.Join(handOn(), all(l.rest))
}

func (l *loading) leaveOut(bad intake.Bad) {
	l.report.Rows++
	l.report.Bad++
	if len(l.report.BadRows) < badsShown {
		l.report.BadRows = append(l.report.BadRows, BadRow{Line: bad.Line, Column: bad.Column, Reason: bad.Reason})
	}
}

// twiceInFile and cardTwice are why a row is left out.
const (
	twiceInFile = "has occurred before in this file; the first one counts"
	cardTwice   = "has occurred before in this file; if that was for somebody else, it is nobody's card"
)

// put writes rows in one short transaction.
func (l *loading) put(batch []filed) error {
	if len(batch) == 0 {
		return nil
	}
	var twice []filed
	err := l.s.cache.inTurn(func() error {
		for _, r := range batch {
			fresh, err := l.s.cache.w.insert(r.insert, r.values...)
			if err != nil {
				return err
			}
			if fresh {
				continue
			}
			twice = append(twice, r)
			if l.kind != "cards" {
				continue
			}
			if err := l.nobodys(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.report.Loaded += len(batch) - len(twice)
	for _, r := range twice {
		l.report.Rows-- // leaveOut counts it again
		reason := twiceInFile
		if l.kind == "cards" {
			reason = cardTwice
		}
		l.leaveOut(intake.Bad{Line: r.line, Column: r.column, Reason: reason})
	}
	return nil
}

// nobodys takes a card away from its owner that stands in the file for somebody else as well: it may be a part of
// a number, which two cards have, and neither may open the other's account.
func (l *loading) nobodys(r filed) error {
	card, patron := r.values[0], r.values[1]
	return l.s.cache.w.exec("UPDATE beside_cards SET patron = '', sum = ? WHERE card = ? AND patron <> ?", rowSum(card, ""), card, patron)
}

// A filed is a row as it goes into the new table.
type filed struct {
	line   int
	column string // by which it is told from others
	insert string // unless the table is a list
	values []any
}

// fileOf copies a row, whose memory belongs to whoever reads the file.
func (s *Store) fileOf(row intake.Row) (filed, error) {
	switch r := row.(type) {
	case *intake.Patron:
		return filed{line: r.Line, values: summed(r.Barcode, r.Name, r.Type, r.Grade, r.Homeroom, r.Language, r.Inactive, r.Expires, r.DistrictID,
			s.card(r.CardUID), s.pin(r.Barcode, r.PIN))}, nil
	case *intake.Copy:
		return filed{line: r.Line, values: summed(r.Barcode, r.TitleID, r.Title, r.Author, r.CallNumber, r.CircType, r.Site, r.Status)}, nil
	case *intake.Loan:
		return filed{r.Line, "item", "INSERT INTO beside_loans VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			summed(r.Item, r.Patron, r.At, r.Due, r.Renewals)}, nil
	case *intake.Hold:
		h := holdRow{patron: r.Patron, title: r.TitleID, wanted: r.Item, item: r.Item, placed: r.Placed, site: r.Site, ready: r.Ready}
		if r.Ready && r.TitleID != "" {
			h.wanted = "" // the item is the copy that waits, which need not be the one that was wished for
		}
		return filed{r.Line, "title_id", "INSERT INTO beside_holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			summed(h.columns()...)}, nil
	case *intake.Card:
		return filed{r.Line, "card_uid", "INSERT INTO beside_cards VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
			summed(s.card(r.UID), r.Patron)}, nil
	case *intake.Charge:
		return filed{r.Line, "", "INSERT INTO beside_charges VALUES (?, ?, ?)", summed(r.Patron, r.Amount)}, nil
	}
	return filed{}, fmt.Errorf("row %T has no table", row)
}

// card is the keyed digest of a chip's number: the number itself is not kept in the cache.
func (s *Store) card(uid string) string {
	if uid == "" || s.o.Card == nil {
		return ""
	}
	return string(s.o.Card(uid))
}

// tooFew refuses a file that would drop too much: of patrons and copies those that it does not have, of
// what comes and goes every day the number.
func (l *loading) tooFew(before, lost int) bool {
	l.report.Before = before
	lost = max(lost, before-l.report.Loaded)
	if l.o.Force || lost*5 <= before {
		return false
	}
	l.report.Refused = fmt.Sprintf("the file would drop %d of the %d %s that are there", lost, before, l.kind)
	l.report.Loaded = 0
	return true
}

// sortBad puts the bad rows into the order of the file.
func (l *loading) sortBad() {
	slices.SortStableFunc(l.report.BadRows, func(a, b BadRow) int { return cmp.Compare(a.Line, b.Line) })
	l.report.BadRows = l.report.BadRows[:min(len(l.report.BadRows), badsShown)]
}

// imported is what the cache keeps of the file. turn is held.
func (l *loading) imported() imported {
	return imported{
		kind: l.kind, at: l.s.o.Now().UnixMicro(), taken: l.o.Taken.UnixMicro(), rows: l.report.Rows, kept: l.report.Loaded, bad: l.report.Bad, file: l.file,
		runs: l.s.cache.imports[l.kind].runs + 1,
	}
}

func (c *cache) putImported(is imported) error {
	return c.w.exec("INSERT OR REPLACE INTO imports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", summed(is.columns()...)...)
}

// swap puts the new table into the old one's place, in one transaction, with the journal applied to it.
func (l *loading) swap(ctx context.Context) error {
	c := l.s.cache
	pending, err := l.s.journal.pending(ctx, l.kind, l.o.Taken, l.o.knows)
	if err != nil {
		return err
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	// What Follow has not come to yet: the new table is to know all that the others know.
	if err := c.catchUp(l.s.journal); err != nil {
		return err
	}
	more, err := l.s.journal.after(ctx, pending.until, c.applied)
	if err != nil {
		return err
	}
	is := l.imported()
	err = c.w.write(func() error {
		if err := c.rename(l.kind); err != nil {
			return err
		}
		for _, r := range append(pending.rows, more...) {
			if r.seq > c.applied {
				break // it was recorded a moment ago; Follow applies it
			}
			if err := c.reapply(l.kind, &r, l.o.Taken); err != nil {
				return fmt.Errorf("entry %d: %w", r.seq, err)
			}
		}
		return c.putImported(is)
	})
	if err == nil {
		c.imports[l.kind] = is
	}
	return err
}

// reapply applies an entry to a table that has just come.
func (c *cache) reapply(kind string, r *row, taken time.Time) error {
	switch kind {
	case "loans":
		return c.projectLoan(r, false)
	case "holds":
		return c.projectHold(r)
	case "cards":
		return c.projectCard(r, r.clock == string(kiosk.ClockImpossible) || r.at > taken.UnixMicro())
	}
	return nil
}

// A knowledge is the last entry that a file can know: what came later is younger than the file, whatever
// the clocks said when it was taken.
type knowledge struct {
	Journal string `json:"journal"` // its origin; "" in snapshots of earlier versions, which tell nothing
	Until   uint64 `json:"until"`
}

// A backlog is what a snapshot cannot know: rows in order, of all entries up to number until.
type backlog struct {
	rows  []row
	until uint64
}

// handover is how long an entry that was handed over in a file may take to get into the library system.
const handover = 24 * time.Hour

// pending are the entries that a snapshot of a kind, taken at that moment, has not absorbed. Of an item that
// has one, all later entries are told too: a loan without its return would be one that never ends.
func (j *journal) pending(ctx context.Context, kind string, taken time.Time, knows knowledge) (backlog, error) {
	b, open := backlog{}, map[string]bool{}
	before, last, err := j.horizon(ctx, taken, knows)
	if err != nil {
		return b, err
	}
	for {
		page, err := j.carried(ctx, withDelivery+"WHERE entry.seq > ? ORDER BY entry.seq LIMIT ?", b.until, pageOfRows)
		if err != nil {
			return b, err
		}
		for i := range page {
			c := &page[i]
			b.until = c.row.seq
			known := c.row.seq <= last && (c.row.seq <= before || c.happened(taken)) && c.arrived(taken)
			if known && !(kind == "loans" && open[c.item]) {
				continue
			}
			open[c.item] = true
			b.rows = append(b.rows, c.row)
		}
		if len(page) < pageOfRows {
			return b, nil
		}
	}
}

// after are the entries between two numbers, which are too young to be in any snapshot.
func (j *journal) after(ctx context.Context, since, until uint64) ([]row, error) {
	if until <= since {
		return nil, nil
	}
	return j.rows(ctx, since, int(until-since))
}

// horizon tells two numbers: up to which entries surely happened before a snapshot was taken, because one
// with a good clock after them did, and up to which a snapshot can know anything at all.
func (j *journal) horizon(ctx context.Context, taken time.Time, knows knowledge) (before, last uint64, err error) {
	err = j.r.query(ctx, "SELECT coalesce(max(seq), 0) FROM entry WHERE clock = ? AND at <= ?",
		[]any{kiosk.ClockSynchronised, taken.UnixMicro()}, func(rows *sql.Rows) error { return rows.Scan(&before) })
	switch ours, _ := j.whose(); {
	case knows.Journal == "":
		return before, math.MaxUint64, err
	case knows.Journal == ours:
		return before, knows.Until, err
	}
	return 0, 0, err // all that is in here came later
}

// happened tells whether an entry says itself that it was before a snapshot was taken.
func (c *carried) happened(taken time.Time) bool {
	return c.clock != string(kiosk.ClockImpossible) && c.at <= taken.UnixMicro()
}

// arrived tells whether the library system had an entry when it wrote a snapshot. Cards that were enrolled
// here no library system is told of.
func (c *carried) arrived(taken time.Time) bool {
	if c.kind == string(kiosk.KindEnrolment) {
		return false
	}
	switch kiosk.Delivery(c.state) {
	case "", kiosk.Confirmed, kiosk.Settled:
		return true
	case kiosk.HandedOver:
		return time.UnixMicro(c.since).Add(handover).Before(taken)
	}
	return false
}

// number asks the cache beside the loop.
func (c *cache) number(ctx context.Context, query string) (n int, err error) {
	err = c.beside.query(ctx, query, nil, func(rows *sql.Rows) error { return rows.Scan(&n) })
	return n, err
}
