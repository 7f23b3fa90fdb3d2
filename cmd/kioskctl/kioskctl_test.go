package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"circdesk/cmd/kioskd/control"
	"circdesk/kiosk"
)

// A desk is a control.Desk of fixed answers.
type desk struct {
	status   control.Status
	devices  []control.Device
	entries  []kiosk.Entry
	verified control.Verified
	report   control.ImportReport
	stats    []control.Stat
	err      error // of every answer

	imported string // what was asked for last
	settled  string
	counted  string
}

func (d *desk) Status(context.Context) (control.Status, error)      { return d.status, d.err }
func (d *desk) Devices(context.Context) ([]control.Device, error)   { return d.devices, d.err }
func (d *desk) Verify(context.Context) (control.Verified, error)    { return d.verified, d.err }
func (d *desk) Queue(context.Context) iter.Seq2[kiosk.Entry, error] { return d.from(0) }

func (d *desk) Stats(_ context.Context, from, until time.Time) ([]control.Stat, error) {
	d.counted = fmt.Sprintf("from %s until %s", from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	return d.stats, d.err
}

func (d *desk) Journal(_ context.Context, since uint64) iter.Seq2[kiosk.Entry, error] {
	return d.from(since)
}

func (d *desk) from(since uint64) iter.Seq2[kiosk.Entry, error] {
	return func(yield func(kiosk.Entry, error) bool) {
		for _, e := range d.entries {
			if e.Seq >= since && !yield(e, nil) {
				return
			}
		}
		if d.err != nil {
			yield(kiosk.Entry{}, d.err)
		}
	}
}

func (d *desk) Backup(_ context.Context, use func(io.Reader, string) error) error {
	if d.err != nil {
		return d.err
	}
	sum := sha256.Sum256([]byte("the journal"))
	return use(strings.NewReader("the journal"), hex.EncodeToString(sum[:]))
}

func (d *desk) Settle(_ context.Context, key kiosk.Key, why string) error {
	d.settled = fmt.Sprintf("%s: %s", key, why)
	return d.err
}

func (d *desk) Import(_ context.Context, kind string, r io.Reader, req control.ImportRequest) (control.ImportReport, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return control.ImportReport{}, err
	}
	d.imported = fmt.Sprintf("%s %q %q %s force=%v", kind, text, req.Name, req.Taken.UTC().Format(time.RFC3339), req.Force)
	report := d.report
	report.Kind, report.Name, report.Taken = kind, req.Name, req.Taken
	return report, d.err
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// serve starts a daemon with d for a desk and returns its socket.
func serve(t *testing.T, d *desk, allow func(control.Peer) error) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "control.sock")
	ln, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &control.Server{Desk: d, Log: slog.New(slog.DiscardHandler), Allow: allow}
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return socket
}

// A session is one run of kioskctl on Tuesday, 24 November 2026, at 10:00 in Los Angeles.
type session struct {
	status   int
	out, err string
}

func run(stdin io.Reader, args ...string) session {
	var out, errs bytes.Buffer
	t := tool{in: stdin, out: &out, err: &errs, now: at("2026-11-24T18:00:00Z"), zone: time.FixedZone("PST", -8*3600)}
	status := t.run(context.Background(), args)
	return session{status, out.String(), errs.String()}
}

// want compares a run with what it should be. A text begins with a line break, for the eye.
func (s session) want(t *testing.T, status int, out, err string) {
	t.Helper()
	out, err = strings.TrimPrefix(out, "\n"), strings.TrimPrefix(err, "\n")
	if s.status != status || s.out != out || s.err != err {
		t.Errorf("exit %d, want %d\n--- out:\n%s--- want:\n%s--- err:\n%s--- want:\n%s", s.status, status, s.out, out, s.err, err)
	}
}

