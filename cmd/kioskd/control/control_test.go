package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/kiosk"
)

// A desk is a Desk of fixed answers.
type desk struct {
	entries []kiosk.Entry
	broken  error // ends every list
	copy    string

	mu     sync.Mutex
	called []string // what was asked for
	file   string   // the last one imported
}

func (d *desk) call(what string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.called = append(d.called, fmt.Sprintf(what, args...))
}

// calls returns what was asked for.
func (d *desk) calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string{}, d.called...)
}

func (d *desk) Status(context.Context) (Status, error) {
	return Status{Kiosk: "LIB-1", Screen: kiosk.ModeAttract, Clock: kiosk.ClockSynchronised}, nil
}

func (d *desk) Devices(context.Context) ([]Device, error) {
	return []Device{{Name: "desk", State: "absent", Error: "no such file"}}, nil
}

func (d *desk) Journal(_ context.Context, since uint64) iter.Seq2[kiosk.Entry, error] {
	d.call("journal %d", since)
	return d.list(func(e kiosk.Entry) bool { return e.Seq >= since })
}

func (d *desk) Queue(context.Context) iter.Seq2[kiosk.Entry, error] {
	return d.list(func(e kiosk.Entry) bool { return e.Delivery != kiosk.Confirmed })
}

func (d *desk) list(wanted func(kiosk.Entry) bool) iter.Seq2[kiosk.Entry, error] {
	return func(yield func(kiosk.Entry, error) bool) {
		for _, e := range d.entries {
			if wanted(e) && !yield(e, nil) {
				return
			}
		}
		if d.broken != nil {
			yield(kiosk.Entry{}, d.broken)
		}
	}
}

func (d *desk) Verify(context.Context) (Verified, error) {
	return Verified{}, errors.New("the disk is gone")
}

func (d *desk) Stats(_ context.Context, from, until time.Time) ([]Stat, error) {
	d.call("stats %s %s", from.Format(time.RFC3339), until.Format(time.RFC3339))
	return []Stat{{"2026-11-24", 9, kiosk.KindLoan, "3", "regular", "500", 2}, {Day: "2026-11-24", Hour: 10, Kind: kiosk.KindReturn, Count: 1}}, d.broken
}

func (d *desk) Backup(_ context.Context, use func(io.Reader, string) error) error {
	sum := sha256.Sum256([]byte(d.copy))
	if d.broken != nil && d.copy == "" {
		return d.broken
	}
	text := io.Reader(strings.NewReader(d.copy))
	if d.broken != nil {
		text = io.MultiReader(text, &failing{d.broken})
	}
	return use(text, hex.EncodeToString(sum[:]))
}

func (d *desk) Settle(_ context.Context, key kiosk.Key, why string) error {
	d.call("settle %s %q", key, why)
	return d.broken
}

func (d *desk) Import(_ context.Context, kind string, r io.Reader, req ImportRequest) (ImportReport, error) {
	d.call("import %s %+v", kind, req)
	text, err := io.ReadAll(r)
	if err != nil {
		return ImportReport{}, fmt.Errorf("reading the file: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.file = string(text)
	return ImportReport{Kind: kind, Rows: bytes.Count(text, []byte("\n"))}, nil
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// journal is n loans, from number 1 on.
func journal(n int) []kiosk.Entry {
	var all []kiosk.Entry
	for seq := 1; seq <= n; seq++ {
		all = append(all, kiosk.Entry{
			Act: kiosk.Act{
				Key: kiosk.Key(fmt.Sprintf("LIB-1-7f3a-%d", seq)), Kind: kiosk.KindLoan, At: at("2026-11-24T09:30:00-08:00"),
				Clock: kiosk.ClockSynchronised, Session: 7, Role: kiosk.RoleStudent, Patron: "21234000000017",
				Item: "31234000010042", Due: kiosk.DueOn(kiosk.Date{Year: 2026, Month: 12, Day: 7}),
				Outcome: kiosk.OutcomeLoan, Policy: "2026-27.1",
			},
			Seq: uint64(seq), Delivery: kiosk.NeedsStaff, Attempts: 2, Since: at("2026-11-24T09:31:00-08:00"), Answer: "item is lost",
		})
	}
	return all
}

// A logbook is a log that a test may read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve starts s on a socket of its own and returns its path. The test's end stops it.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	path := filepath.Join(t.TempDir(), "control.sock")
	ln, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is left behind: %v", err)
		}
	})
	return path
}

