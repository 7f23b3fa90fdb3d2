package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"circdesk/devices/devicestest"
)

// A soak lends and takes back, over and over, at the shipped binary, and looks now and then whether
// anything grows. "make soak" takes a million transactions, "go test" a few.
func TestSoak(t *testing.T) {
	transactions, err := strconv.Atoi(os.Getenv("CIRCDESK_SOAK_TX"))
	if err != nil {
		transactions = 400
	}
	books := min(30_000, transactions/2)
	more, desks, bins := manyScanners(t)
	p := bench(t, size{patrons: soakPatrons, copies: books}, build(t), more)
	l := p.line()
	began, every := time.Now(), max(1, transactions/10)
	var first, last vitals
	fmt.Printf("%12s %8s %8s %6s %10s %12s %12s\n", "transactions", "seconds", "RSS MiB", "files", "goroutines", "journal-wal", "cache-wal")
	for done := 0; done < transactions; {
		for i := 0; i < books && done < transactions; i++ {
			lend := done/books%2 == 0
			if !lend && i == 0 {
				l.port = desks[0]
				l.leave()
			}
			l.port = bins[done%len(bins)]
			if lend {
				l.port = desks[done%len(desks)]
			}
			l.lendOrReturn(lend, i)
			if done++; done%every == 0 {
				last = p.look(t)
				fmt.Printf("%12d %8.0f %8.1f %6d %10d %12d %12d\n", done, time.Since(began).Seconds(), last.rss, last.files, last.goroutines, last.journalWAL, last.cacheWAL)
				if 2*done >= transactions && first == (vitals{}) {
					first = last // the first half fills what is kept
				}
			}
		}
	}
	per100k := (last.rss - first.rss) / float64(transactions) * 100_000 / 0.5
	if last.rss > 64 || transactions >= 100_000 && per100k > 1 {
		t.Errorf("memory: %.1f MiB, %.2f MiB more for each 100,000", last.rss, per100k)
	}
	if last.files > first.files+4 || last.goroutines > first.goroutines+8 {
		t.Errorf("leaks: files %d to %d, goroutines %d to %d", first.files, last.files, first.goroutines, last.goroutines)
	}
	if most := int64(8 << 20); last.journalWAL > most || last.cacheWAL > most {
		t.Errorf("WAL files of %d and %d bytes", last.journalWAL, last.cacheWAL)
	}
	if v, err := p.ctl().Verify(t.Context()); err != nil || !v.OK || v.Entries != uint64(transactions) {
		t.Errorf("after %d transactions: %+v, %v", transactions, v, err)
	}
}

// manyScanners are more than a desk has: one alone that sends so much is muted as noisy.
func manyScanners(t *testing.T) (config string, desks, bins []*devicestest.Port) {
	t.Helper()
	folder := t.TempDir()
	for i := range 16 {
		role, list := "student", &desks
		if i%2 == 1 {
			role, list = "bin", &bins
		}
		port, err := devicestest.Plug(filepath.Join(folder, fmt.Sprint("port", i)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { port.Unplug() })
		*list = append(*list, port)
		config += fmt.Sprintf("[[scanner]]\nname = \"more-%d\"\nrole = %q\npath = %q\n", i, role, port.Path())
	}
	return config, desks, bins
}

// leave ends the visit, so that the slot comes on the screen.
func (l *line) leave() {
	l.t.Helper()
	l.scan("%FINISH%", func(f frame) bool { return f.doc.Screen == "finish" })
	l.scan("%OK%", func(f frame) bool { return f.doc.Screen == "attract" || f.doc.Screen == "bin" }) // the last run may be open still
}

// soakPatrons are so many that no card comes again soon: the same code from the same scanner within 1.2 s
// is one scan.
const soakPatrons = 2000

// lendOrReturn is one transaction: a loan at the desk, in visits of five, or a return in the slot.
func (l *line) lendOrReturn(lend bool, i int) {
	l.t.Helper()
	book := code("3", i)
	if lend && i%5 == 0 {
		before := ""
		l.scan(code("2", i/5%soakPatrons), func(f frame) bool {
			is := before != string(f.doc.Session) && f.doc.Screen == "borrow" && len(f.doc.Model.Items) == 0
			before = string(f.doc.Session)
			return is
		})
	}
	l.scan(book, func(f frame) bool { return len(f.doc.Model.Items) > 0 && f.doc.Model.Items[0].Tail == book[10:] })
}

// vitals are one look at the process.
type vitals struct {
	rss                  float64 // MiB
	files, goroutines    int
	journalWAL, cacheWAL int64
}

func (p *process) look(t *testing.T) vitals {
	t.Helper()
	pid := p.worker()
	s := vitals{rss: field(t, fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") / 1024}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	s.files = len(fds)
	_, text := p.get("/metrics")
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, "go_goroutines "); ok {
			s.goroutines, _ = strconv.Atoi(strings.TrimSpace(rest))
		}
	}
	s.journalWAL, s.cacheWAL = length(p.path("state/journal.db-wal")), length(p.path("state/cache.db-wal"))
	return s
}

func length(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