func loan(seq uint64) kiosk.Entry {
	return kiosk.Entry{
		Act: kiosk.Act{Key: kiosk.Key(fmt.Sprint("LIB-1-7f3a-", seq)), Kind: kiosk.KindLoan, At: at("2026-11-24T17:30:00Z"),
			Clock: kiosk.ClockSynchronised, Session: 7, Role: kiosk.RoleStudent, Patron: "21234000000017",
			Item: "31234000010042", Due: kiosk.DueOn(kiosk.Date{Year: 2026, Month: 12, Day: 8}),
			Outcome: kiosk.OutcomeLoan, Policy: "2026-27.1"},
		Seq: seq, Delivery: kiosk.Confirmed, Attempts: 1, Since: at("2026-11-24T17:55:00Z"),
	}
}

func TestStatus(t *testing.T) {
	socket := serve(t, &desk{status: control.Status{
		Kiosk: "LIB-1", Name: "Library desk", Version: "1.0.0", UptimeS: 3*86400 + 5, Screen: kiosk.ModeBorrow, Session: 42,
		Clock: kiosk.ClockSynchronised, Library: "down", Entries: 1234, Queue: 12, NeedsStaff: 1, CacheAgeS: new(int64(3 * 3600)),
		LastImport: &control.Imported{Kind: "patrons", At: at("2026-11-24T17:10:00Z"), Rows: 2013},
		Alarms: []control.Alarm{
			{Code: "SCAN1", Text: "a scanner is not there: bin", Since: at("2026-11-24T17:59:30Z")},
			{Code: "LIBR1", Text: "the library system does not answer", Since: at("2026-11-21T18:00:00Z")},
		},
		Devices: []control.Device{
			{Name: "bin", Kind: "serial", Path: "/dev/circdesk/bin", Role: kiosk.RoleBin, State: "absent",
				Since: at("2026-11-24T17:59:30Z"), Error: "no such file or directory", Reads: 12},
			{Name: "desk", Kind: "serial", Path: "/dev/circdesk/scanner", Role: kiosk.RoleStudent, State: "ready",
				Since: at("2026-11-24T01:00:00Z"), Reads: 20123, Repeats: 17, Drops: 3},
		},
	}}, nil)
	run(nil, "-socket", socket, "status").want(t, 0, `
Library desk (LIB-1), kioskd 1.0.0, up for 3 d

Screen          borrow
At the desk     session 42
Clock           synchronised
Library system  down
Journal         1234 entries
Queue           12 waiting, 1 needs staff
Cache           3 h old
Last import     patrons, 2013 rows, 50 min ago

ALARM  SINCE     TEXT
SCAN1  just now  a scanner is not there: bin
LIBR1  3 d ago   the library system does not answer

DEVICE  STATE   SINCE     ROLE     READS  REPEATS  DROPS  PATH                   TROUBLE
bin     absent  just now  bin      12     0        0      /dev/circdesk/bin      no such file or directory
desk    ready   17 h ago  student  20123  17       3      /dev/circdesk/scanner
`, "")
}

// A file that was refused at night is found in the morning.
func TestStatusTellsWhatWasWrongWithTheLastFile(t *testing.T) {
	file := control.ImportReport{Kind: "patrons", Name: "patrons.csv", Rows: 12, Bad: 7,
		Refused: "the file would drop 2001 of the 2013 patrons that are there"}
	for line := range 7 {
		file.BadRows = append(file.BadRows, control.BadRow{Line: line + 2, Column: "barcode", Reason: "is empty"})
	}
	st := control.Status{LastFile: &control.Tried{At: at("2026-11-24T12:00:00Z"), ImportReport: file}}
	s := run(nil, "-socket", serve(t, &desk{status: st}, nil), "status")
	if want := `
Last import     none

The last file, 6 h ago
patrons.csv: NOTHING was loaded: the file would drop 2001 of the 2013 patrons that are there

7 rows were left out:
LINE  COLUMN   REASON
2     barcode  is empty
3     barcode  is empty
4     barcode  is empty
5     barcode  is empty
6     barcode  is empty
and 2 more

No alarms.
`; !strings.Contains(s.out, want) {
		t.Errorf("%s--- want in it:%s", s.out, want)
	}
	st.LastFile.ImportReport = control.ImportReport{Kind: "patrons", Rows: 2013, Loaded: 2013}
	if s := run(nil, "-socket", serve(t, &desk{status: st}, nil), "status"); strings.Contains(s.out, "last file") {
		t.Errorf("there is nothing to tell:\n%s", s.out)
	}
}

