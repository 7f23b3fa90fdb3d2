package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"circdesk/cmd/kioskd/sample"
	"circdesk/kiosk"
	"circdesk/web"

	"github.com/gorilla/websocket"
)

// A finger is a page that is tapped: it acknowledges what it is sent, as every page does.
type finger struct {
	p    *process
	conn *websocket.Conn
	gone chan struct{}
}

func (p *process) touch() *finger {
	p.t.Helper()
	_, token, _ := strings.Cut(p.url(), "#token=")
	conn, _, err := websocket.DefaultDialer.DialContext(p.t.Context(), "ws://"+p.listen+"/ws?token="+token, http.Header{"Origin": {"http://" + p.listen}})
	if err != nil {
		p.t.Fatal(err)
	}
	f := &finger{p, conn, make(chan struct{})}
	go func() {
		defer close(f.gone)
		for {
			var d web.Document
			if conn.ReadJSON(&d) != nil {
				return
			}
		}
	}()
	p.t.Cleanup(f.lift)
	return f
}

// lift ends the page.
func (f *finger) lift() {
	f.conn.Close()
	<-f.gone
}

// tap touches what the screen offers now. One so soon after a change of the screen is not taken.
func (f *finger) tap(id string) {
	f.p.t.Helper()
	d := f.p.shows("something to tap: "+id, func(d web.Document) bool {
		for _, a := range d.Model.Actions {
			if a.ID == id {
				return true
			}
		}
		return false
	})
	if err := f.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"tap":%q,"seq":%d,"session":%d}`, id, d.Seq, d.Session)); err != nil {
		f.p.t.Fatal(err)
	}
}

// typePIN types a PIN and agrees.
func (f *finger) typePIN(pin string) {
	f.p.t.Helper()
	f.p.on("pin")
	<-time.After(300 * time.Millisecond) // a tap before that was meant for the screen before
	for i, digit := range pin {
		if i > 0 && pin[i-1] == pin[i] {
			<-time.After(200 * time.Millisecond) // else it is taken for one shaking finger
		}
		f.tap("digit:" + string(digit))
		f.p.shows("the digit", func(d web.Document) bool { return d.Model.Typed == i+1 })
	}
	f.tap("ok")
}

func notice(f kiosk.Fault) func(web.Document) bool {
	return func(d web.Document) bool { return d.Model.Notice.Fault == string(f) }
}

// A card alone opens nothing; the card and its PIN lend a book.
func TestACardWithItsPINBorrows(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	f := p.touch()
	p.scan(p.desk, cast.Plain[0].Code)
	p.on("item_first")
	p.scan(p.desk, cast.Librarian.Code)
	if d := p.on("pin"); d.Model.Greeting != "" || d.Model.Waiting == "" {
		t.Errorf("before the PIN: %+v", d.Model)
	}
	f.typePIN(sample.PIN + "0")
	p.shows("that it is wrong", notice(kiosk.FaultWrongPIN))
	f.typePIN(sample.PIN)
	p.shows("the loan", func(d web.Document) bool {
		return d.Screen == "borrow" && d.Model.Greeting == "Hilda" && d.Model.Counts["new"] == 1
	})
	var kinds []string
	for _, l := range p.journal() {
		kinds = append(kinds, string(l.Kind))
		if l.Kind != kiosk.KindLoan && (l.Item != "" || *l.Patron != kiosk.PatronID(cast.Librarian.Code)) {
			t.Errorf("%+v", l)
		}
	}
	if got := strings.Join(kinds, " "); got != "pin_wrong pin_right loan" {
		t.Errorf("the journal: %s", got)
	}
	if strings.Contains(p.log.String(), sample.PIN) {
		t.Error("the PIN is in the log")
	}
}

// Whoever pulls the plug after each guess has ten of them, as anybody has. A newer file of patrons unlocks.
func TestAPulledPlugFreesNoGuess(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	for n := range 10 {
		f := p.touch()
		p.scan(p.desk, cast.Librarian.Code)
		f.typePIN(fmt.Sprint(1350 + n))
		p.shows("the answer", func(d web.Document) bool {
			return d.Screen == "pin" && notice(kiosk.FaultWrongPIN)(d) || n == 9 && d.Screen == "blocked" && notice(kiosk.FaultPINLocked)(d)
		})
		p.kill()
		p.start()
	}
	p.scan(p.desk, cast.Librarian.Code)
	if d := p.on("blocked"); !notice(kiosk.FaultPINLocked)(d) {
		t.Errorf("after ten wrong ones: %+v", d.Model.Notice)
	}
	if r, err := p.ctl().Import(t.Context(), "patrons", bytes.NewReader(p.school.Patrons), importRequest("patrons")); err != nil || r.Refused != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	f := p.touch()
	p.on("attract")
	p.scan(p.desk, cast.Librarian.Code)
	f.typePIN(sample.PIN)
	p.scan(p.desk, cast.Plain[1].Code)
	p.shows("the loan", func(d web.Document) bool { return d.Screen == "borrow" && d.Model.Counts["new"] == 1 })
	if all := p.journal(); len(all) != 11 || all[9].Kind != kiosk.KindPINWrong || all[10].Kind != kiosk.KindLoan {
		t.Errorf("the journal: %+v", all)
	}
}

// What gives a loan back asks for no PIN, and neither does the bin.
func TestReturnsAskForNoPIN(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	f := p.touch()
	p.on("attract")
	<-time.After(300 * time.Millisecond)
	f.tap("return")
	p.on("return")
	p.scan(p.desk, cast.OnLoan.Code)
	p.shows("the return", func(d web.Document) bool { return len(d.Model.Items) == 1 && d.Model.Items[0].Outcome == "return" })
	p.scan(p.bin, cast.Wanted.Code)
	p.waitFor("both in the journal", func() bool { return len(p.journal()) == 2 })
}
