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
// A folder is a name too, and what is in it is lost with it.

type opKind int

const (
	opWrite opKind = iota
	opTruncate
	opSync
	opName       // a name for a file; an older file of that name has none any more
	opRename     // from one name to another
	opUnlink     // of a name
	opSyncFolder // of the folder of that name, not of those in it
)

// aFolder is the file that the name of a folder leads to.
const aFolder = 0

// An op is something that was done to the disk.
type op struct {
	kind     opKind
	file     int
	name, to string // relative to the folder
	off      int64  // of a write; the new size of a truncate
	data     []byte
}

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
		if in := filepath.Dir(name); file != aFolder && (in == "." || d.has(in)) {
			m[name] = d.files[file]
		}
	}
	return m
}

func (d disk) has(name string) bool {
	_, ok := d.names[name]
	return ok
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
// before each op and each note. Of each fsync of those it hears from the store; what it has not heard of,
// was not made.
type recorder struct {
	mu     sync.Mutex
	folder string
	was    disk // at the beginning
	now    disk
	ops    []op
	notes  []note
	nodes  map[uint64]int // inode -> file
	tapped map[int]bool   // by SQLite: nobody else may open them
	next   int
	skips  func(name string) bool // planted: of these there is no fsync; nil: of all
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
	if o.kind != opUnlink && (o.kind != opSync || !r.skipped(o.name)) {
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

// synced notes an fsync that did not go through SQLite, of a name in the folder or of the folder itself.
func (r *recorder) synced(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mustLook()
	if r.skipped(name) {
		return
	}
	switch file, ok := r.now.names[name]; {
	case name == ".", ok && file == aFolder:
		r.do(op{kind: opSyncFolder, name: name})
	case ok:
		r.do(op{kind: opSync, file: file})
	}
}

func (r *recorder) skipped(name string) bool { return r.skips != nil && r.skips(name) }

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
	found := map[string]int{}
	err := filepath.WalkDir(r.folder, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has gone meanwhile
		}
		name, relErr := filepath.Rel(r.folder, path)
		if err := errors.Join(err, relErr); err != nil || name == "." || strings.HasSuffix(path, "-shm") {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			found[name] = r.number(info)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.rename(found)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if err := r.compare(name, found[name]); err != nil {
			return err
		}
	}
	return nil
}

// number is the file that an inode is.
func (r *recorder) number(info fs.FileInfo) int {
	if info.IsDir() {
		return aFolder
	}
	file, known := r.nodes[inode(info)]
	if !known {
		r.next++
		file = r.next
		r.nodes[inode(info)] = file
	}
	return file
}

// rename notes how the names have changed. Of names that have moved on in a row the last one was the first
// to move: each finds its new place left.
func (r *recorder) rename(found map[string]int) {
	var fresh []string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if file, ok := r.now.names[name]; !ok || file != found[name] {
			fresh = append(fresh, name)
		}
	}
	for len(fresh) > 0 {
		i := max(0, slices.IndexFunc(fresh, func(name string) bool {
			there, ok := r.now.names[name]
			return !ok || !slices.ContainsFunc(fresh, func(other string) bool { return found[other] == there })
		}))
		name := fresh[i]
		fresh = slices.Delete(fresh, i, i+1)
		o := op{kind: opName, name: name, file: found[name]}
		for old, file := range r.now.names {
			if file == o.file && file != aFolder && found[old] != file {
				o = op{kind: opRename, name: old, to: name, file: file}
			}
		}
		r.do(o)
	}
	for _, name := range slices.Sorted(maps.Keys(r.now.names)) {
		if _, ok := found[name]; !ok {
			r.do(op{kind: opUnlink, name: name})
		}
	}
}

// compare notes how the content of a file differs from what it was.
func (r *recorder) compare(name string, file int) error {
	if file == aFolder || r.tapped[file] {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(r.folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the next look sees where it went
	}
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
		if o.kind == opSync || o.kind == opSyncFolder {
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
	files, folders := map[int]int{}, map[string]int{}
	for i, o := range l.ops[:cut] {
		switch {
		case l.lies:
		case o.kind == opSync:
			files[o.file] = i
		case o.kind == opSyncFolder:
			folders[o.name] = i
		}
	}
	d, young = l.was.clone(), map[int][]op{}
	for i, o := range l.ops[:cut] {
		switch o.kind {
		case opWrite, opTruncate:
			if i < files[o.file] {
				d.do(o)
			} else {
				young[o.file] = append(young[o.file], o)
			}
		case opName, opRename, opUnlink:
			synced := func(name string) bool { return i < folders[filepath.Dir(name)] }
			for _, part := range o.parts(synced) {
				if synced(part.name) {
					d.do(part)
				} else {
					names = append(names, part)
				}
			}
		}
	}
	return d, young, names
}

// parts are what an op consists of: a rename is one thing until a folder is synced, which makes the name
// durable that has come into it, or the going of the one that was there, and says nothing of the other.
func (o op) parts(synced func(name string) bool) []op {
	if o.kind != opRename || !synced(o.name) && !synced(o.to) {
		return []op{o}
	}
	return []op{{kind: opName, name: o.to, file: o.file}, {kind: opUnlink, name: o.name}}
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
