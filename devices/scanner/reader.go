package scanner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"syscall"
	"time"

	"circdesk/devices"
)

const (
	// defaultIdle is Framer.Idle. A scanner at 300 baud sends a byte every 33 ms.
	defaultIdle = 80 * time.Millisecond
	// patience is Framer.Patience. A hub may take a quarter of a second to notice
	// that a USB device is gone, and no half of a code may get out in that time.
	patience = time.Second
	// repeat is how soon the same code again is the same scan.
	repeat = 1200 * time.Millisecond
	// pause is what a scanner that was woken needs before the next command.
	pause = 50 * time.Millisecond
	// noise is how many codes and drops a second are too many for a person.
	noise = 200
)

// A port is an open device. Read returns io.EOF after readTimeout without a byte,
// and at once when the device is gone; Alive tells which it was. Write does not
// wait and may be called while another goroutine reads.
type port interface {
	io.ReadWriteCloser
	Alive() error
}

// A reader is the work on one opening of a scanner.
type reader struct {
	config Config
	port   port
	emit   func(Code)
	count  func(devices.Tally)

	dialect dialect
	counted uint64 // of the dialect's drops
	meter   meter
	recent  recent
}

func newReader(c Config, p port, d dialect, emit func(Code), count func(devices.Tally)) *reader {
	return &reader{config: c, port: p, dialect: d, emit: emit, count: count, recent: recent{}}
}

// read hands on codes until the port fails or ctx is done.
func (r *reader) read(ctx context.Context) error {
	defer r.giveUp()
	defer r.obey(ctx)()
	r.greet(ctx)
	buf := make([]byte, MaxCode)
	last := time.Now() // when the last byte came
	for ctx.Err() == nil {
		asked := time.Now()
		n, err := r.port.Read(buf)
		now := time.Now()
		switch {
		case n > 0:
			last = now
			codes := r.dialect.Feed(buf[:n])
			r.reply()
			err = r.take(now, codes)
		case err == nil || errors.Is(err, io.EOF):
			err = r.quiet(ctx, now.Sub(asked), now.Sub(last))
		default:
			err = r.failed(err)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// quiet goes on after a Read that has waited and brought nothing, gap after the
// last byte.
func (r *reader) quiet(ctx context.Context, waited, gap time.Duration) error {
	if err := r.port.Alive(); err != nil {
		return r.failed(err)
	}
	if waited < readTimeout/2 {
		// No silence: a driver that does not wait. Do not ask it without end.
		rest(ctx, readTimeout)
		return nil
	}
	var codes [][]byte
	if code := r.dialect.Quiet(gap); code != nil {
		codes = append(codes, code)
	}
	r.reply()
	return r.take(time.Now(), codes)
}

// greet tells the scanner how it is to speak.
func (r *reader) greet(ctx context.Context) {
	for i, command := range r.dialect.Hello() {
		if i > 0 {
			rest(ctx, pause)
		}
		r.send(command)
	}
}

// reply sends back what the dialect wants to.
func (r *reader) reply() { r.send(r.dialect.Replies()) }

// send sends what may get lost. Whether the device is there at all, reading tells.
func (r *reader) send(p []byte) {
	if len(p) > 0 {
		_, _ = r.port.Write(p)
	}
}

// obey carries out orders beside reading until ctx is done or stop is called,
// which waits for the end of that.
func (r *reader) obey(ctx context.Context) (stop func()) {
	if r.config.Remote == nil {
		return func() {}
	}
	r.config.Remote.forget()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.config.Remote.serve(ctx, func(o Order) { r.send(r.dialect.Order(o)) })
	}()
	return func() {
		cancel()
		<-done
	}
}

// take counts and hands on what was complete at a time.
func (r *reader) take(at time.Time, codes [][]byte) error {
	noisy := r.meter.add(at, r.drop(0))
	for i, raw := range codes {
		if noisy = noisy || r.meter.add(at, 1); noisy {
			r.drop(uint64(len(codes) - i))
			break
		}
		if r.recent.has(raw, at) {
			r.count(devices.Tally{Repeats: 1})
			continue
		}
		r.count(devices.Tally{Reads: 1})
		r.emit(Code{Device: r.config.Name, Raw: raw, At: at})
	}
	if noisy {
		return fmt.Errorf("read %q: more than %d codes a second: %w", r.config.where(), noise, devices.ErrNoisy)
	}
	if err := r.dialect.Fault(); err != nil {
		return fmt.Errorf("read %q: %w", r.config.where(), err)
	}
	return nil
}

// drop counts n codes and what the dialect has dropped since it was last asked,
// and returns the sum.
func (r *reader) drop(n uint64) uint64 {
	n += r.dialect.Drops() - r.counted
	r.counted = r.dialect.Drops()
	if n > 0 {
		r.count(devices.Tally{Drops: n})
	}
	return n
}

// giveUp drops a code whose end will not come.
func (r *reader) giveUp() {
	r.dialect.Reset()
	r.drop(0)
}

// failed says what was being done when err came, and that the device is gone if
// err is what the kernel says of a device that is not there.
func (r *reader) failed(err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok &&
		(errno == syscall.EIO || errno == syscall.ENODEV || errno == syscall.ENXIO) {
		err = devices.ErrGone
	}
	return fmt.Errorf("read %q: %w", r.config.where(), err)
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

// A meter counts what comes in the same second.
type meter struct {
	since time.Time
	n     uint64
}

// add counts n more and tells whether they are too many.
func (m *meter) add(at time.Time, n uint64) bool {
	if at.Sub(m.since) >= time.Second {
		m.since, m.n = at, 0
	}
	m.n += n
	return m.n > noise
}

// recent are the codes that would be repeats, and when they last came. The meter
// bounds their number.
type recent map[string]time.Time

// has tells whether code came less than repeat before at, and remembers it.
func (r recent) has(code []byte, at time.Time) bool {
	maps.DeleteFunc(r, func(_ string, last time.Time) bool { return at.Sub(last) >= repeat })
	_, found := r[string(code)]
	r[string(code)] = at
	return found
}
