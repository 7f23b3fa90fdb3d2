package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"circdesk/cmd/kioskd/sample"
	"circdesk/kiosk"
	"circdesk/web"
)

// A show is the demo at work, with hands that do what its simulator's page does.
type show struct {
	*process
	base string // of the simulator
	cast sample.Cast
}

// perform starts the demo and reads the two addresses that it prints.
func perform(t *testing.T) *show {
	t.Helper()
	s := &show{process: &process{t: t, folder: t.TempDir(), log: &logbook{}}, cast: schoolToday().Cast}
	s.cmd = kioskd(context.Background(), "demo", "-listen", "127.0.0.1:0", "-data", s.folder)
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = s.log
	said := lines(out)
	s.run(s.cmd)
	t.Cleanup(s.kill)
	page, simulator := <-said, <-said
	base, ok := strings.CutPrefix(simulator, "simulator: ")
	if !strings.HasPrefix(page, "page: http://127.0.0.1:") || !ok {
		t.Fatalf("it says %q and %q; log: %s", page, simulator, s.log)
	}
	s.base = base
	s.on("attract")
	return s
}

// post presses a button of the simulator.
func (s *show) post(what string, fields ...string) error {
	s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	req, err := http.NewRequest("POST", s.base+"/"+what, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Origin", strings.TrimSuffix(s.base, "/simulator"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return errors.New(resp.Status)
	}
	return nil
}

func (s *show) do(what string, fields ...string) {
	s.t.Helper()
	if err := s.post(what, fields...); err != nil {
		s.t.Fatalf("%s %q: %v", what, fields, err)
	}
}

// alarms tells whether a book's tag would alarm at the gate.
func (s *show) alarms(book sample.Part) bool {
	s.t.Helper()
	resp, err := http.Get(s.base + "/state")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct{ Tags map[string]tagState }
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		s.t.Fatal(err)
	}
	return state.Tags[book.Code].Alarms
}

// The demo prints two addresses, and goes on where it was when its plug is pulled.
func TestTheDemo(t *testing.T) {
	s := perform(t)
	s.do("scan", "scanner", "desk", "code", s.cast.Maya.Code)
	s.on("borrow")
	s.do("library", "up", "false")
	s.do("scan", "scanner", "desk", "code", s.cast.Plain[0].Code)
	s.shows("the loan", func(d web.Document) bool { return d.Model.Counts["new"] == 1 })
	s.shows("the cloud", func(d web.Document) bool { return d.Offline })
	before := s.url()
	s.post("plug") // nobody is left to answer
	s.waitFor("the desk after the cut", func() bool { d, err := s.screen(); return err == nil && d.Screen == "attract" })
	if s.url() != before {
		t.Errorf("the page has moved from %s to %s", before, s.url())
	}
	s.waitFor("the delivery", func() bool {
		all, err := s.ctl().Queue(t.Context())
		return err == nil && len(all) == 0
	})
	if all := s.journal(); len(all) != 1 || all[0].Delivery != kiosk.Confirmed {
		t.Errorf("the journal: %+v", all)
	}
}

// A card is held up, a book is laid on the pad: the loan first, then the tag, and both in the journal.
func TestACardAndABookByRadio(t *testing.T) {
	s := perform(t)
	book := s.cast.Plain[0]
	s.do("card", "code", s.cast.Maya.Code)
	if d := s.on("borrow"); d.Model.Greeting != "Maya" {
		t.Errorf("greeted as %q", d.Model.Greeting)
	}
	if !s.alarms(book) {
		t.Fatal("on the shelf its gate is silent")
	}
	s.do("pad", "code", book.Code, "on", "true")
	s.shows("the loan", func(d web.Document) bool {
		return len(d.Model.Items) > 0 && d.Model.Items[0].Outcome == "loan" && d.Model.Items[0].Title == book.Name
	})
	s.waitFor("the tag", func() bool { return !s.alarms(book) })
	s.waitFor("both in the journal", func() bool {
		all := s.journal()
		return len(all) == 2 && all[0].Kind == kiosk.KindLoan && all[1].Kind == kiosk.KindTagCleared && all[1].Item == kiosk.ItemID(book.Code)
	})
	s.do("pad", "code", book.Code, "on", "false")

	// A card that nobody has, and a book given back in the slot: its tag is told at the pad, when it is seen again.
	s.do("scan", "scanner", "slot", "code", book.Code)
	s.waitFor("the return", func() bool { all := s.journal(); return all[len(all)-1].Kind == kiosk.KindReturn })
	s.do("pad", "code", book.Code, "on", "true")
	s.waitFor("the tag to alarm again", func() bool { return s.alarms(book) })
}
