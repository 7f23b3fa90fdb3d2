package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"circdesk/kiosk"

	lib "modernc.org/sqlite/lib"
)

// openJournal examines the journal before anybody relies on it, and opens it. One that is damaged is put
// aside with all its bytes and a new one begun. If none can be had, the desk can still read.
func (s *Store) openJournal() {
	j := s.journal
	j.turn.Lock()
	defer j.turn.Unlock()
	if err := j.recover(); err != nil {
		s.o.Log.Error("the journal cannot be opened", "error", err)
	}
}

// recover examines the file and opens it. turn is held.
func (j *journal) recover() error {
	err := cmpErr(j.survey(), j.start)
	if full(err) && !j.reserve {
		j.goToReserve()
		err = cmpErr(j.survey(), j.start)
	}
	if damaged(err) {
		err = cmpErr(j.putAside(err), j.start)
	}
	if err == nil {
		j.reserve = !j.ballast.take()
	}
	return err
}

// start opens the file for writing, holds it against what was promised, and proves that the disk takes it.
// turn is held.
func (j *journal) start() error {
	if _, err := j.ballast.room(); errors.Is(err, errReadOnly) {
		return err
	}
	if err := errors.Join(j.w.close(), j.marker.close()); err != nil {
		j.o.Log.Warn("the journal's old connection", "error", err)
	}
	if err := cmpErr(j.w.open(), func() error { return j.compare(j.promised) }); err != nil {
		return err
	}
	err := j.w.write(func() error { return j.w.exec("UPDATE journal SET proofs = proofs + 1") })
	if refuses(j.path, err) {
		return fmt.Errorf("%s: %w: %w", j.w.name, errDamaged, err)
	}
	if err != nil {
		return err
	}
	j.acknowledge()
	j.writable, j.rotten = true, nil
	return nil
}

// survey looks at the file before it is opened for writing, so that nothing in it has changed when it
// must be put aside. It is done once, however often it takes: a file that could not be looked at is not
// written to. turn is held.
func (j *journal) survey() error {
	if j.surveyed || j.o.trusting {
		return nil
	}
	err := j.look()
	switch {
	case errors.Is(err, errLost):
		err = j.loseTail(err)
	case damaged(err), code(err) == lib.SQLITE_ERROR: // a format that SQLite does not know, or tables that are not there
		err = j.putAside(err)
	}
	j.surveyed = err == nil
	return err
}

// look examines the file, read-only, and holds it against its mark.
func (j *journal) look() error {
	m, marked, err := j.marker.read()
	if err != nil {
		return err
	}
	if m.last+m.change > 0 {
		j.promised = m
	}
	switch began, err := j.began(); {
	case err != nil:
		return err
	case !began && marked && m.last+m.change > 0:
		return fmt.Errorf("%s: %w: the file is gone", j.w.name, errDamaged)
	case !began:
		return nil
	}
	// A journal of its own, so that nothing of the look remains.
	eye := newJournal(j.o, j.path)
	eye.w = newHeld(j.path, readKeys, nil)
	eye.w.opened = func() error {
		var version, tables int
		if _, err := eye.w.row("PRAGMA user_version", nil, &version); err != nil {
			return err
		}
		if _, err := eye.w.row("SELECT count(*) FROM sqlite_schema", nil, &tables); err != nil {
			return err
		}
		if version == 0 && tables == 0 && !(marked && m.last+m.change > 0) {
			return nil // it was cut off while it was made for the first time
		}
		return eye.study(m, marked)
	}
	return errors.Join(eye.w.open(), eye.close())
}

