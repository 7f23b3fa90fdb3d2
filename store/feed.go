package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite/vtab"
)

// A feed is rows on their way into a list, as a table that SQLite reads once from its beginning to its end.
// One statement then writes all of them: binding every value of every row costs twice as much.
type feed struct {
	batches <-chan []filed
	names   []string // of the columns
	batch   []filed  // what is left of the one that is read
	rowid   int64
}

// rowsOfLine: the number of a row tells the line of the file on which it stands, maybe with others.
const rowsOfLine = 1 << 20

func lineOf(rowid int64) int { return int(rowid / rowsOfLine) }

// Next goes to the next row, and waits for it.
func (f *feed) Next() error {
	if len(f.batch) > 0 {
		f.batch = f.batch[1:]
	}
	for len(f.batch) == 0 {
		batch, more := <-f.batches
		if !more {
			return nil
		}
		f.batch = batch
	}
	f.rowid = max(f.rowid+1, int64(f.batch[0].line)*rowsOfLine)
	return nil
}

func (f *feed) Eof() bool { return len(f.batch) == 0 }

// Column is the row's number, and then its values.
func (f *feed) Column(i int) (vtab.Value, error) {
	if i == 0 {
		return f.rowid, nil
	}
	switch v := f.batch[0].values[i-1].(type) {
	case int:
		return int64(v), nil
	default:
		return v, nil
	}
}

func (f *feed) Filter(int, string, []vtab.Value) error { return f.Next() }
func (f *feed) Rowid() (int64, error)                  { return f.rowid, nil }
func (f *feed) Close() error                           { return nil }
func (f *feed) BestIndex(*vtab.IndexInfo) error        { return nil }
func (f *feed) Open() (vtab.Cursor, error)             { return f, nil }
func (f *feed) Disconnect() error                      { return nil }
func (f *feed) Destroy() error                         { return nil }

// feeds are the feeds that are read, by name. SQLite knows modules by name too, for the whole process.
type feeds struct {
	all  sync.Map // name -> *feed
	last atomic.Uint64
}

func (f *feeds) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	got, ok := f.all.Load(args[len(args)-1])
	if !ok {
		return nil, errors.New("no such feed")
	}
	return got.(*feed), ctx.Declare("CREATE TABLE feed (" + strings.Join(append([]string{"line"}, got.(*feed).names...), ", ") + ")")
}

func (f *feeds) Connect(ctx vtab.Context, args []string) (vtab.Table, error) {
	return f.Create(ctx, args)
}

// theFeeds registers the module. Connections that are opened later know it; none may be opened meanwhile.
var theFeeds = sync.OnceValues(func() (*feeds, error) {
	f := &feeds{}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	return f, errors.Join(vtab.RegisterModule(db, "feeds", f), db.Close())
})

// feed writes what comes out of the channel into the list, until that is closed.
func (l *listing) feed(batches <-chan []filed) error {
	feeds, err := theFeeds()
	if err != nil {
		return err
	}
	name := fmt.Sprint(feeds.last.Add(1))
	feeds.all.Store(name, &feed{batches: batches, names: l.names})
	defer feeds.all.Delete(name)
	if err := l.h.once(fmt.Sprintf("CREATE VIRTUAL TABLE temp.feed USING feeds(%s)", name)); err != nil {
		return err
	}
	err = l.h.once(fmt.Sprintf("INSERT INTO %s (rowid, %s) SELECT * FROM temp.feed", l.kind, strings.Join(l.names, ", ")))
	return errors.Join(err, l.h.once("DROP TABLE temp.feed"))
}
