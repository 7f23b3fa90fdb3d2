package store

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"circdesk/kiosk"
)

// A journal is journal.db. turn is held by whoever writes, and guards what is not said otherwise.
type journal struct {
	o    *Options
	path string

	turn     sync.Mutex
	w        *held
	marker   marker
	ballast  ballast
	surveyed bool // the file was examined before it was opened for writing
	writable bool
	reserve  bool  // the disk is nearly full: returns only
	rotten   error // why the file is to be put aside
	promised mark  // what was acknowledged last: the file must have that

	origin, incarnation string
	created             int64
	last                uint64 // the number of the last entry,
	head                []byte // its hash,
	session             uint64 // the highest session,
	change              uint64 // and that of the last change of a delivery
	newest              int64  // the latest believable time of an entry

	r *readers // has its own lock

	figures struct {
		sync.Mutex
		entries       uint64
		queued, staff int
	}
}

func newJournal(o *Options, path string) *journal {
	j := &journal{o: o, path: path, w: newHeld(path, journalKeys, journalPragmas()), r: newReaders(path)}
	j.marker.path, j.ballast = path+"-mark", o.ballast()
	j.w.opened = j.begin
	return j
}

func (j *journal) close() error { return errors.Join(j.r.close(), j.w.close(), j.marker.close()) }

// root is genesis for whoever does not hold turn.
func (j *journal) root() []byte {
	j.turn.Lock()
	defer j.turn.Unlock()
	return j.genesis()
}

// whose tells which journal this is, and where it ends.
func (j *journal) whose() (origin string, last uint64) {
	j.turn.Lock()
	defer j.turn.Unlock()
	return j.origin, j.last
}

func (j *journal) prefix() string { return j.o.Kiosk + "-" + j.incarnation + "-" }

func (j *journal) key(seq uint64) kiosk.Key {
	return kiosk.Key(fmt.Sprintf("%s%d", j.prefix(), seq))
}

// begin brings a freshly opened file up to date and reads what is kept in memory.
func (j *journal) begin() error {
	if err := j.w.migrate(j.o, "journal"); err != nil {
		return err
	}
	if err := j.identify(); err != nil {
		return err
	}
	return j.load()
}

// identify reads whose journal this is, or makes it this kiosk's.
func (j *journal) identify() error {
	var sum []byte
	found, err := j.w.row("SELECT origin, incarnation, created, sum FROM journal", nil,
		&j.origin, &j.incarnation, &j.created, &sum)
	if err != nil {
		return err
	}
	if found {
		return j.checkIdentity(sum)
	}
	j.origin = incarnation()
	j.incarnation, j.created = j.origin, j.o.Now().UnixMicro()
	return j.w.write(func() error {
		return j.w.exec("INSERT INTO journal VALUES (1, ?, ?, ?, ?, 0)", j.origin, j.incarnation, j.created, j.sum())
	})
}

func (j *journal) checkIdentity(sum []byte) error {
	if bytes.Equal(sum, j.sum()) {
		return nil
	}
	return fmt.Errorf("%s: %w: its first record", j.w.name, errDamaged)
}

// incarnation draws the part of the keys that tells one journal file from every other.
func incarnation() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// load reads the figures and the head of the chain.
func (j *journal) load() error {
	var last row
	found, err := j.w.row(selectRow+" ORDER BY seq DESC LIMIT 1", nil, last.dest()...)
	if err != nil {
		return err
	}
	if j.last, j.head = last.seq, last.hash; !found {
		j.last, j.head = 0, j.genesis()
	}
	_, err = j.w.row("SELECT coalesce(max(session), 0), coalesce(max(at) FILTER (WHERE clock <> ?), 0) FROM entry WHERE seq > ?",
		[]any{kiosk.ClockImpossible, j.old()}, &j.session, &j.newest)
	if err != nil {
		return err
	}
	_, err = j.w.row(`SELECT max(coalesce((SELECT max(change) FROM queue), 0),
		coalesce((SELECT max(change) FROM delivered), 0))`, nil, &j.change)
	return errors.Join(err, j.count())
}

// examinedAtOpen is how many entries, the youngest, are checked when the journal is opened. Older ones are
// checked when they are read.
const examinedAtOpen = 20_000

// old is the last entry that is not looked at when the journal is opened.
func (j *journal) old() uint64 {
	n := cmp.Or(j.o.examined, examinedAtOpen)
	return max(j.last, n) - n
}

// count takes the figures from the file.
func (j *journal) count() error {
	var queued, staff int
	_, err := j.w.row(`SELECT count(*) FILTER (WHERE state IN ('queued', 'attempting')),
		count(*) FILTER (WHERE state NOT IN ('queued', 'attempting')) FROM queue`, nil, &queued, &staff)
	if err != nil {
		return err
	}
	f := &j.figures
	f.Lock()
	defer f.Unlock()
	f.entries, f.queued, f.staff = j.last, queued, staff
	return nil
}

// readers are connections of their own for whoever reads the journal beside the loop. Each read is
// short, so that it does not hold up the checkpoints.
type readers struct {
	sync.Mutex
	path string
	db   *sql.DB
}

func newReaders(path string) *readers { return &readers{path: path} }

func (r *readers) open() (*sql.DB, error) {
	r.Lock()
	defer r.Unlock()
	if r.db != nil {
		return r.db, nil
	}
	db, err := sql.Open("sqlite", dsn(r.path, readKeys))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(r.path), err)
	}
	db.SetMaxOpenConns(2)
	r.db = db
	return db, nil
}

func (r *readers) close() error {
	r.Lock()
	defer r.Unlock()
	if r.db == nil {
		return nil
	}
	err := r.db.Close()
	r.db = nil
	return err
}