// began tells whether there is a file to look at.
func (j *journal) began() (bool, error) {
	info, err := os.Stat(j.path)
	log, logErr := os.Stat(j.path + "-wal")
	switch {
	case errors.Is(err, fs.ErrNotExist) && logErr != nil:
		return false, nil
	case errors.Is(err, fs.ErrNotExist) && log.Size() > 0, err == nil && info.Size() == 0 && logErr == nil && log.Size() > 0:
		return false, fmt.Errorf("%s: %w: a log without a file", j.w.name, errDamaged)
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if _, err := os.Stat(j.path + "-journal"); err == nil {
		return info.Size() > firstPage, j.unhook(info.Size())
	}
	return info.Size() > 0, nil
}

// unhook puts a rollback journal aside, which this journal never has once it has a table: SQLite would play
// it back into the file. Of a file that was cut off while it was made it stays: SQLite needs it.
func (j *journal) unhook(size int64) error {
	if size <= firstPage {
		return nil
	}
	j.o.Log.Error("the journal has a rollback journal that is not its own; it is put aside")
	folder, err := quarantineFor(j.path)
	err = cmpErr(err, func() error {
		return os.Rename(j.path+"-journal", filepath.Join(folder, stamp()+"-stray-journal"))
	})
	return cmpErr(err, func() error { return errors.Join(toDisk(folder), toDisk(filepath.Dir(j.path))) })
}

// firstPage is all that there is in the file until the first table is made.
const firstPage = 1024

// study reads everything once.
func (j *journal) study(m mark, marked bool) error {
	if err := j.familiar(); err != nil {
		return err
	}
	var sum []byte
	found, err := j.w.row("SELECT origin, incarnation, created, sum FROM journal", nil, &j.origin, &j.incarnation, &j.created, &sum)
	if err != nil || !found && !marked {
		return err
	}
	if err := cmpErr(j.checkIdentity(sum), j.load); err != nil {
		return err
	}
	if err := j.examine(); err != nil || !marked {
		return err
	}
	return j.compare(m)
}

// putAside keeps a damaged journal in the quarantine; the next start makes a new one. turn is held.
func (j *journal) putAside(cause error) error {
	j.o.Log.Error("the journal is damaged; it is put aside and a new one begun", "error", cause)
	if err := errors.Join(j.r.close(), j.w.close(), j.marker.close()); err != nil {
		j.o.Log.Warn("the damaged journal's connections", "error", err)
	}
	err := quarantine(j.path, string(kiosk.AlarmDamaged))
	if err == nil {
		j.promised, j.surveyed = mark{}, true // what comes next is new
	}
	return err
}

// loseTail goes on with a journal whose end is missing, under new keys: those of the lost entries were
// shown and may have been sent. A copy of what there is is kept first. turn is held.
func (j *journal) loseTail(cause error) error {
	j.o.Log.Error("the journal has lost its end; it goes on under new keys", "error", cause)
	if err := errors.Join(j.r.close(), j.w.close(), j.marker.close()); err != nil {
		j.o.Log.Warn("the journal's connections", "error", err)
	}
	if err := keepCopy(j.path, string(kiosk.AlarmLost)); err != nil {
		return err
	}
	if err := cmpErr(j.w.open(), j.renew); err != nil {
		return err
	}
	for range 2 { // both halves: of one that stays, nobody knows when it comes to the disk
		j.acknowledge()
	}
	if j.marker.f == nil {
		return nil // it could not be written, which is said; the old mark says the same again
	}
	return flush(j.marker.f)
}

// quarantined are the alarms for what lies in the quarantine: they stand until staff have taken it away.
func (s *Store) quarantined() []kiosk.Alarm {
	var all []kiosk.Alarm
	kept, err := os.ReadDir(filepath.Join(s.o.Folder, "quarantine"))
	if err != nil {
		return nil
	}
	for _, alarm := range []kiosk.Alarm{kiosk.AlarmDamaged, kiosk.AlarmLost} {
		if slices.ContainsFunc(kept, func(f os.DirEntry) bool { return strings.Contains(f.Name(), "-"+string(alarm)+"-") }) {
			all = append(all, alarm)
		}
	}
	return all
}

// Mend tries to get well: it reopens what is broken, finds out what stands in the journal, and proves
// with a write that the disk takes it. Stand tells afterwards. It costs nothing if all is well.
func (s *Store) Mend() {
	switch mended, err := s.journal.mend(); {
	case err != nil:
		s.o.Log.Warn("the journal still cannot be written", "error", err)
	case mended:
		s.o.Log.Info("the journal can be written again")
		if s.cache.behind.Load() {
			break
		}
		if err := s.cache.attach(s.journal); err != nil {
			s.cacheFailed("follow the journal", err)
		}
	}
	if s.cache.behind.Load() {
		s.mendCache()
	}
}

// mend makes the truth durable before anybody is told: the proof overwrites whatever a failed flush may
// have left behind, so that it cannot come back as a ghost after a power cut.
func (j *journal) mend() (mended bool, err error) {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.leaveReserve()
	if j.writable {
		return false, nil
	}
	err = j.mendNow()
	return err == nil, err
}

func (j *journal) mendNow() error {
	if !j.surveyed && !j.o.trusting {
		return j.recover()
	}
	if j.rotten != nil {
		if err := j.putAside(j.rotten); err != nil {
			return err
		}
		j.rotten = nil
	}
	err := j.start()
	switch {
	case full(err):
		j.goToReserve()
		err = j.start()
	case errors.Is(err, errLost):
		err = cmpErr(j.loseTail(err), j.start)
	}
	if damaged(err) {
		j.rotten = err
	}
	if err != nil {
		j.writable = false
	}
	return err
}

// Alarms are the standing troubles that the store has found.
func (s *Store) Alarms() []kiosk.Alarm {
	all := s.quarantined()
	if s.cache.remade.Load() {
		all = append(all, kiosk.AlarmRemade)
	}
	if s.Stand().Reserve {
		all = append(all, kiosk.AlarmDisk)
	}
	return all
}
