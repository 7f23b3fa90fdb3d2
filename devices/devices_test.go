package devices_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"
)

// A bench is a device whose openings and lendings go by a script. It notes when
// it was opened and what was reported, in seconds since the start.
type bench struct {
	open func(n int) error // n counts from 1
	use  func(ctx context.Context, n int, count func(devices.Tally)) error
	look func() string

	start  time.Time
	opens  []time.Duration
	closes int
	states []string
	last   devices.Status
}

func (b *bench) Close() error { b.closes++; return nil }

func (b *bench) report(s devices.Status) {
	line := fmt.Sprintf("%s %s %q", time.Since(b.start), s.State, s.Err)
	if s.State != b.last.State || s.Err != b.last.Err {
		b.states = append(b.states, line)
	}
	b.last = s
}

// run keeps the device for d of fake time.
func (b *bench) run(t *testing.T, d time.Duration, jitter float64) {
	t.Helper()
	b.start = time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	spec := devices.Spec{Name: "desk", Kind: "serial", Path: "/dev/x", Report: b.report, Look: b.look,
		Backoff: devices.Backoff{Jitter: func() float64 { return jitter }}}
	devices.Keep(ctx, spec,
		func(context.Context) (*bench, error) {
			b.opens = append(b.opens, time.Since(b.start))
			if b.open != nil {
				if err := b.open(len(b.opens)); err != nil {
					return nil, err
				}
			}
			return b, nil
		},
		func(ctx context.Context, _ *bench, count func(devices.Tally)) error {
			return b.use(ctx, len(b.opens), count)
		})
}

// work lends for d, reads once and then comes to the end err.
func work(ctx context.Context, d time.Duration, count func(devices.Tally), err error) error {
	count(devices.Tally{Reads: 1})
	return idle(ctx, d, err)
}

func idle(ctx context.Context, d time.Duration, err error) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return err
	}
}

func ms(n ...int) []time.Duration {
	var out []time.Duration
	for _, n := range n {
		out = append(out, time.Duration(n)*time.Millisecond)
	}
	return out
}

func wantOpens(t *testing.T, b *bench, want []time.Duration) {
	t.Helper()
	if !slices.Equal(b.opens, want) {
		t.Errorf("opened at %v, want %v", b.opens, want)
	}
}

func TestPausesDoubleToTheLongest(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		jitter float64
		want   []time.Duration
	}{
		{"failed", syscall.EIO, 0, ms(0, 250, 750, 1750, 3750, 7750, 15750, 25750, 35750)},
		{"denied", fs.ErrPermission, 0, ms(0, 250, 750, 1750, 3750, 7750, 15750, 25750, 35750)},
		{"absent is looked for every second", fs.ErrNotExist, 0, ms(0, 250, 750, 1750, 2750, 3750, 4750)},
		{"jitter shortens", syscall.EIO, 0.8, ms(0, 200, 600, 1400, 3000, 6200, 12600)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{open: func(int) error { return c.err }}
				b.run(t, c.want[len(c.want)-1]+time.Millisecond, c.jitter)
				wantOpens(t, b, c.want)
			})
		})
	}
}

func TestPauseStartsAnewAfterTheDeviceWorked(t *testing.T) {
	fail := func(n int) error {
		if n == 5 {
			return nil
		}
		return syscall.EIO
	}
	for _, c := range []struct {
		name string
		use  func(ctx context.Context, n int, count func(devices.Tally)) error
		next time.Duration // from the end of the lending to the next attempt
	}{
		{"it read", func(ctx context.Context, _ int, count func(devices.Tally)) error {
			return work(ctx, time.Second, count, syscall.EIO)
		}, 250 * time.Millisecond},
		{"it lasted", func(ctx context.Context, _ int, _ func(devices.Tally)) error {
			return idle(ctx, 10*time.Second, syscall.EIO)
		}, 250 * time.Millisecond},
		{"it did neither", func(ctx context.Context, _ int, _ func(devices.Tally)) error {
			return idle(ctx, 9*time.Second, syscall.EIO)
		}, 4 * time.Second},
		{"it was noisy", func(ctx context.Context, _ int, count func(devices.Tally)) error {
			return work(ctx, time.Second, count, devices.ErrNoisy)
		}, 4 * time.Second},
		{"it was noisy after a good while", func(ctx context.Context, _ int, count func(devices.Tally)) error {
			return work(ctx, 10*time.Second, count, devices.ErrNoisy)
		}, 250 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended time.Time
				b := &bench{open: fail}
				b.use = func(ctx context.Context, n int, count func(devices.Tally)) error {
					defer func() { ended = time.Now() }()
					return c.use(ctx, n, count)
				}
				b.run(t, 19*time.Second, 0)
				if got := b.start.Add(b.opens[5]).Sub(ended); got != c.next {
					t.Errorf("reopened after %v, want %v", got, c.next)
				}
				if b.closes != 1 {
					t.Errorf("closed %d times, want once", b.closes)
				}
			})
		})
	}
}