func TestStats(t *testing.T) {
	d := &desk{stats: []control.Stat{
		{Day: "2026-11-23", Hour: 9, Kind: kiosk.KindLoan, Grade: "3", Type: "regular", Class: "500", Count: 12},
		{Day: "2026-11-23", Hour: 14, Kind: kiosk.KindLoan, Grade: "10", Type: "regular", Class: "E", Count: 1},
		{Day: "2026-11-24", Hour: 9, Kind: kiosk.KindLoan, Grade: "3", Type: "regular", Class: "E", Count: 3},
		{Day: "2026-11-24", Hour: 9, Kind: kiosk.KindReturn, Count: 20},
	}}
	socket := serve(t, d, nil)
	for by, want := range map[string]string{
		"":           "\nDAY         LOAN  RETURN\n2026-11-23  13    0\n2026-11-24  3     20\n",
		" -by hour":  "\nHOUR  LOAN  RETURN\n9     15    20\n14    1     0\n",
		" -by grade": "\nGRADE  LOAN  RETURN\n-      0     20\n3      15    0\n10     1     0\n",
		" -by type":  "\nTYPE     LOAN  RETURN\n-        0     20\nregular  16    0\n",
		" -by class": "\nCLASS  LOAN  RETURN\n-      0     20\n500    12    0\nE      4     0\n",
	} {
		run(nil, strings.Fields("-socket "+socket+" stats"+by)...).want(t, 0, want, "")
	}
	run(nil, "-socket", socket, "stats", "-from", "2026-11-23", "-until", "2026-11-24 12:00")
	if want := "from 2026-11-23T08:00:00Z until 2026-11-24T20:00:00Z"; d.counted != want {
		t.Errorf("counted %s, want %s", d.counted, want)
	}
	run(nil, "stats", "-socket", serve(t, &desk{}, nil)).want(t, 0, "Nothing happened in that time.\n", "")
}

func TestStatusOfANewDesk(t *testing.T) {
	socket := serve(t, &desk{status: control.Status{Kiosk: "LIB-1", Version: "1.0.0", Screen: kiosk.ModeAttract,
		Clock: kiosk.ClockRestored, Library: "none"}}, nil)
	run(nil, "status", "-socket="+socket).want(t, 0, `
LIB-1, kioskd 1.0.0, up for 0 s

Screen          attract
At the desk     nobody
Clock           restored
Library system  none
Journal         0 entries
Queue           0 waiting, 0 need staff
Cache           empty: no file from the library system was imported yet
Last import     none

No alarms.

No devices.
`, "")
}

