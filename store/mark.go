package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// A mark is the second record of where the journal ends. SQLite takes a log that was cut off or does not
// check for one that ends there; the mark tells that acknowledged entries are missing.
//
// It is written after each commit, into the file's two halves in turn, and never flushed by itself: it
// costs no flush, a kill cannot lose it, and after a power cut it is at worst older than the journal, never
// younger. A younger one is proof that the disk has lost what it had promised.
type mark struct {
	origin string // of the chain
	last   uint64 // the last entry that was acknowledged,
	head   []byte // its hash,
	change uint64 // and the last change of a delivery
}

const markSize = 512 // of each half: one sector

// beyond tells whether m is of a later moment than n.
func (m mark) beyond(n mark) bool { return m.last > n.last || m.change > n.change }

func (m mark) encode() []byte {
	b := appendText(nil, m.origin, string(m.head))
	b = binary.BigEndian.AppendUint64(b, m.last)
	b = binary.BigEndian.AppendUint64(b, m.change)
	sum := sha256.Sum256(b)
	b = append(sum[:], b...)
	return append(b, make([]byte, markSize-len(b))...)
}

// decodeMark reads one half; false if it is torn, or never was written.
func decodeMark(b []byte) (m mark, ok bool) {
	if len(b) != markSize {
		return mark{}, false
	}
	text := func(p []byte) (string, []byte) {
		n, w := binary.Uvarint(p)
		if w <= 0 || n > uint64(len(p)-w) {
			return "", nil
		}
		return string(p[w:][:n]), p[w:][n:]
	}
	rest := b[sha256.Size:]
	m.origin, rest = text(rest)
	head, rest := text(rest)
	if len(rest) < 16 {
		return mark{}, false
	}
	m.head = []byte(head)
	m.last, m.change = binary.BigEndian.Uint64(rest), binary.BigEndian.Uint64(rest[8:])
	if !bytes.Equal(m.encode(), b) {
		return mark{}, false // what a torn one says is believed by nobody
	}
	return m, true
}

// A marker is the file of the mark.
type marker struct {
	path string
	f    *os.File
	half int64
}

// read is the later of the two halves; false if there is none.
func (k *marker) read() (mark, bool, error) {
	b, err := os.ReadFile(k.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, err
	}
	b = append(b, make([]byte, max(0, 2*markSize-len(b)))...)
	m, ok := decodeMark(b[:markSize])
	if n, also := decodeMark(b[markSize:][:markSize]); also && (!ok || n.beyond(m)) {
		m, ok = n, true
	}
	return m, ok, nil
}

// write replaces the older half.
func (k *marker) write(m mark) error {
	if k.f == nil {
		f, err := os.OpenFile(k.path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		k.f = f
	}
	k.half = 1 - k.half
	if _, err := k.f.WriteAt(m.encode(), k.half*markSize); err != nil {
		return fmt.Errorf("the journal's mark: %w", err)
	}
	return nil
}

func (k *marker) close() error {
	if k.f == nil {
		return nil
	}
	err := k.f.Close()
	k.f = nil
	return err
}

// errLost: acknowledged entries are missing at the end.
var errLost = errors.New("acknowledged entries are missing")

// compare holds the journal against its mark.
func (j *journal) compare(m mark) error {
	switch {
	case m.origin == "":
		return nil // nothing was promised yet
	case m.origin != j.origin:
		return fmt.Errorf("%s: %w: it is of origin %q, not of %q", j.w.name, errDamaged, j.origin, m.origin)
	case m.last > j.last:
		return fmt.Errorf("%s: %w: it ends at entry %d, not at %d", j.w.name, errLost, j.last, m.last)
	case m.change > j.change:
		return fmt.Errorf("%s: %w: deliveries end at change %d, not at %d", j.w.name, errLost, j.change, m.change)
	case m.last == 0:
		return nil
	}
	var hash []byte
	_, err := j.w.row("SELECT hash FROM entry WHERE seq = ?", []any{m.last}, &hash)
	if err == nil && !bytes.Equal(hash, m.head) {
		err = fmt.Errorf("%s: %w: entry %d is another one", j.w.name, errDamaged, m.last)
	}
	return err
}

// acknowledge moves the mark to where the journal ends. A mark that cannot be written is only less help.
func (j *journal) acknowledge() {
	j.promised = mark{j.origin, j.last, j.head, j.change}
	if err := j.marker.write(j.promised); err != nil {
		j.o.Log.Warn("the journal's mark", "error", err)
	}
}