// A plug is where devices are plugged in, one after the other. The one that is
// there from a time to a time cannot be used, as err says, or can.
type plug []struct {
	from, to time.Duration
	err      error
}

func (p plug) at(now time.Duration) (n int, err error) {
	for i, d := range p {
		if now >= d.from && now < d.to {
			return i + 1, d.err
		}
	}
	return 0, fs.ErrNotExist
}

// play keeps what is plugged in for a minute. A noisy device can be opened.
func (p plug) play(t *testing.T) *bench {
	b := &bench{}
	at := func() (int, error) { return p.at(time.Since(b.start)) }
	b.look = func() string {
		if n, _ := at(); n > 0 {
			return fmt.Sprint("device ", n)
		}
		return ""
	}
	b.open = func(int) error {
		if _, err := at(); err != devices.ErrNoisy {
			return err
		}
		return nil
	}
	b.use = func(ctx context.Context, _ int, _ func(devices.Tally)) error {
		if _, err := at(); err != nil {
			return err
		}
		return idle(ctx, time.Hour, nil)
	}
	synctest.Test(t, func(t *testing.T) { b.run(t, time.Minute, 0) })
	return b
}

// Whoever pulls out a device that is muted or refused, and plugs in another, waits
// no longer than for one that was ready.
func TestAMutedOrRefusedDeviceIsExchanged(t *testing.T) {
	for _, err := range []error{devices.ErrNoisy, fs.ErrPermission, syscall.EBUSY} {
		t.Run(err.Error(), func(t *testing.T) {
			// The longest pause begins at 25.75 s.
			b := plug{{0, 30 * time.Second, err}, {40 * time.Second, time.Hour, nil}}.play(t)
			n := len(b.states)
			if got := b.states[n-2:]; !slices.Equal(got, []string{`30.75s absent "file does not exist"`, `40.5s ready ""`}) {
				t.Errorf("at the end %q", got)
			}
		})
	}
}

func TestAMutedDeviceIsExchangedBetweenTwoLooks(t *testing.T) {
	b := plug{{0, 30 * time.Second, devices.ErrNoisy}, {30 * time.Second, time.Hour, nil}}.play(t)
	if last := b.states[len(b.states)-1]; last != `30.75s ready ""` {
		t.Errorf("at the end %s", last)
	}
}

// One that is pulled out while it shouts may be gone before anybody looks.
func TestADeviceGoesWhileItIsMuted(t *testing.T) {
	p := plug{{0, 25750*time.Millisecond + 1, devices.ErrNoisy}}
	b := p.play(t)
	if last := b.states[len(b.states)-1]; last != `26.75s absent "file does not exist"` {
		t.Errorf("at the end %s", last)
	}
}

func TestAMutedDeviceThatStaysIsOnlyLookedAt(t *testing.T) {
	b := plug{{0, time.Hour, devices.ErrNoisy}}.play(t)
	wantOpens(t, b, ms(0, 250, 750, 1750, 3750, 7750, 15750, 25750, 35750, 45750, 55750))
}

// What a muted device says is for nobody else: it is kept open until it is opened
// anew. Others are given up at once.
func TestAMutedDeviceIsKept(t *testing.T) {
	for err, want := range map[error]int{devices.ErrNoisy: 1, syscall.EIO: 0} {
		synctest.Test(t, func(t *testing.T) {
			b := &bench{}
			open := func() int { return int(b.last.Opens) - b.closes }
			b.look = func() string {
				if open() != want {
					t.Errorf("%v: %d open in the pause, want %d", err, open(), want)
				}
				return "device 1"
			}
			b.open = func(int) error {
				if open() != 0 {
					t.Errorf("%v: opened twice", err)
				}
				return nil
			}
			b.use = func(context.Context, int, func(devices.Tally)) error { return err }
			b.run(t, time.Minute, 0)
			if len(b.opens) != 11 || open() != 0 {
				t.Errorf("%v: opened %d times; %d open at the end", err, len(b.opens), open())
			}
		})
	}
}

func TestTheStatesOfADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := []error{
			fmt.Errorf("open it: %w", fs.ErrNotExist), // 0 s
			fmt.Errorf("open it: %w", fs.ErrNotExist), // 0.25 s, the same: no news
			fmt.Errorf("open it: %w", syscall.EACCES), // 0.75 s, udev was slow
			nil, // 1 s
			nil, // 3.25 s
			nil, // 5.5 s
			nil, // 8 s
		}
		uses := []error{fmt.Errorf("read: %w", devices.ErrGone), devices.ErrNoisy, nil, nil}
		b := &bench{open: func(n int) error { return opens[n-1] }}
		b.use = func(ctx context.Context, n int, count func(devices.Tally)) error {
			if n == len(opens) {
				return idle(ctx, time.Hour, nil)
			}
			return work(ctx, 2*time.Second, count, uses[n-4])
		}
		b.run(t, time.Minute, 0)
		want := []string{
			`0s opening ""`,
			`0s absent "open it: file does not exist"`,
			`750ms denied "open it: permission denied"`,
			`1s ready ""`,
			`3s absent "read: device is gone"`,
			`3.25s ready ""`,
			`5.25s noisy "device sends too much"`,
			`5.75s ready ""`,
			`7.75s failed "given back without a reason"`,
			`8s ready ""`,
		}
		if got := strings.Join(b.states, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
		}
		if b.last.Opens != 4 || b.last.Reads != 3 || b.closes != 4 {
			t.Errorf("at the end %+v, closed %d times", b.last, b.closes)
		}
	})
}

func TestKeepEndsWithItsContext(t *testing.T) {
	for name, b := range map[string]*bench{
		"while it waits": {open: func(int) error { return syscall.EIO }},
		"while it lends": {use: func(ctx context.Context, _ int, count func(devices.Tally)) error {
			return work(ctx, time.Hour, count, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b.run(t, 10*time.Second, 0)
				if took := time.Since(b.start); took != 10*time.Second {
					t.Errorf("ended after %v", took)
				}
				if lent := int(b.last.Opens); b.closes != lent {
					t.Errorf("lent %d times, closed %d times", lent, b.closes)
				}
				if b.last.Err == context.DeadlineExceeded.Error() {
					t.Error("the end of the program is reported as a fault of the device")
				}
			})
		})
	}
}

func TestListTellsNewsOnlyOnce(t *testing.T) {
	var news []string
	l := devices.NewList(func(s devices.Status) {
		news = append(news, s.Name+" "+string(s.State)+" "+s.Err)
	})
	l.Set(devices.Status{Name: "pad", State: devices.Opening})
	l.Set(devices.Status{Name: "desk", State: devices.Ready})
	l.Set(devices.Status{Name: "desk", State: devices.Ready, Tally: devices.Tally{Reads: 7}})
	l.Set(devices.Status{Name: "desk", State: devices.Failed, Err: "a"})
	l.Set(devices.Status{Name: "desk", State: devices.Failed, Err: "b"})
	want := []string{"pad opening ", "desk ready ", "desk failed a", "desk failed b"}
	if !slices.Equal(news, want) {
		t.Errorf("news %q, want %q", news, want)
	}
	all := l.All()
	if len(all) != 2 || all[0].Name != "desk" || all[0].Err != "b" || all[1].Name != "pad" {
		t.Errorf("list %+v", all)
	}
	all[0].Name = "changed by its reader"
	if l.All()[0].Name != "desk" {
		t.Error("All lends out the table itself")
	}
}

func TestListTakesReportsFromAllSides(t *testing.T) {
	l := devices.NewList(nil)
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c"} {
		wg.Go(func() {
			for n := range uint64(100) {
				l.Set(devices.Status{Name: name, Tally: devices.Tally{Reads: n}})
				l.All()
			}
		})
	}
	wg.Wait()
	for _, row := range l.All() {
		if row.Reads != 99 {
			t.Errorf("%s: %d reads, want 99", row.Name, row.Reads)
		}
	}
}

func TestAnErrorSaysWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for err, want := range map[error]devices.State{
			syscall.ENODEV: devices.Absent,
			syscall.ENXIO:  devices.Absent,
			syscall.ENOENT: devices.Absent,
			syscall.EPERM:  devices.Denied,
			syscall.EACCES: devices.Denied,
			syscall.EBUSY:  devices.Failed,
			errors.New(""): devices.Failed,
		} {
			b := &bench{open: func(int) error { return fmt.Errorf("open: %w", err) }}
			b.run(t, time.Millisecond, 0)
			if b.last.State != want {
				t.Errorf("%v: %s, want %s", err, b.last.State, want)
			}
		}
	})
}
