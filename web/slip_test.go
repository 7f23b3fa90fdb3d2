package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"circdesk/kiosk"
)

// words is a slip as one text.
func (s Slip) words() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Title)
	for _, r := range s.Rows {
		fmt.Fprintf(&b, "%s | %s\n", r.Left, r.Right)
	}
	fmt.Fprintf(&b, "[%s] %s", s.Barcode, s.Foot)
	return b.String()
}

func TestSlips(t *testing.T) {
	s := serve(t, nil)
	at := time.Date(2026, 11, 24, 14, 5, 0, 0, time.UTC)
	lines := []kiosk.Line{someBook(0), line(2, func(l *kiosk.Line) { l.Due = kiosk.DueAt(at.Add(2 * time.Hour)) })}
	for _, test := range []struct {
		slip kiosk.Print
		want string
	}{
		{kiosk.Print{Slip: kiosk.SlipReceipt, Lang: "en", Lines: lines, All: 3, At: at},
			"Your books\nThe Hobbit | Mon, Dec 7\nWonder | today, 4:05 PM\nYou have 3 in all. | \n[] Library desk, Tuesday, November 24, 2:05 PM"},
		{kiosk.Print{Slip: kiosk.SlipReceipt, Lang: "es", Lines: lines[:1], All: 1, At: at},
			"Tus libros\nThe Hobbit | lun 7 dic\nYa tienes 1 en total. | \n[] Library desk, martes 24 de noviembre, 2:05 p. m."},
		{kiosk.Print{Slip: kiosk.SlipHold, Lang: "en", Lines: lines[:1], For: "0017", At: at},
			"Hold shelf\n0017 | \nThe Hobbit | 4560\n[30000000004560] Library desk, Tuesday, November 24, 2:05 PM"},
		{kiosk.Print{Slip: kiosk.SlipRouting, Lang: "en", Lines: lines[:1], For: "0456", At: at},
			"To another school\n0456 | \nThe Hobbit | 4560\n[30000000004560] Library desk, Tuesday, November 24, 2:05 PM"},
		{kiosk.Print{Slip: kiosk.SlipShelving, Lang: "en", Lines: lines[:1], At: at},
			"To the shelves\nFIC TOL  The Hobbit | 4560\n[] Library desk, Tuesday, November 24, 2:05 PM"},
	} {
		if got := s.Slip(test.slip).words(); got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", test.slip.Slip, got, test.want)
		}
	}
}

// What a label or a library system says is no command to a printer, and no name gets on paper.
func TestHostileTitlesOnPaper(t *testing.T) {
	s := serve(t, nil)
	for _, hostile := range []string{"\x1b@evil", "a\u202eb", "=HYPERLINK(1)", strings.Repeat("long ", 1000), "a\nb"} {
		l := line(0, func(l *kiosk.Line) {
			l.Title, l.CallNumber, l.Tail, l.Item = hostile, hostile, hostile, kiosk.ItemID(hostile)
		})
		for _, kind := range []kiosk.SlipKind{kiosk.SlipReceipt, kiosk.SlipHold, kiosk.SlipRouting, kiosk.SlipShelving} {
			text := s.Slip(kiosk.Print{Slip: kind, Lang: "en", Lines: []kiosk.Line{l}, For: hostile}).words()
			if strings.ContainsAny(text, "\x1b\u202e\r") || len(text) > 900 {
				t.Errorf("%s: %.80q", kind, text)
			}
		}
	}
}