// get returns the status and the raw answer to a request.
func get(t *testing.T, socket, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://kioskd"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := Dial(socket).http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestTheAnswersHaveTheShapeOfTheDesign(t *testing.T) {
	d := &desk{entries: journal(2)}
	d.entries[1].Patron, d.entries[1].Due, d.entries[1].Kind = "", kiosk.Due{}, kiosk.KindReturn
	d.entries[1].Delivery = kiosk.Confirmed
	socket := serve(t, &Server{Desk: d})
	loan := `{"seq":1,"key":"LIB-1-7f3a-1","kind":"loan","at":"2026-11-24T09:30:00-08:00","clock":"synchronised","session":7,` +
		`"role":"student","patron":"21234000000017","item":"31234000010042","due":"2026-12-07","outcome":"loan",` +
		`"policy":"2026-27.1","delivery":"needs_staff"`
	for _, test := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"GET", "/v1/status", 200, `{"kiosk":"LIB-1","name":"","version":"","uptime_s":0,"screen":"attract","session":0,` +
			`"clock":"synchronised","library":"","entries":0,"queue":0,"needs_staff":0,"cache_age_s":null,` +
			`"last_import":null,"last_file":null,"alarms":[],"devices":[]}` + "\n"},
		{"GET", "/v1/journal?limit=1", 200, loan + "}\n"},
		{"GET", "/v1/journal?since=2", 200, `{"seq":2,"key":"LIB-1-7f3a-2","kind":"return","at":"2026-11-24T09:30:00-08:00",` +
			`"clock":"synchronised","session":7,"role":"student","patron":null,"item":"31234000010042","due":"",` +
			`"outcome":"loan","policy":"2026-27.1","delivery":"confirmed"}` + "\n"},
		{"GET", "/v1/journal?since=3", 200, ""},
		{"GET", "/v1/queue", 200, loan + `,"attempts":2,"since":"2026-11-24T09:31:00-08:00","answer":"item is lost"}` + "\n"},
		{"GET", "/v1/journal?since=x", 400, `{"error":"since: \"x\" is not a sequence number"}` + "\n"},
		{"GET", "/v1/stats?until=2026-11-25T00:00:00Z", 200, `{"day":"2026-11-24","hour":9,"kind":"loan","grade":"3","circ_type":"regular",` +
			`"class":"500","count":2}` + "\n" + `{"day":"2026-11-24","hour":10,"kind":"return","grade":"","circ_type":"","class":"","count":1}` + "\n"},
		{"GET", "/v1/stats?from=monday", 400, `{"error":"from: \"monday\" is not a time of RFC 3339"}` + "\n"},
		{"GET", "/v1/verify", 500, `{"error":"the disk is gone"}` + "\n"},
		{"GET", "/v1/coffee", 404, `{"error":"the daemon knows no \"GET /v1/coffee\""}` + "\n"},
		{"DELETE", "/v1/journal", 404, `{"error":"the daemon knows no \"DELETE /v1/journal\""}` + "\n"},
		{"POST", "/v1/import/books?taken=2026-11-24T09:30:00Z", 400,
			`{"error":"\"books\" is not one of the kinds [\"patrons\" \"copies\" \"loans\" \"holds\" \"charges\" \"cards\"]"}` + "\n"},
		{"POST", "/v1/import/patrons?taken=today", 400, `{"error":"taken: \"today\" is not a time of RFC 3339"}` + "\n"},
		{"POST", "/v1/import/patrons?taken=2026-11-24T09:30:00Z&force=perhaps", 400,
			`{"error":"force: \"perhaps\" is not true or false"}` + "\n"},
	} {
		status, got := get(t, socket, test.method, test.path)
		if status != test.status || got != test.want {
			t.Errorf("%s %s:\ngot  %d %s\nwant %d %s", test.method, test.path, status, got, test.status, test.want)
		}
	}
}

