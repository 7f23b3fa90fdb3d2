package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// What a power cut leaves is taken from POSIX at its word: of a file what was written before its last
// fsync, of a folder the names that were there at its last fsync. Of everything younger any part, in any
// order, whole or torn between sectors. Content is told from names: a file is a number, and a name leads to it.

type opKind int

const (
	opWrite opKind = iota
	opTruncate
	opSync
	opName       // a name for a file; an older file of that name has none any more
	opRename     // from one name to another
	opUnlink     // of a name
	opSyncFolder // of the folder itself, not of those in it
)

// An op is something that was done to the disk.
type op struct {
	kind     opKind
	file     int
	name, to string // relative to the folder
	off      int64  // of a write; the new size of a truncate
	data     []byte
}

// inFolder tells whether a sync of the folder makes a name durable.
func (o op) inFolder() bool { return filepath.Base(o.name) == o.name }

// A disk is what lies on it.
type disk struct {
	files map[int][]byte
	names map[string]int
}

func (d disk) clone() disk {
	c := disk{files: make(map[int][]byte, len(d.files)), names: maps.Clone(d.names)}
	for n, b := range d.files {
		c.files[n] = append(make([]byte, 0, len(b)+4096), b...)
	}
	return c
}

// do applies an op as if nothing could go wrong.
func (d disk) do(o op) {
	switch o.kind {
	case opWrite:
		b := d.files[o.file]
		if end := int(o.off) + len(o.data); end > len(b) {
			b = append(b, make([]byte, end-len(b))...)
		}
		copy(b[o.off:], o.data)
		d.files[o.file] = b
	case opTruncate:
		b := d.files[o.file]
		if int(o.off) > len(b) {
			b = append(b, make([]byte, int(o.off)-len(b))...)
		}
		d.files[o.file] = b[:o.off]
	case opName:
		d.names[o.name] = o.file
	case opRename:
		if file, ok := d.names[o.name]; ok {
			delete(d.names, o.name)
			d.names[o.to] = file
		}
	case opUnlink:
		delete(d.names, o.name)
	}
}

// A crashImage is a folder: the names with the contents. No index of a log survives a power cut.
type crashImage map[string][]byte

func (d disk) image() crashImage {
	m := crashImage{}
	for name, file := range d.names {
		m[name] = d.files[file]
	}
	return m
}

// write makes an image the only thing in a folder.
func (m crashImage) write(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for name, b := range m {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, b, 0o600); err == nil {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (m crashImage) clone() crashImage {
	c := crashImage{}
	for name, b := range m {
		c[name] = slices.Clone(b)
	}
	return c
}

func (m crashImage) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, " %s:%d", name, len(m[name]))
	}
	return b.String()
}

// A recorder takes down what is done in a folder. What goes through SQLite it hears from the tap. What
// the store does by itself, with marks, snapshots and the quarantine, it sees when it looks at the folder
// before each op and each note. It cannot see an fsync of those: it believes that the folder was synced
// between a rename and the next op of SQLite, and else that nothing was, unless the store logs it.
type recorder struct {
	mu     sync.Mutex
	folder string
	was    disk // at the beginning
	now    disk
	ops    []op
	notes  []note
	nodes  map[uint64]int // inode -> file
	tapped map[int]bool   // by SQLite: nobody else may open them
	moved  bool           // a file was renamed, not by SQLite
	next   int
}

// recordFolder listens to a folder that nobody has open until stop is called.
func recordFolder(folder string) (*recorder, error) {
	theTap.install()
	r := &recorder{folder: folder, now: disk{map[int][]byte{}, map[string]int{}}, nodes: map[uint64]int{}, tapped: map[int]bool{}}
	if err := r.look(); err != nil {
		return nil, err
	}
	r.was, r.ops = r.now.clone(), nil
	theTap.folders.Store(folder, r)
	return r, nil
}

func (r *recorder) stop() { theTap.folders.Delete(r.folder) }

// add notes an op that the tap has seen.
func (r *recorder) add(o op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o.kind == opUnlink {
		r.do(o) // it has happened; or else look would see it
	}
	r.mustLook()
	if r.moved {
		r.do(op{kind: opSyncFolder})
		r.moved = false
	}
	if o.kind != opUnlink {
		r.do(o)
	}
}

