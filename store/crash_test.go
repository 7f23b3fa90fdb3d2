package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"

	"circdesk/kiosk"
)

const (
	crashImages = "CIRCDESK_CRASH"      // how many images are built
	crashSeed   = "CIRCDESK_CRASH_SEED" // SEED repeats a run, SEED/IMAGE one image of it
)

// shelf is a folder in memory, if the machine has one: nothing here asks a real disk.
func shelf(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "crash")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shoot records a story that begins with an image. A desk that is not closed at its end is killed.
func shoot(folder, name string, m crashImage, p promise, story func(*teller), w teller) (*reel, error) {
	if err := m.write(folder); err != nil {
		return nil, err
	}
	var err error
	if w.r, err = recordFolder(folder); err != nil {
		return nil, err
	}
	w.now, w.r.skips, w.steps = monday.Add(time.Hour), w.skips, p.steps
	story(&w)
	w.r.stop()
	l := w.r.reel(name, p)
	if l.killed = w.Store != nil && w.journal.w.db != nil; l.killed {
		w.then(w.Store.Close)
	}
	if w.err != nil {
		w.err = fmt.Errorf("%s: %w", name, w.err)
	}
	return l, w.err
}

// film records all stories, and what follows from the ends of some.
func film(folder string) ([]*reel, error) {
	var all []*reel
	for _, name := range slices.Sorted(maps.Keys(crashStories)) {
		l, err := shoot(folder, name, crashImage{}, blank(), crashStories[name], teller{})
		if err != nil {
			return nil, err
		}
		all = append(all, l)
		if l.killed {
			if l, err = shoot(folder, "a kill after "+name, l.end, l.promised(len(l.ops)), comeBack, teller{}); err != nil {
				return nil, err
			}
			all = append(all, l)
		}
	}
	for _, damage := range []func(string, []*reel, teller) (*reel, error){rotten, shortened, replaced} {
		l, err := damage(folder, all, teller{hurt: true})
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// rotten is the story of a journal in which a byte is wrong: it is put aside and another one begun.
func rotten(folder string, all []*reel, w teller) (*reel, error) {
	i := slices.IndexFunc(all, func(l *reel) bool { return l.name == "restarts" })
	m := all[i].end.clone()
	db := m["journal.db"]
	db[bytes.LastIndex(db, []byte("LIB-1-"))] ^= 1
	p := blank()
	p.kept = [][]byte{db}
	return shoot(folder, "a damaged journal", m, p, comeBack, w)
}

// shortened is the story of a log that has lost its end: what is there goes on under other keys.
func shortened(folder string, all []*reel, w teller) (*reel, error) {
	i := slices.IndexFunc(all, func(l *reel) bool { return l.name == "a kill after checkpoints" })
	p := all[i].promised(len(all[i].ops))
	m := all[i].end.clone()
	const header, frame = 32, 24 + 1024
	for there := p.acked; there == p.acked; {
		log := m["journal.db-wal"]
		if len(log) < header+frame {
			return nil, errors.New("the log has nothing to lose")
		}
		m["journal.db-wal"] = log[:len(log)-frame]
		var err error
		if there, err = lastOf(folder, m); err != nil {
			return nil, err
		}
		p.begun = there
	}
	p.acked, p.kept = p.begun, [][]byte{}
	return shoot(folder, "a journal without its end", m, p, comeBack, w)
}

// replaced is the story of a backup that takes the place of a journal which has gone on. Half-way there may
// be neither: then it is to be restored again.
func replaced(folder string, all []*reel, w teller) (*reel, error) {
	i := slices.IndexFunc(all, func(l *reel) bool { return l.name == "a backup" })
	p := all[i].promised(len(all[i].ops))
	p.acked, p.kept = 0, [][]byte{}
	return shoot(folder, "a restored backup", all[i].end, p, func(w *teller) {
		w.then(func() error { return Restore(filepath.Join(folder, "backup.db"), folder) })
		w.r.note(func(p *promise) { p.acked = p.backup })
		comeBack(w)
	}, w)
}

// lastOf is the last entry that the store finds in an image.
func lastOf(folder string, m crashImage) (uint64, error) {
	if err := m.write(folder); err != nil {
		return 0, err
	}
	o, _ := crashOptions(folder)
	s, err := Open(o)
	if err != nil {
		return 0, err
	}
	return s.Stand().Next - 1, s.Close()
}

// An explorer looks at what power cuts leave of the reels.
type explorer struct {
	seed    uint64
	reels   []*reel
	folders []string // one for each worker
	hash    maphash.Seed
	try     func(promise, string, crashImage) error
	log     func(format string, args ...any)

	mu     sync.Mutex
	seen   map[uint64]bool // images that were opened: a second one that is the same byte for byte tells nothing
	drawn  uint64
	images int // all of them
	wanted int
	enough int // so many that are wrong end it
	found  []error
}

func newExplorer(t testing.TB, seed uint64, wanted int) *explorer {
	x := &explorer{seed: seed, wanted: wanted, enough: 5, hash: maphash.MakeSeed(), try: promise.survives, log: t.Logf, seen: map[uint64]bool{}}
	dir := shelf(t)
	for i := range runtime.GOMAXPROCS(0) {
		x.folders = append(x.folders, filepath.Join(dir, fmt.Sprint(i)))
	}
	return x
}

// explore draws images until there were enough, or too many of them are wrong.
func (x *explorer) explore() {
	var all sync.WaitGroup
	for _, folder := range x.folders {
		all.Go(func() {
			for n, ok := x.draw(); ok; n, ok = x.draw() {
				x.look(folder, n)
			}
		})
	}
	all.Wait()
}

// draw is the number of the next image.
func (x *explorer) draw() (uint64, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drawn++
	return x.drawn, x.images < x.wanted && len(x.found) < x.enough
}

// reel draws a reel, a long one more often.
func (x *explorer) reel(rng *rand.Rand) *reel {
	weight := func(l *reel) int { return len(l.ops) + 100 }
	all := 0
	for _, l := range x.reels {
		all += weight(l)
	}
	n := rng.IntN(all)
	i := slices.IndexFunc(x.reels, func(l *reel) bool {
		n -= weight(l)
		return n < 0
	})
	return x.reels[i]
}

// look builds one image, and sometimes those that a second cut may leave of it.
func (x *explorer) look(folder string, n uint64) {
	rng := rand.New(rand.NewPCG(x.seed, n))
	l := x.reel(rng)
	cut := l.cut(rng)
	m, p := l.image(cut, rng), l.promised(cut)
	if x.known(l, p, m) {
		return
	}
	err := x.try(p, folder, m)
	if err == nil && n%64 == 0 {
		err = x.second(folder, m, p, rng)
	}
	if err != nil {
		err = fmt.Errorf("%s=%d/%d: %s, cut at %d of %d,%v: %w", crashSeed, x.seed, n, l.name, cut, len(l.ops), m, err)
		x.mu.Lock()
		defer x.mu.Unlock()
		x.found = append(x.found, err)
	}
}

// second cuts the power again while the desk comes back.
func (x *explorer) second(folder string, m crashImage, p promise, rng *rand.Rand) error {
	l, err := shoot(folder+"-again", "second cut", m, p, comeBack, teller{hurt: p.kept != nil})
	if err != nil {
		return err
	}
	for range 16 {
		cut := l.cut(rng)
		m, p := l.image(cut, rng), l.promised(cut)
		if x.known(l, p, m) {
			continue
		}
		if err := x.try(p, folder, m); err != nil {
			return fmt.Errorf("second cut at %d of %d,%v: %w", cut, len(l.ops), m, err)
		}
	}
	return nil
}

// known tells whether an image that must keep the same promise was looked at before.
func (x *explorer) known(l *reel, p promise, m crashImage) bool {
	var h maphash.Hash
	h.SetSeed(x.hash)
	fmt.Fprintf(&h, "%p %v", l, p)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		_ = binary.Write(&h, binary.LittleEndian, []int64{int64(len(name)), int64(len(m[name]))})
		_, _ = h.WriteString(name)
		_, _ = h.Write(m[name])
	}
	sum := h.Sum64()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.images++; x.images%50_000 == 0 {
		x.log("%d images, %d different ones, %d failures", x.images, len(x.seen), len(x.found))
	}
	known := x.seen[sum]
	x.seen[sum] = true
	return known
}

// survives opens an image and sees what the promise is worth.
func (p promise) survives(folder string, m crashImage) error {
	if err := m.write(folder); err != nil {
		return err
	}
	if err := p.check(folder); err != nil {
		return err
	}
	if err := p.quarantined(folder); err != nil {
		return err
	}
	return p.backedUp(folder, folder+"-restored")
}

// seedAndImage is what is asked for; image 0 is all of them.
func seedAndImage(t *testing.T) (seed, n uint64) {
	seed = uint64(time.Now().UnixNano()) % 1e9
	asked := os.Getenv(crashSeed)
	if asked == "" {
		return seed, 0
	}
	first, second, _ := strings.Cut(asked, "/")
	var errs [2]error
	seed, errs[0] = strconv.ParseUint(first, 10, 64)
	n, errs[1] = strconv.ParseUint(cmp.Or(second, "0"), 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return seed, n
}

func TestNoPowerCutLosesWhatWasAcknowledged(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1) // so that a seed draws the same images again
	wanted, err := strconv.Atoi(cmp.Or(os.Getenv(crashImages), fmt.Sprint(crashInCI)))
	if err != nil {
		t.Fatal(err)
	}
	seed, only := seedAndImage(t)
	x := newExplorer(t, seed, wanted)
	if x.reels, err = film(filepath.Join(shelf(t), "story")); err != nil {
		t.Fatal(err)
	}
	for _, l := range x.reels {
		t.Logf("%s: %d ops, %d notes", l.name, len(l.ops), len(l.notes))
	}
	began := time.Now()
	if only > 0 {
		x.look(x.folders[0], only)
	} else {
		x.explore()
	}
	for _, err := range x.found {
		t.Error(err)
	}
	took := time.Since(began).Seconds()
	t.Logf("crash: %d images, of which %d are different, in %.0f s, %.0f images/s, %d failures, seed %d",
		x.images, len(x.seen), took, float64(x.images)/took, len(x.found), seed)
}

// The planted defects. Each must cost what was promised within 1,000 images.
var crashDefects = map[string]struct {
	film        func(folder string, w teller) (*reel, error)
	w           teller
	lies, plain bool
	costs       error
}{
	"acknowledged before the commit": {film: acts, w: teller{early: true}, costs: errGoneAct},
	"a disk that lies about syncs":   {film: acts, lies: true, costs: errGoneAct},
	"WAL and NORMAL": {film: acts, w: teller{plant: func(s *Store) error {
		return s.journal.w.once("PRAGMA synchronous = NORMAL")
	}}, costs: errGoneAct},
	// The store does not trust a journal that is not in WAL mode, so SQLite alone opens these.
	"DELETE and FULL": {film: acts, w: teller{plant: func(s *Store) error {
		if err := s.journal.r.close(); err != nil {
			return err
		}
		var mode string
		if _, err := s.journal.w.row("PRAGMA journal_mode = DELETE", nil, &mode); err != nil || mode != "delete" {
			return fmt.Errorf("journal mode %q, %w", mode, err)
		}
		return nil
	}}, plain: true, costs: errGoneAct},
	"a file acknowledged before the swap": {film: told("imports"), w: teller{early: true}, costs: errGoneFile},
	"a snapshot without fsync":            {film: told("imports"), w: teller{skips: only("snapshots/*.part")}, costs: errGoneFile},
	"snapshots without fsync of folders":  {film: told("imports"), w: teller{skips: only("snapshots")}, costs: errGoneFile},
	"a list without fsync":                {film: told("imports"), w: teller{skips: only("cache-*.part")}, costs: errLogged},
	"lists without fsync of folders":      {film: told("imports"), w: teller{skips: only(".")}, costs: errLogged},
	// SQLite makes one, and Backup another.
	"a backup without fsync":                {film: told("a backup"), w: teller{skips: only("backup.db.part")}, costs: errGoneBackup},
	"a backup without fsync of folders":     {film: told("a backup"), w: teller{skips: only(".")}, costs: errGoneBackup},
	"a quarantine without fsync of folders": {film: putAside, w: teller{skips: only("quarantine")}, costs: errGoneKept},
}

// only are the fsyncs of what is called so.
func only(pattern string) func(string) bool {
	return func(name string) bool {
		fits, err := filepath.Match(pattern, name)
		return fits || err != nil
	}
}

// acts is a story of acts alone.
func acts(folder string, w teller) (*reel, error) {
	return shoot(folder, "acts", crashImage{}, blank(), func(w *teller) {
		w.open()
		for i := range 6 {
			w.record(1 + i%3)
		}
		w.move(1, kiosk.Attempting)
	}, w)
}

// told is one of the stories.
func told(name string) func(string, teller) (*reel, error) {
	return func(folder string, w teller) (*reel, error) {
		return shoot(folder, name, crashImage{}, blank(), crashStories[name], w)
	}
}

// putAside is the story of a damaged journal.
func putAside(folder string, w teller) (*reel, error) {
	before, err := told("restarts")(folder, teller{})
	if err != nil {
		return nil, err
	}
	w.hurt = true
	return rotten(folder, []*reel{before}, w)
}

func TestTheCrashExplorerSeesADefect(t *testing.T) {
	seed, _ := seedAndImage(t)
	for name, d := range crashDefects {
		t.Run(name, func(t *testing.T) {
			l, err := d.film(filepath.Join(shelf(t), "story"), d.w)
			if err != nil {
				t.Fatal(err)
			}
			l.lies = d.lies
			x := newExplorer(t, seed, 1000)
			x.reels, x.enough = []*reel{l}, 1
			try := x.try
			if d.plain {
				try = promise.plainly
			}
			x.try = func(p promise, folder string, m crashImage) error {
				if err := try(p, folder, m); errors.Is(err, d.costs) {
					return err
				}
				return nil
			}
			x.explore()
			if len(x.found) == 0 {
				t.Fatalf("not caught within %d images", x.images)
			}
			t.Logf("caught within %d images: %v", x.images, x.found[0])
		})
	}
}

// plainly lets SQLite alone open an image, and sees how many entries there are.
func (p promise) plainly(folder string, m crashImage) error {
	if err := m.write(folder); err != nil {
		return err
	}
	h := newHeld(filepath.Join(folder, "journal.db"), "_busy_timeout=5000", nil)
	if err := h.open(); err != nil {
		return err
	}
	var tables, last uint64
	_, err := h.row("SELECT count(*) FROM sqlite_schema WHERE name = 'entry'", nil, &tables)
	if err == nil && tables > 0 {
		_, err = h.row("SELECT coalesce(max(seq), 0) FROM entry", nil, &last)
	}
	if err == nil && last < p.acked {
		err = fmt.Errorf("%w: %d acknowledged, %d there", errGoneAct, p.acked, last)
	}
	return errors.Join(err, h.close())
}