func TestJSONIsOneDocumentOrOneObjectALine(t *testing.T) {
	d := &desk{
		status:   control.Status{Kiosk: "LIB-1", Screen: kiosk.ModeAttract, CacheAgeS: new(int64(60))},
		devices:  []control.Device{{Name: "a", State: "ready"}, {Name: "b", State: "absent"}},
		entries:  []kiosk.Entry{loan(1), loan(2), loan(3)},
		verified: control.Verified{OK: true, Entries: 3, Head: "3f2a"},
		stats:    []control.Stat{{Day: "2026-11-23", Hour: 9, Kind: kiosk.KindLoan, Count: 12}, {Day: "2026-11-24", Count: 1}},
	}
	socket := serve(t, d, nil)
	file := filepath.Join(t.TempDir(), "patrons.csv")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args  string
		lines int
		keys  string // of every line, that the design names
	}{
		{"status", 1, "screen queue needs_staff cache_age_s clock alarms devices"},
		{"devices", 2, "name kind path state since error"},
		{"journal", 3, "seq key kind at clock session role patron item due policy delivery"},
		{"journal -since 2", 2, "seq key kind at clock session role patron item due policy delivery"},
		{"journal -since 9", 0, ""},
		{"queue", 3, "seq key kind at clock session role patron item due policy delivery attempts since answer"},
		{"stats", 2, "day hour kind grade circ_type class count"},
		{"verify", 1, "ok entries head"},
		{"import patrons " + file, 1, "kind rows loaded bad bad_rows refused"},
	} {
		s := run(nil, append([]string{"-json", "-socket", socket}, strings.Fields(test.args)...)...)
		if s.status != 0 || s.err != "" || strings.Count(s.out, "\n") != test.lines {
			t.Errorf("%s: %+v, want %d lines", test.args, s, test.lines)
		}
		for line := range strings.Lines(s.out) {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Errorf("%s: %q: %v", test.args, line, err)
			}
			for key := range strings.FieldsSeq(test.keys) {
				if _, ok := v[key]; !ok {
					t.Errorf("%s: no %q in %s", test.args, key, line)
				}
			}
		}
	}
}

func TestJournal(t *testing.T) {
	back, hours, strange := loan(2), loan(3), loan(4)
	back.Kind, back.Outcome, back.Patron, back.Due = kiosk.KindReturn, kiosk.OutcomeHold, "", kiosk.Due{}
	back.Clock, back.Delivery = kiosk.ClockRestored, kiosk.Queued
	hours.Due = kiosk.DueAt(at("2026-11-24T22:00:00Z"))
	strange.Item = "\x1b[2J\u202e42"
	socket := serve(t, &desk{entries: []kiosk.Entry{loan(1), back, hours, strange}}, nil)
	run(nil, "-socket", socket, "journal").want(t, 0, `
    SEQ  WHEN                 KIND     OUTCOME      ITEM             PATRON           DUE              DELIVERY
      1  2026-11-24 09:30:00  loan     loan         31234000010042   21234000000017   2026-12-08       confirmed
      2  2026-11-24 09:30:00? return   hold         31234000010042   -                -                queued
      3  2026-11-24 09:30:00  loan     loan         31234000010042   21234000000017   2026-11-24 14:00 confirmed
      4  2026-11-24 09:30:00  loan     loan         `+"\ufffd[2J\ufffd42"+`          21234000000017   2026-12-08       confirmed
`, "")
	run(nil, "-socket", socket, "journal", "-since", "5").want(t, 0, "The journal has no entry from number 5 on.\n", "")
	run(nil, "-socket", serve(t, &desk{}, nil), "journal").want(t, 0, "The journal is empty.\n", "")
}

func TestQueue(t *testing.T) {
	stuck := loan(2)
	stuck.Delivery, stuck.Attempts, stuck.Answer = kiosk.NeedsStaff, 3, "Item is \x07marked lost"
	stuck.Since = at("2026-11-22T17:00:00Z")
	waiting := loan(1)
	waiting.Delivery, waiting.Attempts = kiosk.Attempting, 1
	socket := serve(t, &desk{entries: []kiosk.Entry{waiting, stuck}}, nil)
	run(nil, "queue", "-socket", socket).want(t, 0, `
SEQ  DELIVERY     SINCE      TRIES  KIND  ITEM            PATRON          ANSWER
1    attempting   5 min ago  1      loan  31234000010042  21234000000017
2    needs_staff  2 d ago    3      loan  31234000010042  21234000000017  Item is `+"\ufffd"+`marked lost
`, "")
	run(nil, "queue", "-socket", serve(t, &desk{}, nil)).want(t, 0, "Nothing waits for the library system.\n", "")
}

