package scanner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
)

// A tape is a port that plays a script by the clock of its bubble, as a terminal
// with readTimeout would.
type tape struct {
	start time.Time
	play  []event // in order of time
	gone  bool
}

type event struct {
	at    time.Duration
	bytes string // empty: the device is unplugged
}

func (p *tape) Read(buf []byte) (int, error) {
	if p.gone {
		return 0, io.EOF
	}
	next := readTimeout
	if len(p.play) > 0 {
		next = min(next, p.play[0].at-time.Since(p.start))
	}
	rest(context.Background(), next)
	if len(p.play) == 0 || time.Since(p.start) < p.play[0].at {
		return 0, io.EOF
	}
	e := p.play[0]
	p.play = p.play[1:]
	p.gone = e.bytes == ""
	return copy(buf, e.bytes), nil
}

func (p *tape) Alive() error {
	if p.gone {
		return syscall.EIO
	}
	return nil
}

func (p *tape) Write(b []byte) (int, error) { return len(b), nil }

func (p *tape) Close() error { return nil }

// text is the dialect of scanners without one.
func text() dialect { return newDialect("plain", Framer{Idle: defaultIdle, Patience: patience}) }

// listen reads a tape to its end, or for a minute, and returns a line for each
// code with its time, the sum of what was counted, and the reader's error.
func listen(t *testing.T, play ...event) (codes []string, tally devices.Tally, err error) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		p := &tape{start: time.Now(), play: play}
		emit := func(c Code) {
			codes = append(codes, fmt.Sprintf("%v %s", c.At.Sub(p.start), c.Raw))
		}
		count := func(n devices.Tally) {
			tally.Reads += n.Reads
			tally.Repeats += n.Repeats
			tally.Drops += n.Drops
		}
		err = newReader(Config{Name: "desk", Path: "/dev/x"}, p, text(), emit, count).read(ctx)
	})
	return codes, tally, err
}

// at makes an event; its argument is in milliseconds.
func at(ms int, bytes string) event { return event{time.Duration(ms) * time.Millisecond, bytes} }

func TestReadingByTheClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		play  []event
		want  []string
		tally devices.Tally
	}{
		{"silence ends a code", []event{at(1000, "30"), at(1050, "1"), at(5000, "302")},
			[]string{"1.15s 301", "5.1s 302"}, devices.Tally{Reads: 2}},
		{"unplugged in a code, at once", []event{at(1000, "30"), at(1001, "")},
			nil, devices.Tally{Drops: 1}},
		{"unplugged in a code, when silence is about to end it", []event{at(1000, "30"), at(1099, "")},
			nil, devices.Tally{Drops: 1}},
		{"a hub that notices late", []event{at(1000, "1\r30"), at(1300, "")},
			[]string{"1s 1"}, devices.Tally{Reads: 1, Drops: 1}},
		{"the end of the program in a code", []event{at(1000, "1\r"), at(59_990, "30")},
			[]string{"1s 1"}, devices.Tally{Reads: 1, Drops: 1}},
		{"the same code within 1.2 s", []event{at(0, "1\r"), at(1199, "1\r"), at(2398, "1\r"), at(3598, "1\r")},
			[]string{"0s 1", "3.598s 1"}, devices.Tally{Reads: 2, Repeats: 2}},
		{"two codes in turn within 1.2 s", []event{at(0, "1\r2\r1\r2\r"), at(500, "1\r2\r")},
			[]string{"0s 1", "0s 2"}, devices.Tally{Reads: 2, Repeats: 4}},
		{"control bytes are counted", []event{at(0, "\x001\x07\r"), at(3000, "\x00")},
			[]string{"0s 1"}, devices.Tally{Reads: 1, Drops: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			codes, tally, err := listen(t, c.play...)
			if !slices.Equal(codes, c.want) || tally != c.tally {
				t.Errorf("got %q %+v, want %q %+v", codes, tally, c.want, c.tally)
			}
			unplugged := c.play[len(c.play)-1].bytes == ""
			if errors.Is(err, devices.ErrGone) != unplugged {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestTooMuchInASecond(t *testing.T) {
	flood := func(from, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%d\r", from+i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name  string
		play  []event
		noisy bool
		tally devices.Tally
	}{
		{"200 codes a second", []event{at(0, flood(0, 200)), at(1000, flood(200, 200))},
			false, devices.Tally{Reads: 400}},
		{"201 codes in a second", []event{at(0, flood(0, 100)), at(999, flood(100, 105))},
			true, devices.Tally{Reads: 200, Drops: 5}},
		{"repeats are codes", []event{at(0, strings.Repeat("1\r", 201))},
			true, devices.Tally{Reads: 1, Repeats: 199, Drops: 1}},
		{"line noise", []event{at(0, strings.Repeat("\x00", 201)+"1\r")},
			true, devices.Tally{Drops: 202}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, tally, err := listen(t, c.play...)
			if errors.Is(err, devices.ErrNoisy) != c.noisy || tally != c.tally {
				t.Errorf("got %+v and %v, want %+v", tally, err, c.tally)
			}
		})
	}
}

// A quick is a port whose driver does not wait.
type quick struct{ reads int }

func (q *quick) Read([]byte) (int, error)  { q.reads++; return 0, io.EOF }
func (q *quick) Write([]byte) (int, error) { return 0, nil }
func (q *quick) Alive() error              { return nil }
func (q *quick) Close() error              { return nil }

func TestADriverThatDoesNotWaitIsNotAskedWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		q := &quick{}
		err := newReader(Config{}, q, text(), nil, nil).read(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || q.reads > 601 {
			t.Errorf("%d reads in a minute, then %v", q.reads, err)
		}
	})
}

func TestAReadErrorSaysWhatItWas(t *testing.T) {
	r := newReader(Config{Path: "/dev/x"}, nil, text(), nil, nil)
	for err, want := range map[error]string{
		syscall.EIO:    `read "/dev/x": device is gone`,
		syscall.ENODEV: `read "/dev/x": device is gone`,
		syscall.EINVAL: `read "/dev/x": invalid argument`,
	} {
		if got := r.failed(err).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
