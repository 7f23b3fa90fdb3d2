package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"circdesk/cmd/kioskd/control"
	"circdesk/kiosk"
	"circdesk/web"
)

func TestThreeBooksInFourScans(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	p.on("attract")
	p.scan(p.desk, cast.Maya.Code)
	if d := p.on("borrow"); d.Model.Greeting != "Maya" {
		t.Errorf("greeted as %q", d.Model.Greeting)
	}
	for i, book := range cast.Plain {
		p.scan(p.desk, book.Code)
		d := p.shows(book.Name, func(d web.Document) bool { return d.Model.Counts["new"] == i+1 })
		if top := d.Model.Items[0]; top.Title != book.Name || top.Outcome != "loan" || top.Tail != book.Code[10:] {
			t.Errorf("on top: %+v", top)
		}
	}
	all := p.journal()
	if len(all) != 3 {
		t.Fatalf("%d entries", len(all))
	}
	for i, l := range all {
		if l.Seq != uint64(i+1) || l.Kind != kiosk.KindLoan || *l.Patron != kiosk.PatronID(cast.Maya.Code) ||
			l.Item != kiosk.ItemID(cast.Plain[i].Code) || l.Delivery != kiosk.Confirmed || l.Policy != "2026-27.1" {
			t.Errorf("entry %+v", l)
		}
	}
	if v, err := p.ctl().Verify(t.Context()); err != nil || !v.OK || v.Entries != 3 {
		t.Errorf("verify: %+v, %v", v, err)
	}
	loans := 0
	counts, err := p.ctl().Stats(t.Context(), all[0].At, time.Time{})
	for _, c := range counts {
		if loans += c.Count; c.Kind != kiosk.KindLoan || c.Day != kiosk.DateOf(all[0].At).String() || c.Grade == "" {
			t.Errorf("counted %+v", c)
		}
	}
	if err != nil || loans != 3 {
		t.Errorf("counted %d loans, %v", loans, err)
	}
}

func TestTheBinTakesWhatComes(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	for _, test := range []struct{ code, outcome string }{
		{cast.OnLoan.Code, "return"}, {cast.Wanted.Code, "hold"}, {cast.OtherSchool.Code, "transfer"},
		{cast.InRepair.Code, "repair"}, {cast.Lost.Code, "found"}, {cast.Regular.Code, "already_in"}, {cast.UnknownItem.Code, "unknown"},
	} {
		p.scan(p.bin, test.code)
		p.shows(test.outcome, func(d web.Document) bool {
			return d.Screen == "bin" && len(d.Model.Items) > 0 && d.Model.Items[0].Tail == test.code[len(test.code)-4:] && d.Model.Items[0].Outcome == test.outcome
		})
	}
	if d := p.on("bin"); d.Model.Counts["read"] != 7 || d.Model.Counts["aside"] != 5 {
		t.Errorf("counts: %v", d.Model.Counts)
	}
}

// What a screen has shown as done is in the journal, whenever the plug is pulled.
func TestNothingThatWasShownIsLostByAKill(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	books := []string{cast.Plain[0].Code, cast.Plain[1].Code, cast.Plain[2].Code, cast.Regular.Code, cast.Picture.Code}
	var shown []string
	for i, code := range books {
		p.scan(p.desk, cast.Maya.Code)
		p.shows("Maya", func(d web.Document) bool { return d.Screen == "borrow" && d.Model.Counts["all"] == i })
		p.scan(p.desk, code)
		d := p.shows("the loan", func(d web.Document) bool { return len(d.Model.Items) > 0 && d.Model.Items[0].Outcome == "loan" })
		shown = append(shown, d.Model.Items[0].Key)
		p.kill()
		p.start()
	}
	var kept []string
	for _, l := range p.journal() {
		kept = append(kept, string(l.Key))
	}
	if !slices.Equal(kept, shown) {
		t.Errorf("shown %v, in the journal %v", shown, kept)
	}
	p.scan(p.desk, cast.Maya.Code)
	p.shows("five books", func(d web.Document) bool { return d.Screen == "borrow" && d.Model.Counts["all"] == 5 })
}

func TestAnUnpluggedScannerIsReportedAndComesBack(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	p.on("attract")
	if err := p.desk.Unplug(); err != nil {
		t.Fatal(err)
	}
	d := p.on("out_of_order")
	if len(d.Model.Alarms) == 0 || d.Model.Alarms[0].Code != "SCAN1" {
		t.Errorf("alarms: %+v", d.Model.Alarms)
	}
	if err := p.desk.Replug(); err != nil {
		t.Fatal(err)
	}
	p.on("attract")
	p.scan(p.desk, p.school.Cast.Maya.Code)
	p.on("borrow")
}

func TestTheDaemonStopsInGoodTime(t *testing.T) {
	p := install(t, "")
	p.start()
	took, err := p.stop()
	if err != nil {
		t.Errorf("it ended with %v", err)
	}
	// The bound is 2 s; a busy machine may add what it likes, but not a hang.
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, name := range []string{"run/control.sock"} {
		if _, err := os.Lstat(p.path(name)); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", name, err)
		}
	}
}

func TestASecondDaemonIsTurnedAway(t *testing.T) {
	p := install(t, "")
	p.start()
	out, err := kioskd(t.Context(), "-config", p.path("kiosk.toml")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another kioskd is running") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := p.ctl().Status(t.Context()); err != nil {
		t.Errorf("the first one: %v", err)
	}
}

