package store

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
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

func hits(t *testing.T, d *desk) (where []string) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for path, b := range bytesOf(t, d.o.Folder) {
		for _, s := range []string{sentinel, sentinelName} {
			if bytes.Contains(b, []byte(s)) {
				where = append(where, path+": "+s)
			}
		}
	}
	d.open()
	return where
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
	for seq := range uint64(6) {
		if err := d.Deliver(seq+1, kiosk.Confirmed, "ok"); err != nil {
			t.Fatal(err)
		}
	}
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
