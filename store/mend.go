package store

import (
	"slices"

	"circdesk/kiosk"
)

// Mend tries to get well: it reopens what is broken, finds out what stands in the journal, and proves
// with a write that the disk takes it. Stand tells afterwards. It costs nothing if all is well.
func (s *Store) Mend() {
	if err := s.journal.mend(); err != nil {
		s.o.Log.Warn("the journal still cannot be written", "error", err)
	}
	if s.cache.behind.Load() {
		if err := s.mendCache(); err != nil {
			s.o.Log.Warn("the cache still cannot be used", "error", err)
		}
	}
}

// mend makes the truth durable before anybody is told: the proof overwrites whatever a failed flush may
// have left behind, so that it cannot come back as a ghost after a power cut.
func (j *journal) mend() error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if j.writable {
		return nil
	}
	if err := j.w.close(); err != nil {
		j.o.Log.Warn("the journal's old connection", "error", err)
	}
	if err := j.w.open(); err != nil {
		return err
	}
	if err := j.w.write(func() error { return j.w.exec("UPDATE journal SET proofs = proofs + 1") }); err != nil {
		return err
	}
	j.writable = true
	return nil
}

func (s *Store) mendCache() error {
	c := s.cache
	if err := c.close(); err != nil {
		s.o.Log.Warn("the cache's old connection", "error", err)
	}
	if err := c.open(s.journal); err != nil {
		return err
	}
	c.behind.Store(false)
	return nil
}

// Alarms are the standing troubles that the store has found.
func (s *Store) Alarms() []kiosk.Alarm {
	s.alarms.Lock()
	defer s.alarms.Unlock()
	return slices.Clone(s.alarms.list)
}