func (r *recorder) do(o op) {
	r.now.do(o)
	r.ops = append(r.ops, o)
}

// opens looks for the last time at a file that SQLite is about to open.
func (r *recorder) opens() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustLook()
}

// opened is the number of a file that SQLite has opened.
func (r *recorder) opened(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if file, ok := r.now.names[name]; ok {
		r.tapped[file] = true
		return file
	}
	r.next++
	r.tapped[r.next] = true
	r.do(op{kind: opName, name: name, file: r.next})
	if info, err := os.Stat(filepath.Join(r.folder, name)); err == nil {
		r.nodes[inode(info)] = r.next
	}
	return r.next
}

// synced notes an fsync of a file or of the folder that did not go through SQLite.
func (r *recorder) synced(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustLook()
	if path == r.folder {
		r.do(op{kind: opSyncFolder})
		return
	}
	name, err := filepath.Rel(r.folder, path)
	if file, ok := r.now.names[name]; ok && err == nil {
		r.do(op{kind: opSync, file: file})
	}
}

func inode(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }

// note takes down what the desk was told, or has begun.
func (r *recorder) note(change func(*promise)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustLook()
	r.notes = append(r.notes, note{len(r.ops), change})
}

func (r *recorder) mustLook() {
	if err := r.look(); err != nil {
		panic(err)
	}
}

// look finds what was done without SQLite.
func (r *recorder) look() error {
	seen := map[string]bool{}
	err := filepath.WalkDir(r.folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasSuffix(path, "-shm") {
			return err
		}
		name, err := filepath.Rel(r.folder, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		seen[name] = true
		return r.compare(path, name, info)
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.now.names)) {
		if !seen[name] {
			r.do(op{kind: opUnlink, name: name})
		}
	}
	return nil
}