func TestVerify(t *testing.T) {
	for _, test := range []struct {
		verified control.Verified
		status   int
		want     string
	}{
		{control.Verified{OK: true, Entries: 1234, Head: "3f2a"}, 0, "The journal is whole: 1234 entries, the last hash is 3f2a.\n"},
		{control.Verified{OK: true}, 0, "The journal is empty.\n"},
		{control.Verified{Entries: 16, BadSeq: 17, Reason: "the hash does not fit"}, 1,
			"The journal is NOT whole: entry 17: the hash does not fit. The 16 entries before it fit.\n"},
		{control.Verified{Reason: "its end was cut off"}, 1, "The journal is NOT whole: its end was cut off.\n"},
	} {
		socket := serve(t, &desk{verified: test.verified}, nil)
		run(nil, "-socket", socket, "verify").want(t, test.status, test.want, "")
		if s := run(nil, "-json", "-socket", socket, "verify"); s.status != test.status || !strings.HasPrefix(s.out, "{") {
			t.Errorf("%+v as JSON: %+v", test.verified, s)
		}
	}
}

func TestImport(t *testing.T) {
	d := &desk{report: control.ImportReport{Rows: 2013, Loaded: 2010, Before: 1998, Bad: 3, Ignored: []string{"Email", "Bus\tNo"},
		BadRows: []control.BadRow{{Line: 17, Column: "patron_type", Reason: `there is no patron type "studnet"`},
			{Line: 203, Column: "barcode", Reason: "is empty"}, {Line: 1999, Column: "expires", Reason: `"soon" is not a date`}}}}
	socket := serve(t, d, nil)
	file := filepath.Join(t.TempDir(), "patrons.csv")
	if err := os.WriteFile(file, []byte("barcode\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, at("2026-11-24T14:00:00Z")); err != nil {
		t.Fatal(err)
	}
	run(nil, "-socket", socket, "import", "patrons", file).want(t, 0, `
patrons.csv: 2010 of 2013 rows loaded as patrons, 1998 before; written 4 h ago

3 rows were left out:
LINE  COLUMN       REASON
17    patron_type  there is no patron type "studnet"
203   barcode      is empty
1999  expires      "soon" is not a date

Columns that are not used: Email, Bus`+"\ufffd"+`No
`, "")
	if want := `patrons "barcode\n1\n" "patrons.csv" 2026-11-24T14:00:00Z force=false`; d.imported != want {
		t.Errorf("imported %s, want %s", d.imported, want)
	}
}

func TestImportOfTheStandardInput(t *testing.T) {
	d := &desk{report: control.ImportReport{Rows: 1, Loaded: 1}}
	socket := serve(t, d, nil)
	redirected, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer redirected.Close()
	if err := os.Chtimes(redirected.Name(), time.Time{}, at("2026-11-20T14:00:00Z")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		stdin       io.Reader
		args        string
		asked, said string
	}{
		{strings.NewReader("a pipe"), "import loans -", `loans "a pipe" "" 2026-11-24T18:00:00Z force=false`, "just now"},
		{redirected, "import -force copies -", `copies "" "" 2026-11-20T14:00:00Z force=true`, "4 d ago"},
		{strings.NewReader(""), "import holds - -taken 2026-11-23 -force", `holds "" "" 2026-11-23T08:00:00Z force=true`, "34 h ago"},
	} {
		s := run(test.stdin, append(strings.Fields(test.args), "-socket", socket)...)
		kind, _, _ := strings.Cut(test.asked, " ")
		s.want(t, 0, fmt.Sprintf("standard input: 1 of 1 row loaded as %s, 0 before; written %s\n", kind, test.said), "")
		if d.imported != test.asked {
			t.Errorf("imported %s, want %s", d.imported, test.asked)
		}
	}
}

func TestImportShowsTheFirstTwentyBadRows(t *testing.T) {
	d := &desk{report: control.ImportReport{Rows: 90, Loaded: 30, Bad: 60}}
	for line := range 50 {
		d.report.BadRows = append(d.report.BadRows, control.BadRow{Line: line + 2, Column: "barcode", Reason: "is empty"})
	}
	s := run(strings.NewReader(""), "-socket", serve(t, d, nil), "import", "copies", "-")
	if s.status != 0 || strings.Count(s.out, "is empty") != 20 || !strings.HasSuffix(s.out, "\n21    barcode  is empty\nand 40 more\n") {
		t.Errorf("%+v", s)
	}
}

func TestARefusedImportHasFailed(t *testing.T) {
	d := &desk{report: control.ImportReport{Rows: 12, Refused: "it has 12 rows, the last one had 2013; force it if that is right"}}
	socket := serve(t, d, nil)
	run(strings.NewReader(""), "-socket", socket, "import", "copies", "-").want(t, 1,
		"standard input: NOTHING was loaded: it has 12 rows, the last one had 2013; force it if that is right\n", "")
	if s := run(strings.NewReader(""), "-json", "-socket", socket, "import", "copies", "-"); s.status != 1 || !strings.Contains(s.out, `"refused":"it has 12`) {
		t.Errorf("as JSON: %+v", s)
	}
}

func TestWhatFailsExitsWithOne(t *testing.T) {
	socket := serve(t, &desk{err: errors.New("the disk is gone")}, nil)
	for _, command := range []string{"status", "devices", "journal", "queue", "stats", "verify", "import patrons -"} {
		run(strings.NewReader(""), append(strings.Fields(command), "-socket", socket)...).want(t, 1, "", "kioskctl: the disk is gone\n")
	}
	missing := filepath.Join(t.TempDir(), "patrons.csv")
	run(nil, "-socket", socket, "import", "patrons", missing).want(t, 1, "", "kioskctl: open "+missing+": no such file or directory\n")
	folder := t.TempDir()
	run(nil, "-socket", socket, "import", "patrons", folder).want(t, 1, "", "kioskctl: read "+folder+": is a directory\n")
}

func TestAStrangerIsToldWhoMayAsk(t *testing.T) {
	socket := serve(t, &desk{}, func(control.Peer) error { return errors.New("only root may do that") })
	run(nil, "-socket", socket, "status").want(t, 1, "", "kioskctl: only root may do that\n")
}

func TestWithoutADaemonItExitsWithThree(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	for _, command := range []string{"status", "devices", "journal", "queue", "stats", "verify", "import patrons -"} {
		run(strings.NewReader(""), append(strings.Fields(command), "-socket", socket)...).want(t, 3, "",
			"kioskctl: kioskd cannot be reached: dial unix "+socket+": connect: no such file or directory\n"+
				"systemctl status kioskd says whether it runs\n")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"-h", "--help", "help", "status -h"} {
		run(nil, strings.Fields(args)...).want(t, 0, usage, "")
	}
	for args, want := range map[string]string{
		"":                          "no command",
		"-json":                     "no command",
		"stauts":                    `there is no command "stauts"`,
		"status now":                "it is: kioskctl status",
		"status -x":                 "flag provided but not defined: -x",
		"status -since 3":           "status has no flag -since",
		"journal -force":            "journal has no flag -force",
		"journal -since yesterday":  `invalid value "yesterday" for flag -since: parse error`,
		"journal -since":            "flag needs an argument: -since",
		"import patrons":            "it is: kioskctl import KIND FILE",
		"import books x.csv":        `"books" is not one of patrons, copies, loans, holds, charges, cards`,
		"stats -by name":            `invalid value "name" for flag -by: it should be day, hour, grade, type or class`,
		"import patrons x -taken 3": `invalid value "3" for flag -taken: it should look like 2026-11-24, "2026-11-24 07:30" or 2026-11-24T07:30:00-08:00`,
	} {
		run(nil, strings.Fields(args)...).want(t, 2, "", "kioskctl: "+want+"\nkioskctl -h says how it is used\n")
	}
}

func TestAFileMayBeginWithADash(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("-force", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &desk{}
	if s := run(nil, "-socket", serve(t, d, nil), "import", "patrons", "--", "-force"); s.status != 0 || !strings.HasPrefix(d.imported, `patrons "x" "-force"`) {
		t.Errorf("%+v, imported %s", s, d.imported)
	}
}

func TestWhatCannotBePrintedHasFailed(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var errs bytes.Buffer
	tl := tool{out: full, err: &errs, zone: time.UTC}
	status := tl.run(t.Context(), []string{"-socket", serve(t, &desk{}, nil), "queue"})
	if status != 1 || !strings.Contains(errs.String(), "printing: write /dev/full: no space left on device") {
		t.Errorf("exit %d: %s", status, errs.String())
	}
}

func TestTimes(t *testing.T) {
	tl := tool{now: at("2026-11-24T18:00:00Z"), zone: time.UTC}
	for when, want := range map[string]string{
		"2026-11-24T18:00:30Z": "just now",
		"2026-11-24T18:02:00Z": "2026-11-24 18:02",
		"2026-11-24T17:59:01Z": "just now",
		"2026-11-24T17:01:00Z": "59 min ago",
		"2026-11-24T17:00:00Z": "1 h ago",
		"2026-11-22T18:00:01Z": "47 h ago",
		"2026-11-22T18:00:00Z": "2 d ago",
		"0001-01-01T00:00:00Z": "-",
	} {
		if got := tl.ago(at(when)); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
}

func TestBackup(t *testing.T) {
	socket := serve(t, &desk{}, nil)
	path := filepath.Join(t.TempDir(), "journal.backup")
	run(nil, "-socket", socket, "backup", path).want(t, done, "The journal is in "+path+".\n", "")
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "the journal" {
		t.Errorf("%q, %v", text, err)
	}
	sum := sha256.Sum256(text)
	if got, err := os.ReadFile(path + ".sha256"); err != nil || string(got) != hex.EncodeToString(sum[:])+"  journal.backup\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAFailedBackupLeavesNothing(t *testing.T) {
	socket := serve(t, &desk{err: errors.New("the disk is gone")}, nil)
	folder := t.TempDir()
	run(nil, "-socket", socket, "backup", filepath.Join(folder, "b")).want(t, failed, "", "kioskctl: the disk is gone\n")
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A backup over an older one that ends half-way leaves no sum beside a file that it does not fit.
func TestABackupNeverHasAWrongSum(t *testing.T) {
	socket := serve(t, &desk{}, nil)
	for stuck, other := range map[string]string{"b": "b.sha256", "b.sha256": "b"} {
		folder := t.TempDir()
		if err := os.MkdirAll(filepath.Join(folder, stuck, "x"), 0o700); err != nil { // cannot be replaced, nor removed
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, other), []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		if s := run(nil, "-socket", socket, "backup", filepath.Join(folder, "b")); s.status != failed {
			t.Errorf("%s cannot be written: %+v", stuck, s)
		}
		text, err := os.ReadFile(filepath.Join(folder, other))
		if gone := errors.Is(err, fs.ErrNotExist); other == "b" && string(text) != "older" || other != "b" && !gone {
			t.Errorf("%s cannot be written: %s is %q, %v", stuck, other, text, err)
		}
	}
}

func TestSettle(t *testing.T) {
	d := &desk{}
	socket := serve(t, d, nil)
	run(nil, "-socket", socket, "queue", "settle", "LIB-1-7f3a-9", "-why", "done in Destiny").want(t, done, "LIB-1-7f3a-9 is settled.\n", "")
	if d.settled != "LIB-1-7f3a-9: done in Destiny" {
		t.Errorf("settled %q", d.settled)
	}
	s := run(nil, "-socket", socket, "queue", "settle", "LIB-1-7f3a-9")
	if s.status != misused || !strings.Contains(s.err, "settle needs -why") {
		t.Errorf("%+v", s)
	}
}
