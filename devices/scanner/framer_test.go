package scanner

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// play feeds a Framer with the words of a script and returns its codes, joined
// by "|". A word is bytes to feed, or "~" and a pause.
func play(f *Framer, words ...string) string {
	var codes []string
	for _, word := range words {
		if pause, ok := strings.CutPrefix(word, "~"); ok {
			d, err := time.ParseDuration(pause)
			if err != nil {
				panic("framer_test: " + err.Error())
			}
			if code := f.Quiet(d); code != nil {
				codes = append(codes, string(code))
			}
			continue
		}
		for _, code := range f.Feed([]byte(word)) {
			codes = append(codes, string(code))
		}
	}
	return strings.Join(codes, "|")
}

func TestFraming(t *testing.T) {
	long := strings.Repeat("9", MaxCode)
	for _, c := range []struct {
		name  string
		words []string
		want  string
		drops uint64
	}{
		{"CR", []string{"1\r2\r"}, "1|2", 0},
		{"LF", []string{"1\n2\n"}, "1|2", 0},
		{"CR LF", []string{"1\r\n2\r\n"}, "1|2", 0},
		{"CR LF, cut between", []string{"1\r", "\n2\r", "\n"}, "1|2", 0},
		{"TAB", []string{"1\t2\t"}, "1|2", 0},
		{"STX and ETX", []string{"\x021\x03\x022\x03"}, "1|2", 0},
		{"byte by byte", []string{"3", "0", "1", "\r"}, "301", 0},
		{"no suffix", []string{"1", "~80ms", "2", "~100ms"}, "1|2", 0},
		{"a short pause within a code", []string{"1", "~79ms", "2\r"}, "12", 0},
		{"AIM identifier", []string{"]F03012300001238\r"}, "]F03012300001238", 0},
		{"spaces belong", []string{"P 12\r"}, "P 12", 0},
		{"bytes that are no text belong", []string{"\xff\x80\x7f\r"}, "\xff\x80\x7f", 0},
		{"nothing but suffixes", []string{"\r\n\t\x03\r", "~1s"}, "", 0},
		{"silence alone", []string{"~80ms", "~10s"}, "", 0},
		{"STX drops what was before", []string{"12\x0234\r"}, "34", 1},
		{"STX in a row", []string{"\x02\x0234\x03"}, "34", 0},
		{"control bytes in a code", []string{"1\x00\x072\x1b\r"}, "12", 3},
		{"GS RS EOT in a 2D code", []string{"[)>\x1e06\x1d1\x1e\x04\r"}, "[)>\x1e06\x1d1\x1e\x04", 0},
		{"GS RS EOT outside", []string{"\x1d\x1e\x041\r"}, "1", 3},
		{"the longest code", []string{long, "\r"}, long, 0},
		{"an over-long code, whole", []string{long, "9", "junk", "\r1\r"}, "1", 1},
		{"an over-long code, ended by silence", []string{long, "99", "~80ms", "1\r"}, "1", 1},
		{"an over-long code, ended by STX", []string{long, "99", "\x021\r"}, "1", 1},

		{"in pieces", []string{"1\r", "30", "~100ms", "~900ms", "2\r"}, "1|302", 0},
		{"a late suffix", []string{"1\r", "30", "~100ms", "\r"}, "1|30", 0},
		{"the suffix was switched off", []string{"1\r", "30", "~100ms", "~900ms", "~1s", "31", "~100ms"}, "1|30|31", 0},
		{"the suffix was switched on", []string{"30", "~100ms", "1\r", "2\r"}, "30|1|2", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &Framer{Idle: 80 * time.Millisecond, Patience: time.Second}
			if got := play(f, c.words...); got != c.want {
				t.Errorf("got %.80q, want %.80q", got, c.want)
			}
			if f.Drops() != c.drops {
				t.Errorf("%d drops, want %d", f.Drops(), c.drops)
			}
		})
	}
}

func TestResetForgetsAFragment(t *testing.T) {
	var f Framer
	f.Feed([]byte("31234"))
	f.Reset()
	if got := play(&f, "5\r"); got != "5" || f.Drops() != 1 {
		t.Errorf("got %q with %d drops", got, f.Drops())
	}
}

// FuzzFramer feeds the same bytes whole and in pieces. cuts holds the lengths of
// the pieces.
func FuzzFramer(f *testing.F) {
	f.Add([]byte("]E09780306406157\r\n\x02T 1\x03"), []byte{1, 2, 3})
	f.Add([]byte("1\x00\x1d2\t\xff\n\n"), []byte{4})
	f.Add(bytes.Repeat([]byte("0"), 2*MaxCode), []byte{255})
	f.Add(append(bytes.Repeat([]byte("0"), MaxCode+1), "\r7\r"...), []byte{0, 200})
	f.Fuzz(func(t *testing.T, p, cuts []byte) {
		var whole, pieces Framer
		want := whole.Feed(p)
		var got [][]byte
		rest := p
		for _, n := range cuts {
			n := min(int(n), len(rest))
			got = append(got, pieces.Feed(rest[:n])...)
			rest = rest[n:]
			if len(pieces.code) > MaxCode {
				t.Fatalf("holds %d bytes", len(pieces.code))
			}
		}
		got = append(got, pieces.Feed(rest)...)
		if last := whole.Quiet(time.Hour); last != nil {
			want = append(want, last)
		}
		if last := pieces.Quiet(time.Hour); last != nil {
			got = append(got, last)
		}
		if !slices.EqualFunc(got, want, bytes.Equal) || whole.Drops() != pieces.Drops() {
			t.Fatalf("in pieces %q, whole %q", got, want)
		}
		for _, code := range got {
			if len(code) == 0 || len(code) > MaxCode || bytes.ContainsAny(code, "\r\n\t\x00\x02\x03") {
				t.Fatalf("code %q", code)
			}
		}
		if pieces.Quiet(time.Hour) != nil || len(pieces.code) > 0 {
			t.Fatal("something is left after a long silence")
		}
	})
}
