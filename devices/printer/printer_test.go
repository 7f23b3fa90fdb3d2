package printer

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/devices"
)

func TestASlipInBytes(t *testing.T) {
	got := string(Slip{
		Title: "¡Hola!", Rows: []Row{{Left: "El principito", Right: "Dec 7"}, {Left: "Total", Bold: true}},
		Barcode: "30123000110423", Foot: "Library desk",
	}.Bytes(30))
	want := "\x1b@\x1bt\x13" + "\x1ba\x01\x1d!\x11\xadHola!\n\x1d!\x00\x1ba\x00\n" +
		"El principito            Dec 7\n" + "\x1bE\x01Total\n\x1bE\x00" +
		"\n\x1ba\x01\x1dH\x02\x1dh\x50\x1dkI\x10{B30123000110423\n\x1ba\x00" +
		"\nLibrary desk\n" + "\x1bd\x04\x1dVB\x00"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

// No text becomes a command, whatever stands on a label or in a title.
func TestHostileTextsAreInert(t *testing.T) {
	for _, hostile := range []string{"\x1b@\x1dV\x00", "\x10\x04\x01", "a\x00b", "\u202egnp", "\u009bA", "x\x7fy", "\r\n\x1bd\xff", strings.Repeat("\x1b", 10_000), "]C1{B{C", "\xff\xfe"} {
		got := string(Slip{Title: hostile, Rows: []Row{{Left: hostile, Right: hostile}}, Barcode: hostile, Foot: hostile}.Bytes(42))
		if want := string(Slip{Title: "x", Rows: []Row{{Left: "x", Right: "x"}}, Foot: "x"}.Bytes(42)); strings.Count(got, "\x1b") > strings.Count(want, "\x1b")+4 {
			t.Errorf("%.20q: %d escapes, a harmless slip has %d", hostile, strings.Count(got, "\x1b"), strings.Count(want, "\x1b"))
		}
		if text := encode(hostile); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%.20q has control characters left: %q", hostile, text)
		}
	}
}

func TestOtherLettersAreSpelt(t *testing.T) {
	for from, want := range map[string]string{
		"Núñez": "N\xa3\xa4ez", "Łódź": "L\xa2dz", "“Holes” – 5 €": "\"Holes\" - 5 \xd5", "Œuvre…": "OEuvre...", "Հայ": "???", "e\u0301": "e",
	} {
		if got := encode(from); got != want {
			t.Errorf("%q: got %q, want %q", from, got, want)
		}
	}
}

func TestRowsFitThePaper(t *testing.T) {
	for _, r := range []Row{
		{Left: strings.Repeat("long ", 30), Right: "Dec 7"}, {Left: strings.Repeat("x", 100)}, {Right: strings.Repeat("y", 100)}, {}, {Left: strings.Repeat("z", 40), Right: "Dec 7"},
	} {
		for l := range strings.Lines(r.lay(42)) {
			if n := len(strings.TrimSuffix(l, "\n")); n > 42 {
				t.Errorf("%d characters: %q", n, l)
			}
		}
	}
}

// A lpr is a printer on the network: it answers for its paper and keeps what it prints.
type lpr struct {
	net.Listener
	mu    sync.Mutex
	paper byte
	got   bytes.Buffer
	conns []net.Conn
}

func plug(t *testing.T) *lpr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lpr{Listener: l, paper: 0x12}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, c)
			p.mu.Unlock()
			go p.serve(c)
		}
	}()
	t.Cleanup(func() { p.unplug(); l.Close() })
	return p
}

func (p *lpr) serve(c net.Conn) {
	for r := bufio.NewReader(c); ; {
		b, err := r.ReadByte()
		if err != nil {
			return
		}
		if b == 0x10 {
			r.Discard(2)
			p.mu.Lock()
			c.Write([]byte{p.paper})
			p.mu.Unlock()
			continue
		}
		p.mu.Lock()
		p.got.WriteByte(b)
		p.mu.Unlock()
	}
}

func (p *lpr) unplug() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *lpr) set(paper byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paper = paper
}

func (p *lpr) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got.String()
}

// eventually waits for something that comes by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("waited for %s", what)
		case <-again.C:
		}
	}
}

// run starts a printer on p; it ends with the test.
func run(t *testing.T, p *lpr) (*Printer, chan devices.Status, chan Paper) {
	t.Helper()
	made, err := New(Config{Name: "receipt", Path: p.Addr().String(), Backoff: devices.Backoff{First: time.Millisecond, Absent: time.Millisecond, Max: 5 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	states, papers := make(chan devices.Status, 1000), make(chan Paper, 1000)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		made.Run(ctx, func(s devices.Status) { states <- s }, func(p Paper) { papers <- p })
		close(ended)
	}()
	t.Cleanup(func() { stop(); <-ended })
	return made, states, papers
}

func TestASlipIsPrintedAlsoAfterAReplug(t *testing.T) {
	lp := plug(t)
	p, _, papers := run(t, lp)
	if got := <-papers; got != PaperFine {
		t.Errorf("paper %q", got)
	}
	p.Print(Slip{Title: "One"})
	eventually(t, "the first slip", func() bool { return strings.Contains(lp.printed(), "One") })
	lp.unplug()
	eventually(t, "the second slip", func() bool {
		p.Print(Slip{Title: "Two"}) // the one under way may be lost with the cable
		return strings.Contains(lp.printed(), "Two")
	})
}

func TestPaperIsTold(t *testing.T) {
	for answer, want := range map[byte]Paper{0x12: PaperFine, 0x1e: PaperNearEnd, 0x72: PaperOut, 0x7e: PaperOut} {
		lp := plug(t)
		lp.set(answer)
		_, _, papers := run(t, lp)
		if got := <-papers; got != want {
			t.Errorf("%#x: %q, want %q", answer, got, want)
		}
	}
}

func TestAFullQueueDropsAndNeverWaits(t *testing.T) {
	p, err := New(Config{Name: "receipt", Path: "/dev/usb/lp9"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for p.Print(Slip{}) {
		n++
	}
	if n != waiting {
		t.Errorf("%d slips wait", n)
	}
}

func TestAMissingPrinterIsAbsent(t *testing.T) {
	for _, path := range []string{"/dev/usb/lp99", "/dev/ttyS-none"} {
		if _, err := Try(t.Context(), Config{Name: "receipt", Path: path}); err == nil || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A file will do for a printer that never answers.
func TestASilentPrinterIsTakenToBeFine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go io.Copy(io.Discard, r)
	mute := struct {
		io.Reader
		io.Writer
		io.Closer
	}{blocked{make(chan struct{})}, w, w}
	wire := &wire{rw: mute, bytes: make(chan byte, 1), done: make(chan struct{}), sent: make(chan error, 1)}
	defer wire.Close()
	if got, err := wire.ask(t.Context()); err != nil || got != PaperFine {
		t.Errorf("%q, %v", got, err)
	}
}

type blocked struct{ c chan struct{} }

func (b blocked) Read([]byte) (int, error) { <-b.c; return 0, io.EOF }

func TestWrongConfigs(t *testing.T) {
	err := Config{Kind: "fax", Columns: 7}.Check()
	for _, want := range []string{"name:", "path:", `kind: "fax"`, `columns: "7"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