// compare notes how a name and its file differ from what they were.
func (r *recorder) compare(path, name string, info fs.FileInfo) error {
	file, known := r.nodes[inode(info)]
	if !known {
		r.next++
		file = r.next
		r.nodes[inode(info)] = file
	}
	if had, ok := r.now.names[name]; !ok || had != file {
		from := ""
		for old, f := range r.now.names {
			if _, err := os.Lstat(filepath.Join(r.folder, old)); f == file && err != nil {
				from = old
			}
		}
		if from != "" {
			r.do(op{kind: opRename, name: from, to: name, file: file})
			r.moved = true
		} else {
			r.do(op{kind: opName, name: name, file: file})
		}
	}
	if r.tapped[file] {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil || bytes.Equal(b, r.now.files[file]) {
		return err
	}
	r.rewritten(file, b)
	return nil
}

// rewritten notes the sectors of a file that have changed.
func (r *recorder) rewritten(file int, b []byte) {
	had := r.now.files[file]
	if len(b) < len(had) {
		r.do(op{kind: opTruncate, file: file, off: int64(len(b))})
	}
	for off := 0; off < len(b); off += sectorSize {
		end := min(off+sectorSize, len(b))
		if end <= len(had) && bytes.Equal(b[off:end], had[off:end]) {
			continue
		}
		r.do(op{kind: opWrite, file: file, off: int64(off), data: slices.Clone(b[off:end])})
	}
}

// A note is something that is true from a moment on.
type note struct {
	at     int // so many ops were done
	change func(*promise)
}

const sectorSize = 512

// A reel is what was recorded, and what of it a disk keeps.
type reel struct {
	name   string
	was    disk
	ops    []op
	notes  []note
	base   promise    // what was true at the beginning
	end    crashImage // what a kill at the end leaves
	killed bool       // there was one
	lies   bool       // planted: the disk says that it has synced, and has not
	syncs  []int      // where cuts are likely to hurt: behind syncs and notes
}

func (r *recorder) reel(name string, base promise) *reel {
	l := &reel{name: name, was: r.was, ops: r.ops, notes: r.notes, base: base, end: r.now.clone().image()}
	for i, o := range l.ops {
		if o.kind == opSync {
			l.syncs = append(l.syncs, i+1)
		}
	}
	for _, n := range l.notes {
		l.syncs = append(l.syncs, n.at)
	}
	return l
}

// cut draws the moment of a power cut: any, or one close behind a sync or a note.
func (l *reel) cut(rng *rand.Rand) int {
	if len(l.syncs) == 0 || rng.IntN(2) == 0 {
		return rng.IntN(len(l.ops) + 1)
	}
	return min(l.syncs[rng.IntN(len(l.syncs))]+rng.IntN(3), len(l.ops))
}

// promised is what must be true after a cut.
func (l *reel) promised(cut int) promise {
	p := l.base.clone()
	for _, n := range l.notes {
		if n.at <= cut {
			n.change(&p)
		}
	}
	return p
}

// durable is the disk with what was synced at the cut; young is what was not, by file and of names.
func (l *reel) durable(cut int) (d disk, young map[int][]op, names []op) {
	synced, folder := map[int]int{}, 0
	for i, o := range l.ops[:cut] {
		switch {
		case l.lies:
		case o.kind == opSync:
			synced[o.file] = i
		case o.kind == opSyncFolder:
			folder = i
		}
	}
	d, young = l.was.clone(), map[int][]op{}
	for i, o := range l.ops[:cut] {
		switch o.kind {
		case opWrite, opTruncate:
			if i < synced[o.file] {
				d.do(o)
			} else {
				young[o.file] = append(young[o.file], o)
			}
		case opName, opRename, opUnlink:
			if i < folder && o.inFolder() {
				d.do(o)
			} else {
				names = append(names, o)
			}
		}
	}
	return d, young, names
}

// image draws one of the disks that a cut may leave.
func (l *reel) image(cut int, rng *rand.Rand) crashImage {
	d, young, names := l.durable(cut)
	for _, file := range slices.Sorted(maps.Keys(young)) {
		for _, o := range survivors(young[file], rng) {
			d.do(o)
		}
	}
	for _, o := range named(names, rng) {
		d.do(o)
	}
	return d.image()
}

// named draws what remains of ops on names. Those on the same name happen in their order: none is left out
// of which a later one remains.
func named(names []op, rng *rand.Rand) []op {
	keep := rng.Float64()
	switch rng.IntN(4) {
	case 0:
		return nil
	case 1:
		return names
	case 2: // as file systems with a journal do
		return names[:rng.IntN(len(names)+1)]
	}
	var kept []op
	later := map[string]bool{}
	for _, o := range slices.Backward(names) {
		if later[o.name] || later[o.to] || rng.Float64() < keep {
			later[o.name] = true
			if o.to != "" {
				later[o.to] = true
			}
			kept = append(kept, o)
		}
	}
	slices.Reverse(kept)
	return kept
}

// survivors draws what remains of ops on one file that were not synced.
func survivors(young []op, rng *rand.Rand) []op {
	keep, rot := rng.Float64(), 0.0
	switch rng.IntN(6) {
	case 0:
		return nil
	case 1:
		return young
	case 2:
		return young[:rng.IntN(len(young)+1)]
	case 3:
		return slices.DeleteFunc(slices.Clone(young), func(op) bool { return rng.Float64() > keep })
	case 4:
		rot = 0.05 // some sectors hold neither what was there nor what was written
	}
	torn := tear(young, keep, rot, rng)
	if rng.IntN(2) == 0 {
		rng.Shuffle(len(torn), func(i, j int) { torn[i], torn[j] = torn[j], torn[i] })
	}
	return torn
}

// tear splits writes between sectors and loses some of the parts.
func tear(young []op, keep, rot float64, rng *rand.Rand) []op {
	var parts []op
	for _, o := range young {
		if o.kind != opWrite {
			if rng.Float64() < keep {
				parts = append(parts, o)
			}
			continue
		}
		for from := 0; from < len(o.data); {
			to := min(len(o.data), from+sectorSize-int(o.off+int64(from))%sectorSize)
			part := op{kind: opWrite, file: o.file, off: o.off + int64(from), data: o.data[from:to]}
			from = to
			switch {
			case rng.Float64() > keep:
				continue
			case rng.Float64() < rot:
				part.data = slices.Clone(part.data)
				for i := range part.data {
					part.data[i] = byte(rng.Uint32())
				}
			}
			parts = append(parts, part)
		}
	}
	return parts
}
