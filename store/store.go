// Package store keeps what happened and what is decided from: journal.db, the truth, and cache.db,
// which can be rebuilt from the last snapshot of the library system and the journal.
//
// It knows SQLite, files and disks, and what they do when they fail. It refuses to know policy: what may
// be borrowed is decided in kiosk, and how an entry reaches the library system in kiosk/ils.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"circdesk/kiosk"
)

// Options say where and for whom a Store keeps its files.
type Options struct {
	Folder    string               // where the files are; made if it is not there
	Kiosk     string               // the kiosk's id, the beginning of every key
	Site      string               // the school's id
	Zone      *time.Location       // of the site; nil: UTC
	Delivers  bool                 // a library system takes entries; if not, they are confirmed when written
	Retention time.Duration        // after which names fade; 0: 24 h
	Boot      string               // boot id of the machine
	SinceBoot func() time.Duration // by CLOCK_BOOTTIME; nil: unknown
	Now       func() time.Time     // nil: time.Now
	Log       *slog.Logger         // nil: nobody reads it
	Ballast   int64                // bytes kept free for returns when the disk is full; 0: 16 MiB
	NoTags    bool                 // the desk reads no tags: what is to be done to them is not kept

	// Card makes the keyed digest of a card chip's number, as it stands in files of cards; nil: files
	// tell of no cards.
	Card func(uid string) kiosk.Credential
	// ReadCard makes Card's uid of a number as a file has it, in the first of the notations that fits; a reason
	// says why it is none. nil: the file has the uid itself.
	ReadCard func(written string, notations []string) (uid, reason string)

	// PIN makes the keyed digest of a patron's PIN; nil: the desk knows no PINs.
	PIN func(patron, pin string) string

	journalSteps []string // for tests: the journal's schema of another version of the program

	examined uint64 // for tests: how many entries are checked at Open; 0: examinedAtOpen
	trusting bool   // a defect for the harness: what is in the files is believed
}

func (o Options) complete() Options {
	o.Zone = cmp.Or(o.Zone, time.UTC)
	o.Retention = cmp.Or(o.Retention, 24*time.Hour)
	o.Ballast = cmp.Or(o.Ballast, 16<<20)
	if o.SinceBoot == nil {
		o.SinceBoot = func() time.Duration { return 0 }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// What callers tell apart.
var (
	// ErrUnknown: nobody knows whether what was to be written stands in the journal. It is never
	// "failed": Stand tells once the journal can be written again.
	ErrUnknown = errors.New("outcome unknown")

	// ErrNotWritable: the journal takes nothing at the moment; nothing was written.
	ErrNotWritable = errors.New("journal cannot be written")

	// ErrOtherAct: the key stands in the journal with another act.
	ErrOtherAct = errors.New("key is taken by another act")

	// ErrNewer: a newer program has written the file.
	ErrNewer = errors.New("written by a newer program")

	errSetting = errors.New("setting not in force")
	errNotOpen = errors.New("not open")
)

// A Store is the kiosk's journal and cache. Stand, LastSession, Find, CheckPIN, Record, Follow, Mend and Alarms belong to
// one goroutine, the loop's; everything else may be called from any.
type Store struct {
	o          Options
	journal    *journal
	cache      *cache
	added      chan struct{}  // holds one token when there is something new to deliver
	taking     chan struct{}  // holds one token while a file is imported, the cache made anew, or names fade
	work       sync.WaitGroup // the rebuilding of the cache, which stop cuts short
	rebuilding atomic.Bool
	stopped    context.Context
	stop       context.CancelFunc
	unwiped    bool // names that have faded may stand in the logs; who holds taking may ask

	recorded []row // in the journal, and not yet in the cache; the loop's own
	stale    bool  // there are such, or there may be
}

// Open recovers what is there, makes what is missing and brings the cache up to the journal. A journal
// that cannot be written is no error, Stand tells; an error means that nothing can be served.
func Open(o Options) (*Store, error) {
	o = o.complete()
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("state folder %q: %w", o.Folder, err)
	}
	if err := finishRestore(o.Folder); err != nil {
		return nil, err
	}
	if _, err := theFeeds(); err != nil { // here, where nobody opens a connection: the driver has no lock for it
		return nil, err
	}
	s := &Store{o: o, added: make(chan struct{}, 1), taking: make(chan struct{}, 1)}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.journal = newJournal(&s.o, filepath.Join(o.Folder, "journal.db"))
	s.cache = newCache(&s.o, filepath.Join(o.Folder, "cache.db"))
	s.unwiped = s.o.logged()
	s.openJournal()
	s.openCache()
	s.wake()
	return s, nil
}

// Close ends all connections. Nothing may be under way.
func (s *Store) Close() error {
	s.stop()
	s.work.Wait()
	return errors.Join(s.cache.close(), s.journal.close())
}

// Stand is where the journal stands, as the disk is now, and whether anything is found.
func (s *Store) Stand() kiosk.JournalIs {
	j := s.journal
	j.turn.Lock()
	defer j.turn.Unlock()
	j.tight()
	return kiosk.JournalIs{Writable: j.writable, Reserve: j.reserve, NoCache: s.cache.behind.Load(), Prefix: j.prefix(), Next: j.last + 1}
}

// LastSession is the highest session number in the journal.
func (s *Store) LastSession() uint64 {
	s.journal.turn.Lock()
	defer s.journal.turn.Unlock()
	return s.journal.session
}

// Newest is the latest believable time of an entry; zero if there is none.
func (s *Store) Newest() time.Time {
	s.journal.turn.Lock()
	defer s.journal.turn.Unlock()
	if s.journal.newest == 0 {
		return time.Time{}
	}
	return time.UnixMicro(s.journal.newest).In(s.o.Zone)
}

// Added tells, by one value for any number of entries, that there is something new to deliver.
func (s *Store) Added() <-chan struct{} { return s.added }

func (s *Store) wake() {
	select {
	case s.added <- struct{}{}:
	default:
	}
}

// Counts are the entries, those on their way to the library system, and those that need staff.
func (s *Store) Counts() (entries uint64, queued, needsStaff int) {
	f := &s.journal.figures
	f.Lock()
	defer f.Unlock()
	return f.entries, f.queued, f.staff
}
