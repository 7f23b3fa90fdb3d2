package store

import (
	"fmt"
	"strings"
	"testing"

	"circdesk/kiosk"
)

// BenchmarkLoan is what one scanned book costs the loop: its look-up and its entry.
func BenchmarkLoan(b *testing.B) {
	d := openDesk(b)
	d.school()
	for i := 0; b.Loop(); i++ {
		d.Find(kiosk.Find{Item: "31"})
		d.lend("21", kiosk.ItemID(fmt.Sprint("9", i%1000)))
	}
}

// BenchmarkOpen is a start with a journal of 100,000 entries, all of which are checked.
func BenchmarkOpen(b *testing.B) {
	d := openDesk(b)
	for range 200 {
		a := d.act(kiosk.KindLoan, "21", "31")
		acts := make([]kiosk.Act, 500)
		for i := range acts {
			acts[i] = a
			acts[i].Key, acts[i].Item = d.journal.key(d.Stand().Next+uint64(i)), kiosk.ItemID(fmt.Sprint("9", i))
		}
		d.record(acts...)
	}
	for b.Loop() {
		d.reopen()
	}
}

// BenchmarkImport is a school's copies.
func BenchmarkImport(b *testing.B) {
	var file strings.Builder
	file.WriteString("barcode,title_id,title,author,call_number,circ_type,site,status\n")
	for i := range 30_000 {
		fmt.Fprintf(&file, "3%013d,t%d,A title of a book %d,Author %d,599.5 SIM,regular,,available\n", i*7919%30_000, i/3, i, i%900)
	}
	d := openDesk(b)
	for b.Loop() {
		if r := d.load("copies", file.String()); r.Loaded != 30_000 {
			b.Fatalf("%+v", r.Refused)
		}
	}
}
