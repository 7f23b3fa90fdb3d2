package intake

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// A generator is a file of n pieces that is never in memory as a whole.
type generator struct {
	n, i  int
	piece func(i int) string
	rest  string
}

func (g *generator) Read(p []byte) (int, error) {
	if g.rest == "" {
		if g.i == g.n {
			return 0, io.EOF
		}
		g.rest = g.piece(g.i)
		g.i++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// formats are files of copies in each format, and one of nothing but bad rows.
func formats() map[string]func(i int) string {
	at := func(header string, row func(i int) string) func(i int) string {
		return func(i int) string {
			if i == 0 {
				return header + row(i)
			}
			return row(i)
		}
	}
	return map[string]func(i int) string{
		"csv": at("barcode,title_id,title,author,call_number\n", func(i int) string {
			return fmt.Sprintf("%014d,T%d,\"Cien años, %d\",\"García Márquez, Gabriel\",FIC GAR\n", i, i, i)
		}),
		"bad csv": at("barcode,title\n", func(i int) string { return fmt.Sprintf("\"%d,\x01\n", i) }),
		"marc":    func(i int) string { return iso('a', maus(fmt.Sprint(i))...) },
		"marcxml": at("<collection>", func(i int) string { return marcxml("", maus(fmt.Sprint(i))...) }),
	}
}

// heap is the most that lives on the heap beside what was there before, while a file of n rows is read.
func heap(t *testing.T, n int, piece func(i int) string) (most uint64, rows int) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	f, err := Open("copies", &generator{n: n, piece: piece}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range f.Rows() {
		if rows++; rows%(n/8) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc-min(before, m.HeapAlloc))
		}
	}
	return most, rows
}

func TestALongFileNeedsNoMoreMemoryThanAShortOne(t *testing.T) {
	const slack = 256 << 10
	for name, piece := range formats() {
		short, few := heap(t, 1_000, piece)
		n := 200_000
		if strings.HasPrefix(name, "marc") {
			n = 20_000 // they are long
		}
		long, many := heap(t, n, piece)
		if few < 490 || many < n/2-10 {
			t.Errorf("%s: %d and %d rows", name, few, many)
		}
		if long > short+slack {
			t.Errorf("%s: %d bytes of heap for 1,000 rows, %d for %d", name, short, long, n)
		}
		t.Logf("%s: %d KiB of heap for 1,000 rows, %d for %d", name, short>>10, long>>10, n)
	}
}

func TestTheMemoryTestSeesAFileThatIsKept(t *testing.T) {
	piece := formats()["csv"]
	var kept []string
	keep := func(i int) string {
		s := piece(i)
		kept = append(kept, s)
		return s
	}
	short, _ := heap(t, 1_000, keep)
	kept = nil
	long, _ := heap(t, 200_000, keep)
	if long < short+(4<<20) {
		t.Errorf("%d and %d bytes although the file is kept (%d)", short, long, len(kept))
	}
}

func BenchmarkRows(b *testing.B) {
	for name, piece := range formats() {
		b.Run(name, func(b *testing.B) {
			var file strings.Builder
			for i := range 20_000 {
				file.WriteString(piece(i))
			}
			b.SetBytes(int64(file.Len()))
			b.ReportAllocs()
			for b.Loop() {
				f, err := Open("copies", strings.NewReader(file.String()), Options{})
				if err != nil {
					b.Fatal(err)
				}
				for range f.Rows() {
				}
			}
			b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