func TestTheServiceManagerIsTold(t *testing.T) {
	p := install(t, "")
	address := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.env = []string{"NOTIFY_SOCKET=" + address, "WATCHDOG_USEC=2000000"}
	p.start()
	heard := map[string]bool{}
	await := func(want string) {
		t.Helper()
		buf := make([]byte, 4096)
		conn.SetReadDeadline(time.Now().Add(patience))
		for !heard[want] {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %q: %v; heard %v", want, err, heard)
			}
			word, _, _ := strings.Cut(string(buf[:n]), "=")
			heard[word] = true
		}
	}
	await("READY")
	await("STATUS")
	await("WATCHDOG")
	p.cmd.Process.Signal(syscall.SIGTERM)
	await("STOPPING")
}

func TestHealthAndMetrics(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	p.scan(p.desk, p.school.Cast.Maya.Code)
	p.on("borrow")
	if status, text := p.get("/healthz"); status != http.StatusOK || text != "ok\n" {
		t.Errorf("healthz: %d %q", status, text)
	}
	_, text := p.get("/metrics")
	for _, want := range []string{"circdesk_journal_entries 0", `circdesk_scans_total{scanner="desk",problem=""} 1`,
		`circdesk_device_ready{name="desk",kind="serial"} 1`, `circdesk_sounds_total{kind="ok"} 1`, "process_resident_memory_bytes"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics have no %q", want)
		}
	}
	for _, secret := range []string{p.school.Cast.Maya.Code, "Maya"} {
		if strings.Contains(text, secret) {
			t.Errorf("metrics say %q", secret)
		}
	}
}

func TestNoLogHoldsAPatron(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast := p.school.Cast
	p.scan(p.desk, cast.Maya.Code)
	p.on("borrow")
	p.scan(p.desk, cast.Plain[0].Code)
	p.shows("the loan", func(d web.Document) bool { return d.Model.Counts["new"] == 1 })
	p.scan(p.desk, cast.UnknownCard.Code)
	p.scan(p.desk, "\x1b]0;evil\x07"+cast.Maya.Code)
	p.on("borrow")
	p.stop()
	for _, secret := range []string{cast.Maya.Code, cast.Plain[0].Code, cast.UnknownCard.Code, "Maya", cast.Plain[0].Name, "evil", "\x1b"} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestThePagesTokenOutlivesARestart(t *testing.T) {
	p := install(t, "")
	p.start()
	before := p.url()
	info, err := os.Stat(p.path("run/page.url"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	p.kill()
	p.start()
	if after := p.url(); after != before {
		t.Errorf("it was %s, it is %s", before, after)
	}
}

func TestCheckSaysAllThatIsWrong(t *testing.T) {
	p := install(t, "[[scanner]]\nname = \"gone\"\npath = \"/dev/nowhere\"\n")
	out, err := kioskd(t.Context(), "check", "-config", p.path("kiosk.toml")).Output()
	if err == nil {
		t.Error("a missing device is no failure")
	}
	for _, want := range []string{`ok: scanner "desk" can be opened`, `kiosk.toml:23: scanner[2]: open "/dev/nowhere": no such file or directory`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	p.write("kiosk.toml", "[kiosk]\nid = 7\n\n[coffee]\n")
	out, err = kioskd(t.Context(), "check", "-config", p.path("kiosk.toml")).Output()
	if err == nil || bytes.Count(out, []byte("\n")) < 3 {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"coffee"}, {"-coffee"}, {"demo", "x"}, {"check", "-listen", "x"}} {
		cmd := kioskd(t.Context(), args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != misused || !strings.Contains(string(out), "kioskd -h") {
			t.Errorf("%q: exit %d: %s", args, cmd.ProcessState.ExitCode(), out)
		}
	}
}

func TestAFileThatLooksWrongIsRefused(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	few := bytes.Join(bytes.SplitAfterN(p.school.Patrons, []byte("\n"), 101)[:100], nil)
	r, err := p.ctl().Import(t.Context(), "patrons", bytes.NewReader(few), importRequest("patrons"))
	if err != nil || r.Refused == "" {
		t.Errorf("half a school: %+v, %v", r, err)
	}
	if st, err := p.ctl().Status(t.Context()); err != nil || st.LastFile == nil || st.LastFile.Refused != r.Refused || st.LastImport.Rows == 99 {
		t.Errorf("status after that: %+v, %v", st.LastFile, err)
	}
	req := importRequest("patrons")
	req.Force = true
	if r, err = p.ctl().Import(t.Context(), "patrons", bytes.NewReader(few), req); err != nil || r.Refused != "" || r.Loaded != 99 {
		t.Errorf("by force: %+v, %v", r, err)
	}
	st, err := p.ctl().Status(t.Context())
	if err != nil || st.LastImport == nil || st.LastImport.Rows != 99 || st.CacheAgeS == nil || len(st.Alarms) != 0 {
		t.Errorf("status: %+v, %v", st, err)
	}
	if st.Devices == nil || !slices.ContainsFunc(st.Devices, func(d control.Device) bool { return d.Name == "desk" && d.State == "ready" }) {
		t.Errorf("devices: %+v", st.Devices)
	}
}
