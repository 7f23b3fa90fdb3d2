package store

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

const (
	sentinel     = "SENTINEL-4711" // a patron who has left the school
	sentinelName = "Canarina"
)

// bytesOf reads every file below a folder, as it is and unpacked. It is another process's eye: nobody has
// the databases open.
func bytesOf(t *testing.T, folder string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(os.DirFS(folder), path)
		all[path] = b
		if zip, zipErr := gzip.NewReader(bytes.NewReader(b)); zipErr == nil {
			if all[path+" unpacked"], err = io.ReadAll(zip); err == nil && len(zip.Extra) == 0 {
				t.Errorf("%s has no origin", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// hits looks for the canary in a desk that is shut for the moment.
func hits(t *testing.T, d *desk) []string {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	defer d.open()
	return canaries(t, d)
}

// canaries looks for the canary in the files as they are. A desk that has them open is not used any more.
func canaries(t *testing.T, d *desk) (where []string) {
	t.Helper()
	for path, b := range bytesOf(t, d.o.Folder) {
		for _, s := range []string{sentinel, sentinelName} {
			if bytes.Contains(b, []byte(s)) {
				where = append(where, path+": "+s)
			}
		}
	}
	return where
}

// kill starts the desk again with the files that a kill leaves.
func (d *desk) kill() {
	d.t.Helper()
	folder, was := d.t.TempDir(), d.Store
	if err := os.CopyFS(folder, os.DirFS(d.o.Folder)); err != nil {
		d.t.Fatal(err)
	}
	if err := was.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.o.Folder = folder
	d.open()
}

func small(o *Options) { o.Ballast = 1 }

// deliver tells of the first n entries that the library system has them.
func (d *desk) deliver(n uint64, answer string) {
	d.t.Helper()
	for seq := range n {
		if err := d.Deliver(seq+1, kiosk.Confirmed, answer); err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) fade() int {
	d.t.Helper()
	n, err := d.Fade(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func TestADayAfterTheReturnNoByteOfANameIsLeft(t *testing.T) {
	d := openDesk(t)
	d.school()
	with := "barcode,first_name,patron_type,grade\n21,Maya,student,3\n22,Leo,student,4\n23,Ana,student,4\n24,Bo,student,4\n25,Cy,student,4\n"
	d.load("patrons", with+sentinel+","+sentinelName+",student,5\n")
	d.load("loans", "item,patron,checked_out,due,renewals\n32,"+sentinel+",2026-11-01,2026-12-01,0\n34,22,2026-11-01,2026-12-01,0\n")
	d.load("holds", "patron,title_id,item,placed,pickup_site,status\n"+sentinel+",t1,,2026-11-02,,pending\n")
	for _, item := range []kiosk.ItemID{"31", "33"} {
		d.lend(sentinel, item)
	}
	d.now = d.now.Add(time.Hour)
	for _, item := range []kiosk.ItemID{"31", "32", "33"} {
		d.giveBack(sentinel, item)
	}
	d.lend("22", "31")
	d.giveBack("", "34") // by nobody that the desk knows
	d.deliver(7, "checked in, was out to "+sentinelName)
	d.load("patrons", with)
	head := d.verify().Head
	if n, err := d.Fade(t.Context()); n != 0 || err != nil {
		t.Errorf("%d have faded at once, %v", n, err)
	}
	if got := hits(t, d); len(got) == 0 {
		t.Fatal("the canary is not there to begin with")
	}
	d.now = d.now.Add(24 * time.Hour)
	if n, err := d.Fade(t.Context()); n != 5 || err != nil {
		t.Errorf("%d have faded, %v; want all of the canary's", n, err)
	}
	if got := hits(t, d); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if v := d.verify(); !v.OK || v.Head != head {
		t.Errorf("%+v, the head was %s", v, head)
	}
	if e := d.entries(); e[0].Patron != "" || e[5].Patron != "22" || d.copyOf("31").Loan.Patron != "22" {
		t.Errorf("the open loan has suffered: %+v", e[5])
	}
	stats, err := d.Stats(t.Context(), monday, monday.Add(24*time.Hour))
	if err != nil || len(stats) != 3 || stats[0] != (Stat{
		Day: kiosk.DateOf(monday), Hour: 9, Kind: kiosk.KindLoan, Grade: "3", ItemType: "regular", Class: "500", Count: 2,
	}) {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestWhatIsNotDoneWithKeepsItsName(t *testing.T) {
	d := openDesk(t)
	d.school()
	d.lend("21", "31") // out
	d.lend("21", "32")
	d.giveBack("21", "32") // not delivered
	d.lend("21", "33")
	d.giveBack("21", "33")
	for _, seq := range []uint64{1, 2, 4, 5} {
		if err := d.Deliver(seq, kiosk.Confirmed, "ok"); err != nil {
			t.Fatal(err)
		}
	}
	d.now = d.now.Add(72 * time.Hour)
	if _, err := d.Fade(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, e := range d.entries() {
		if e.Patron != "" {
			kept = append(kept, fmt.Sprint(e.Seq))
		}
	}
	if got := strings.Join(kept, ""); got != "13" {
		t.Errorf("kept %q", got)
	}
	d.reopen()
	if d.copyOf("31").Loan.Patron != "21" {
		t.Error("the open loan is gone")
	}
}

func TestNoNameStaysInTheOlderFileWhenOneIsLoadedEveryDay(t *testing.T) {
	d := openDesk(t, small)
	d.school()
	for day := range 2 {
		const loan, hold = "32," + sentinel + ",2026-11-01,2026-12-01,0\n", sentinel + ",t1,,2026-11-02,,pending\n"
		loans, holds := "item,patron,checked_out,due,renewals\n34,22,2026-11-01,2026-12-01,0\n", "patron,title_id,item,placed,pickup_site,status\n"
		if day == 0 {
			loans, holds = loans+loan, holds+hold
		}
		d.load("loans", loans, ImportOptions{Taken: d.now, Force: true})
		d.load("holds", holds, ImportOptions{Taken: d.now, Force: true})
		if d.now = d.now.Add(3 * time.Hour); day == 0 {
			d.giveBack(sentinel, "32")
			d.lend(sentinel, "31")
			d.giveBack(sentinel, "31")
			d.deliver(3, "ok")
			d.now = d.now.Add(21 * time.Hour)
		}
	}
	if n := d.fade(); n != 3 {
		t.Errorf("%d have faded", n)
	}
	if got := hits(t, d); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
	if d.copyOf("31").Out || len(d.account("22").Loans) != 1 {
		t.Error("the open loans have suffered")
	}
}

func TestAFileThatWasReplacedGoesThoughTheCacheIsMadeAnew(t *testing.T) {
	d := openDesk(t, small)
	for range 2 {
		d.school()
	}
	d.now = d.now.Add(20 * time.Hour)
	d.cacheFailed("test", errDamaged)
	d.Mend()
	d.work.Wait()
	for _, left := range []int{2, 0} {
		d.fade()
		got, err := filepath.Glob(filepath.Join(d.o.Folder, "snapshots", "*-2.gz"))
		if err != nil || len(got) != left {
			t.Errorf("%v later: %q, %v", d.now.Sub(monday), got, err)
		}
		d.now = d.now.Add(4 * time.Hour)
	}
}

// The cache is empty from the moment in which it is made anew until it has caught up with the journal.
func TestAnEmptyCacheDoesNotMeanThatAllHasComeBack(t *testing.T) {
	d := openDesk(t, small)
	d.school()
	d.lend("21", "31")
	d.deliver(1, "ok")
	d.now = d.now.Add(72 * time.Hour)
	now := d.Store.o.Now
	d.Store.o.Now = func() time.Time { // is asked in the middle of fading
		select {
		case d.taking <- struct{}{}: // as whoever makes the cache anew
			d.cacheFailed("test", errDamaged)
			d.emptied()
			<-d.taking
		default:
		}
		return now()
	}
	if n, err := d.Fade(t.Context()); n != 0 || err != nil {
		t.Errorf("%d have faded, %v", n, err)
	}
	d.emptied()
	if n, err := d.Fade(t.Context()); n != 0 || err != nil {
		t.Errorf("%d have faded though the cache lags behind, %v", n, err)
	}
	if e := d.entries(); e[0].Patron != "21" {
		t.Error("the patron of the open loan is gone for good")
	}
}

// emptied leaves the cache as it is when it has just been made.
func (d *desk) emptied() {
	d.t.Helper()
	err := d.cache.inTurn(func() error { return errors.Join(d.cache.w.exec("DELETE FROM loans"), d.cache.isApplied(0)) })
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestWhatCannotFadeNowFadesLater(t *testing.T) {
	d := openDesk(t, small)
	d.load("loans", "item,patron,checked_out,due,renewals\n32,22,2026-11-01,2026-12-01,0\n")
	d.lend("21", "31")
	d.giveBack("21", "31")
	d.deliver(2, "ok")
	d.now = d.now.Add(24 * time.Hour)
	was, err := os.Stat(d.o.snapshot("loans", 1))
	if err != nil {
		t.Fatal(err)
	}
	d.taking <- struct{}{} // a file is loaded
	if n := d.fade(); n != 0 {
		t.Errorf("%d have faded while a file is loaded", n)
	}
	<-d.taking
	d.journal.failed(ErrUnknown)
	if n := d.fade(); n != 0 {
		t.Errorf("%d have faded in a journal that cannot be written", n)
	}
	if is, err := os.Stat(d.o.snapshot("loans", 1)); err != nil || !os.SameFile(is, was) {
		t.Errorf("the card is worn for nothing, %v", err)
	}
	d.Mend()
	if n := d.fade(); n != 2 {
		t.Errorf("%d have faded afterwards", n)
	}
}

// A machine that has just started may think that it is 1970, and the cache follows when the screen was shown.
func TestAnEntryThatTheCacheDoesNotKnowYetKeepsItsName(t *testing.T) {
	d := openDesk(t, func(o *Options) { o.Delivers, o.Ballast = false, 1 })
	a := d.act(kiosk.KindLoan, "21", "31")
	a.At, a.Clock = time.Unix(60, 0).UTC(), kiosk.ClockImpossible
	if err := d.Record([]kiosk.Act{a}); err != nil {
		t.Fatal(err)
	}
	if n := d.fade(); n != 0 || d.entries()[0].Patron != "21" {
		t.Errorf("%d have faded", n)
	}
}

func TestADamagedLoanHasNotComeBack(t *testing.T) {
	d := openDesk(t, small)
	d.school()
	d.lend("21", "31")
	d.deliver(1, "ok")
	d.now = d.now.Add(72 * time.Hour)
	if err := d.cache.w.once("UPDATE loans SET patron = '23'"); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Fade(t.Context()); n != 0 || !damaged(err) {
		t.Errorf("%d have faded, %v", n, err)
	}
	d.Mend()
	d.work.Wait()
	if n := d.fade(); n != 0 || d.copyOf("31").Loan.Patron != "21" {
		t.Errorf("%d have faded, %+v", n, d.copyOf("31"))
	}
}

func TestAFadingThatIsCutShortIsTakenUpAgain(t *testing.T) {
	d := openDesk(t, small)
	d.load("loans", "item,patron,checked_out,due,renewals\n32,"+sentinel+",2026-11-01,2026-12-01,0\n")
	d.giveBack(sentinel, "32")
	d.deliver(1, "ok")
	d.now = d.now.Add(24 * time.Hour)
	inTheWay := filepath.Join(d.o.Folder, "snapshots", "loans.part")
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Fade(t.Context()); n != 0 || err == nil {
		t.Errorf("%d have faded, %v", n, err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	d.reopen()
	d.fade()
	if got := hits(t, d); len(got) != 0 {
		t.Errorf("still there: %q", got)
	}
}

func TestNamesDoNotOutliveAKill(t *testing.T) {
	for name, before := range map[string]func(*desk) error{
		"when they were taken out of the journal": func(d *desk) error {
			d.giveBack(sentinel, "31")
			d.deliver(2, "ok")
			return d.journal.w.once("UPDATE entry SET patron = NULL, salt = NULL")
		},
		"while a file was loaded": func(d *desk) error {
			err := d.cache.w.once("CREATE TABLE behind_loans AS SELECT * FROM loans")
			d.giveBack(sentinel, "31")
			d.deliver(2, "ok")
			return err
		},
		"while a snapshot or a backup was made": func(d *desk) error {
			d.giveBack(sentinel, "31")
			d.deliver(2, "ok")
			at := filepath.Join(d.o.Folder, Scratch+"4711")
			return errors.Join(os.MkdirAll(filepath.Join(d.o.Folder, "snapshots"), 0o700), os.Mkdir(at, 0o700),
				os.WriteFile(filepath.Join(at, "journal.db"), []byte(sentinel), 0o600),
				os.WriteFile(filepath.Join(d.o.Folder, "snapshots", "loans.part"), []byte(sentinel), 0o600))
		},
	} {
		d := openDesk(t, small)
		d.lend(sentinel, "31")
		if err := before(d); err != nil {
			t.Fatal(err)
		}
		d.now = d.now.Add(24 * time.Hour)
		d.kill()
		d.fade()
		if got := canaries(t, d); len(got) != 0 {
			t.Errorf("killed %s: still there: %q", name, got)
		}
	}
}

// A flush costs the card, and whoever waits: a clean restart needs none.
func TestOnlyAKillMakesFadingCutTheLogsOff(t *testing.T) {
	d := openDesk(t, small)
	d.lend("21", "31")
	d.reopen()
	if d.unwiped {
		t.Error("after a clean restart")
	}
	d.lend("21", "32")
	if d.kill(); !d.unwiped {
		t.Error("not after a kill")
	}
	d.fade()
	if d.unwiped {
		t.Error("not done")
	}
}
