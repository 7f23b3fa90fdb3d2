package devices

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// A Backoff says how long to wait before a device is opened again. A zero field
// has its default.
type Backoff struct {
	First  time.Duration  // the first pause, doubled from then on; 250 ms
	Max    time.Duration  // the longest pause; 10 s
	Absent time.Duration  // the longest pause for a device that is not there; 1 s
	Jitter func() float64 // in [0,1): shortens a pause by up to a quarter; rand.Float64
}

// A Spec names the device to keep and who is told about it.
type Spec struct {
	Name, Kind, Path string
	Backoff          Backoff
	Report           func(Status) // called for every change, from Keep's goroutine
	// Look names what is plugged in now, without opening it: another device has
	// another name, and none is "". It may be nil.
	Look func() string
}

// Keep opens a device, lends it to use, closes it and opens it again, until ctx
// is done. Every error is temporary here, a refused permission too: somebody
// may plug the device in, or mend the udev rule.
//
// use returns when the device fails or ctx is done. It calls count with what has
// come since its last call, from the goroutine that it runs in; Keep adds up.
// The pause starts small again once a device has worked: it was lent for longer
// than Backoff.Max, or it read something and did not end as noisy. It is over
// when Look finds that the device has gone or is another one.
//
// A noisy device is closed after the pause, not before: what it says in the
// meantime is for nobody else either.
//
// Keep returns as soon as ctx is done and open, use and Close have returned, so
// these must not block for long.
func Keep[D io.Closer](
	ctx context.Context, spec Spec,
	open func(context.Context) (D, error),
	use func(ctx context.Context, d D, count func(Tally)) error,
) {
	k := newKeeper(spec)
	for ctx.Err() == nil {
		lend(ctx, k, open, use)
	}
}

// lend opens the device once, lends it, and pauses.
func lend[D io.Closer](
	ctx context.Context, k *keeper,
	open func(context.Context) (D, error),
	use func(context.Context, D, func(Tally)) error,
) {
	d, err := open(ctx)
	if err == nil {
		k.opened()
		err = cmp.Or(use(ctx, d, k.count), errors.New("given back without a reason"))
		k.closed(err)
		// The device is given up already; what Close thinks of that helps nobody.
		if stateOf(err) == Noisy {
			defer d.Close()
		} else {
			d.Close()
		}
	}
	if ctx.Err() == nil {
		k.wait(ctx, k.failed(err))
	}
}

// A keeper is the book that Keep keeps about one device.
type keeper struct {
	backoff Backoff
	report  func(Status)
	look    func() string
	status  Status
	pause   time.Duration // the next one

	lentAt time.Time // of the present or last lending,
	reads  uint64    // and Reads at that moment
}

func newKeeper(spec Spec) *keeper {
	b := spec.Backoff
	b.First = cmp.Or(b.First, 250*time.Millisecond)
	b.Max = cmp.Or(b.Max, 10*time.Second)
	b.Absent = cmp.Or(b.Absent, time.Second)
	if b.Jitter == nil {
		b.Jitter = rand.Float64
	}
	k := &keeper{backoff: b, report: spec.Report, look: spec.Look, pause: b.First}
	k.status = Status{Name: spec.Name, Kind: spec.Kind, Path: spec.Path}
	k.set(Opening, "")
	return k
}

// set reports a state, unless nothing has changed.
func (k *keeper) set(s State, text string) {
	if k.status.State == s && k.status.Err == text {
		return
	}
	k.status.State, k.status.Err, k.status.Since = s, text, time.Now()
	k.report(k.status)
}

func (k *keeper) opened() {
	k.lentAt, k.reads = time.Now(), k.status.Reads
	k.status.Opens++
	k.set(Ready, "")
}

func (k *keeper) count(t Tally) {
	k.status.Reads += t.Reads
	k.status.Repeats += t.Repeats
	k.status.Drops += t.Drops
	k.report(k.status)
}

// closed starts the pauses anew after a device that worked.
func (k *keeper) closed(err error) {
	lasted := time.Since(k.lentAt) >= k.backoff.Max
	read := k.status.Reads > k.reads
	if lasted || read && stateOf(err) != Noisy {
		k.pause = k.backoff.First
	}
}

// failed reports err and returns how long to wait before the next attempt.
func (k *keeper) failed(err error) time.Duration {
	was, is := k.status.State, stateOf(err)
	if was == Absent && is != Absent {
		// Just plugged in: udev may set the owner a moment later.
		k.pause = k.backoff.First
	}
	k.set(is, err.Error())
	pause := k.pause
	k.pause = min(2*k.pause, k.backoff.Max)
	if is == Absent {
		// To look for a name costs nothing, and people wait for a plugged-in device.
		pause = min(pause, k.backoff.Absent)
	}
	return pause - time.Duration(k.backoff.Jitter()*float64(pause/4))
}

// wait returns after d, when ctx is done, or soon after the device has gone or
// was exchanged, for which the pause starts small again.
func (k *keeper) wait(ctx context.Context, d time.Duration) {
	if k.look != nil && d > k.backoff.Absent {
		for before := k.look(); d > k.backoff.Absent && ctx.Err() == nil; d -= k.backoff.Absent {
			rest(ctx, k.backoff.Absent)
			if now := k.look(); now == "" || now != before {
				k.pause = k.backoff.First
				return
			}
		}
	}
	rest(ctx, d)
}

// rest returns after d, or when ctx is done.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