func TestTheClientReadsWhatTheServerWrites(t *testing.T) {
	d := &desk{entries: journal(3)}
	c := Dial(serve(t, &Server{Desk: d}))
	if st, err := c.Status(t.Context()); err != nil || st.Kiosk != "LIB-1" || st.Screen != kiosk.ModeAttract {
		t.Errorf("status: %+v, %v", st, err)
	}
	if all, err := c.Devices(t.Context()); err != nil || len(all) != 1 || all[0].Error != "no such file" {
		t.Errorf("devices: %+v, %v", all, err)
	}
	waiting, err := c.Queue(t.Context())
	if err != nil || len(waiting) != 3 {
		t.Fatalf("queue: %+v, %v", waiting, err)
	}
	if want := waitingOf(d.entries[2]); !reflect.DeepEqual(asJSON(t, waiting[2]), asJSON(t, want)) {
		t.Errorf("queue: got %+v, want %+v", waiting[2], want)
	}
	from := at("2026-11-24T08:00:00Z")
	if all, err := c.Stats(t.Context(), from, time.Time{}); err != nil || len(all) != 2 || all[0].Count != 2 || all[1].Class != "" {
		t.Errorf("stats: %+v, %v", all, err)
	}
	if got := d.calls(); got[len(got)-1] != "stats 2026-11-24T08:00:00Z 0001-01-01T00:00:00Z" {
		t.Errorf("asked for %q", got)
	}
	if _, err := c.Verify(t.Context()); err == nil || err.Error() != "the disk is gone" || errors.Is(err, ErrAway) {
		t.Errorf("verify: %v", err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// numbers reads a journal to its end or its first error.
func numbers(lines iter.Seq2[Line, error]) ([]uint64, error) {
	var all []uint64
	for l, err := range lines {
		if err != nil {
			return all, err
		}
		all = append(all, l.Seq)
	}
	return all, nil
}

func TestALongJournalComesInPages(t *testing.T) {
	d := &desk{entries: journal(2*page + 1)}
	got, err := numbers(Dial(serve(t, &Server{Desk: d})).Journal(t.Context(), 2))
	if err != nil || len(got) != 2*page || got[0] != 2 || got[len(got)-1] != 2*page+1 {
		t.Errorf("%d lines, %v", len(got), err)
	}
	want := []string{"journal 2", fmt.Sprintf("journal %d", page+2), fmt.Sprintf("journal %d", 2*page+2)}
	if calls := d.calls(); !reflect.DeepEqual(calls, want) {
		t.Errorf("asked for %q, want %q", calls, want)
	}
}

func TestAReaderMayStop(t *testing.T) {
	d := &desk{entries: journal(5)}
	for l, err := range Dial(serve(t, &Server{Desk: d})).Journal(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Seq == 2 {
			break
		}
	}
}

func TestAJournalThatBreaksInTheMiddle(t *testing.T) {
	d := &desk{entries: journal(3), broken: errors.New("the page at 4 cannot be read")}
	c := Dial(serve(t, &Server{Desk: d}))
	got, err := numbers(c.Journal(t.Context(), 0))
	if len(got) != 3 || err == nil || err.Error() != "the page at 4 cannot be read" {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := numbers(c.Journal(t.Context(), 4)); err == nil || err.Error() != "the page at 4 cannot be read" {
		t.Errorf("at its beginning: %v", err)
	}
}

func TestAJournalOutOfOrderIsNotReadForEver(t *testing.T) {
	d := &desk{entries: journal(2)}
	d.entries[1].Seq = 1
	_, err := numbers(Dial(serve(t, &Server{Desk: d})).Journal(t.Context(), 0))
	if err == nil || !strings.Contains(err.Error(), "out of order at number 1") {
		t.Errorf("got %v", err)
	}
}

func TestAFileArrivesWhole(t *testing.T) {
	d := &desk{}
	c := Dial(serve(t, &Server{Desk: d}))
	text := strings.Repeat("21234000000017,Maya\n", 100_000)
	req := ImportRequest{Name: "patrons & co.csv", Taken: at("2026-11-24T06:00:00Z"), Force: true}
	report, err := c.Import(t.Context(), "patrons", strings.NewReader(text), req)
	if err != nil || report.Rows != 100_000 || report.Kind != "patrons" {
		t.Errorf("report %+v, %v", report, err)
	}
	if d.file != text {
		t.Errorf("%d bytes arrived of %d", len(d.file), len(text))
	}
	if want := []string{fmt.Sprintf("import patrons %+v", req)}; !reflect.DeepEqual(d.calls(), want) {
		t.Errorf("asked for %q, want %q", d.calls(), want)
	}
}

func TestAFileIsRefusedBeforeItIsSent(t *testing.T) {
	d := &desk{}
	c := Dial(serve(t, &Server{Desk: d}))
	file := strings.NewReader(strings.Repeat("x", 1<<20))
	_, err := c.Import(t.Context(), "books", file, ImportRequest{})
	if err == nil || !strings.Contains(err.Error(), `"books" is not one of the kinds`) || errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
	if file.Len() != 1<<20 || len(d.calls()) != 0 {
		t.Errorf("%d bytes are left; the desk was asked for %q", file.Len(), d.calls())
	}
}

func TestAFileThatIsTooLong(t *testing.T) {
	c := Dial(serve(t, &Server{Desk: &desk{}, mostFile: 1000}))
	_, err := c.Import(t.Context(), "copies", strings.NewReader(strings.Repeat("x", 1001)), ImportRequest{})
	if err == nil || err.Error() != "the file has more than 1000 bytes" {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatCannotBeRead(t *testing.T) {
	c := Dial(serve(t, &Server{Desk: &desk{}}))
	broken := errors.New("the stick was pulled out")
	file := io.MultiReader(strings.NewReader("barcode\n"), &failing{broken})
	if _, err := c.Import(t.Context(), "copies", file, ImportRequest{}); !errors.Is(err, broken) || errors.Is(err, ErrAway) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestEveryPartOfAFileHasADeadline(t *testing.T) {
	var set []time.Time
	f := &file{Reader: strings.NewReader("abc"), deadline: func(t time.Time) error { set = append(set, t); return nil }}
	buf := make([]byte, 2)
	for _, want := range []string{"ab", "c"} {
		n, err := f.Read(buf)
		if got := string(buf[:n]); got != want || err != nil {
			t.Fatalf("%q, %v; want %q", got, err, want)
		}
	}
	if len(set) != 4 || time.Until(set[0]) < stall/2 || !set[1].IsZero() || set[2].Before(set[0]) || !set[3].IsZero() {
		t.Errorf("deadlines %v", set)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	d, book := &desk{}, &logbook{}
	socket := serve(t, &Server{Desk: d, Log: slog.New(slog.NewTextHandler(book, nil)),
		Allow: func(Peer) error { return errors.New("only root may do that") }})
	c := Dial(socket)
	_, err := c.Status(t.Context())
	if err == nil || err.Error() != "only root may do that" || errors.Is(err, ErrAway) {
		t.Errorf("status: %v", err)
	}
	_, err = c.Import(t.Context(), "patrons", strings.NewReader("x"), ImportRequest{})
	if err == nil || err.Error() != "only root may do that" {
		t.Errorf("import: %v", err)
	}
	if len(d.calls()) != 0 {
		t.Errorf("the desk was asked for %q", d.calls())
	}
	if want := fmt.Sprintf(`level=WARN msg="control: refused" uid=%d gid=%d pid=%d`, os.Getuid(), os.Getgid(), os.Getpid()); !strings.Contains(book.String(), want) {
		t.Errorf("log: %swant: %s", book, want)
	}
}

func TestNobodyIsThere(t *testing.T) {
	if _, err := Dial(filepath.Join(t.TempDir(), "control.sock")).Status(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("without a socket: %v", err)
	}
	path := filepath.Join(t.TempDir(), "mute.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrAway) {
		t.Errorf("with one that hangs up: %v", err)
	}
}

func TestABackupArrivesWholeOrNotAtAll(t *testing.T) {
	d := &desk{copy: strings.Repeat("journal ", 100_000)}
	c := Dial(serve(t, &Server{Desk: d}))
	var got bytes.Buffer
	sum, err := c.Backup(t.Context(), &got)
	if want := sha256.Sum256([]byte(d.copy)); err != nil || got.String() != d.copy || sum != hex.EncodeToString(want[:]) {
		t.Errorf("%d bytes, %s, %v", got.Len(), sum, err)
	}
	d.broken = errors.New("the disk is gone")
	if _, err := c.Backup(t.Context(), io.Discard); err == nil {
		t.Error("a part was taken for the whole")
	}
	d.copy = ""
	if _, err := c.Backup(t.Context(), io.Discard); err == nil || err.Error() != "the disk is gone" {
		t.Errorf("got %v", err)
	}
}

func TestADeliveryIsSettledWithAReason(t *testing.T) {
	d := &desk{}
	c := Dial(serve(t, &Server{Desk: d}))
	if err := c.Settle(t.Context(), "LIB-1-7f3a-1", "done by hand & checked"); err != nil {
		t.Fatal(err)
	}
	if want := []string{`settle LIB-1-7f3a-1 "done by hand & checked"`}; !reflect.DeepEqual(d.calls(), want) {
		t.Errorf("asked for %q, want %q", d.calls(), want)
	}
	if err := c.Settle(t.Context(), "LIB-1-7f3a-1", ""); err == nil || err.Error() != "a key and a reason are needed" {
		t.Errorf("without a reason: %v", err)
	}
}
