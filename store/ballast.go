package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"circdesk/kiosk"

	"golang.org/x/sys/unix"
)

// ErrReserve: the disk is nearly full, and what room there is is kept for returns. Nothing was written.
var ErrReserve = errors.New("the disk is nearly full: returns only")

// A ballast is a file that holds room on the disk for returns. A full disk cannot even delete rows, but
// it can delete a file.
type ballast struct {
	path string
	size int64
}

func (o Options) ballast() ballast { return ballast{filepath.Join(o.Folder, "ballast"), o.Ballast} }

// low is how little room may be left before the ballast is thrown off.
func (b ballast) low() int64 { return b.size / 8 }

// errReadOnly: the kernel has made the disk read-only. Files that are open still seem to take what is written
// to them, and ext4 then says of each that it is flushed.
var errReadOnly = errors.New("the disk is read-only")

// room is what is free on the disk.
func (b ballast) room() (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(b.path), &s); err != nil {
		return 0, err
	}
	if s.Flags&unix.ST_RDONLY != 0 {
		return 0, errReadOnly
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // int32 on 32-bit machines
}

// spare tells whether something may be written that is as large as this, and the journal still has room.
func (b ballast) spare(size int64) error {
	if room, err := b.room(); err == nil && room < size+2*b.low() {
		return errNoRoom
	}
	return nil
}

// aboard tells whether the room is held.
func (b ballast) aboard() bool {
	info, err := os.Stat(b.path)
	return err == nil && info.Size() == b.size
}

// take holds the room, if more than that is free; false if not.
func (b ballast) take() bool {
	if b.aboard() {
		return true
	}
	room, err := b.room()
	if err != nil || room < b.size+2*b.low() {
		return false
	}
	f, err := os.Create(b.path)
	if err != nil {
		return false
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, b.size)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		err = fill(f, b.size)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = b.throw() // better none than a part
		return false
	}
	return true
}

// fill writes real bytes, where the file system cannot only set room aside.
func fill(f *os.File, size int64) error {
	some := make([]byte, 1<<16)
	for size > 0 {
		n, err := f.Write(some[:min(size, int64(len(some)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// throw gives the room back.
func (b ballast) throw() error {
	if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tight looks at the disk: it goes into reserve when there is little room left, and takes nothing more on
// one that is read-only. turn is held.
func (j *journal) tight() {
	switch room, err := j.ballast.room(); {
	case errors.Is(err, errReadOnly) && j.writable:
		j.o.Log.Error("nothing is taken any more", "error", j.failed(err))
	case err == nil && room < j.ballast.low():
		j.goToReserve()
	}
}

// goToReserve throws the ballast off: what is free now is for returns. turn is held.
func (j *journal) goToReserve() {
	if j.reserve {
		return
	}
	j.reserve = true
	if err := j.ballast.throw(); err != nil {
		j.o.Log.Error("the ballast cannot be thrown off", "error", err)
	}
	j.o.Log.Error("the disk is nearly full: only returns are taken")
}

// makeRoom is goToReserve for whoever does not hold turn.
func (j *journal) makeRoom() {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.goToReserve()
}

// leaveReserve takes the ballast aboard again once there is room. turn is held.
func (j *journal) leaveReserve() {
	if j.reserve && j.ballast.take() {
		j.reserve = false
		j.o.Log.Info("there is room on the disk again")
	}
}

// inReserve tells whether acts may use the room that is kept: what brings a book home.
func inReserve(acts []kiosk.Act) bool {
	for _, a := range acts {
		switch a.Kind {
		case kiosk.KindReturn, kiosk.KindTagSet, kiosk.KindTagCleared, kiosk.KindTagFailed:
		default:
			return false
		}
	}
	return true
}
