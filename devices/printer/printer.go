package printer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"circdesk/devices"

	"github.com/tarm/serial"
)

// A Config names a printer.
type Config struct {
	Name    string // unique: "receipt"
	Path    string // /dev/usb/lp0, a serial port, or a network address, "192.0.2.7:9100"
	Kind    string // "usb", "serial" or "tcp"; "" tells it by Path
	Baud    int    // of a serial one; 19,200
	Columns int    // characters of a line; 42
	Backoff devices.Backoff
}

// Check returns all that is wrong with c, joined, or nil.
func (c Config) Check() error {
	var wrong []error
	complain := func(ok bool, field string, value any, want string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %q is not %s", field, fmt.Sprint(value), want))
		}
	}
	complain(c.Name != "", "name", c.Name, "a name")
	complain(c.Path != "", "path", c.Path, "a device's path or an address")
	complain(c.kind() == "usb" || c.kind() == "serial" || c.kind() == "tcp", "kind", c.Kind, `"usb", "serial" or "tcp"`)
	complain(c.Columns == 0 || c.Columns >= 20 && c.Columns <= 96, "columns", c.Columns, "from 20 to 96 characters")
	return errors.Join(wrong...)
}

func (c Config) kind() string {
	switch {
	case c.Kind != "":
		return c.Kind
	case !strings.HasPrefix(c.Path, "/"):
		return "tcp"
	case strings.Contains(c.Path, "lp"):
		return "usb"
	}
	return "serial"
}

// Paper is what the printer says of its paper.
type Paper string

// The states of the paper.
const (
	PaperFine    Paper = "fine"
	PaperNearEnd Paper = "near_end"
	PaperOut     Paper = "out"
)

// The patience with a printer, and with a slip.
const (
	dialTime  = 5 * time.Second
	writeTime = 5 * time.Second
	askTime   = 500 * time.Millisecond
	askEvery  = 10 * time.Second
	fresh     = 5 * time.Minute // an older slip is of no use to anybody
	waiting   = 16              // slips that may wait
)

// A Printer prints one slip after the other.
type Printer struct {
	c     Config
	slips chan dated
}

// A dated slip is forgotten when it is old.
type dated struct {
	Slip
	at time.Time
}

// New makes a Printer, or returns Check's error.
func New(c Config) (*Printer, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c.Columns, c.Baud = cmp.Or(c.Columns, 42), cmp.Or(c.Baud, 19200)
	return &Printer{c, make(chan dated, waiting)}, nil
}

// Print queues a slip. It never waits; false: too many wait already, and this one is dropped.
func (p *Printer) Print(s Slip) bool {
	select {
	case p.slips <- dated{s, time.Now()}:
		return true
	default:
		return false
	}
}

// Try opens the printer once and asks for its paper.
func Try(ctx context.Context, c Config) (Paper, error) {
	p, err := New(c)
	if err != nil {
		return "", err
	}
	w, err := p.open(ctx)
	if err != nil {
		return "", err
	}
	defer w.Close()
	return w.ask(ctx)
}

// Run prints until ctx is done, through every unplugging. It tells report of the device and paper of
// the paper, from its own goroutine.
func (p *Printer) Run(ctx context.Context, report func(devices.Status), paper func(Paper)) {
	spec := devices.Spec{Name: p.c.Name, Kind: "printer", Path: p.c.Path, Backoff: p.c.Backoff, Report: report}
	devices.Keep(ctx, spec, p.open, func(ctx context.Context, w *wire, count func(devices.Tally)) error {
		return p.work(ctx, w, count, paper)
	})
}

// work prints what comes and asks for the paper now and then.
func (p *Printer) work(ctx context.Context, w *wire, count func(devices.Tally), tell func(Paper)) error {
	last := Paper("")
	look := time.NewTicker(askEvery)
	defer look.Stop()
	for {
		now, err := w.ask(ctx)
		if err != nil {
			return err
		}
		if now != last {
			last = now
			tell(now)
		}
		slips := p.slips
		if last == PaperOut {
			slips = nil // they wait for new paper, until they are old
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		case s := <-slips:
			if time.Since(s.at) > fresh {
				count(devices.Tally{Drops: 1})
				continue
			}
			if err := w.print(s.Bytes(p.c.Columns)); err != nil {
				count(devices.Tally{Drops: 1})
				return err
			}
			count(devices.Tally{Reads: 1})
		}
	}
}

// A wire is an open printer. A driver may block in a write for as long as there is no paper, so that
// reads and writes run beside and are given up after their time; Close ends them.
type wire struct {
	rw    io.ReadWriteCloser
	bytes chan byte     // what the printer says
	done  chan struct{} // closed when nothing more is read
	sent  chan error    // of the write under way
	once  sync.Once
}

func (p *Printer) open(ctx context.Context) (*wire, error) {
	rw, err := p.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", p.c.Path, err)
	}
	w := &wire{rw: rw, bytes: make(chan byte, 64), done: make(chan struct{}), sent: make(chan error, 1)}
	go w.listen()
	return w, nil
}

func (p *Printer) dial(ctx context.Context) (io.ReadWriteCloser, error) {
	switch p.c.kind() {
	case "tcp":
		return (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", p.c.Path)
	case "serial":
		if _, err := os.Stat(p.c.Path); err != nil {
			return nil, errors.Unwrap(err)
		}
		return serial.OpenPort(&serial.Config{Name: p.c.Path, Baud: p.c.Baud, ReadTimeout: askTime})
	}
	f, err := os.OpenFile(p.c.Path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return nil, e.Err
	}
	return f, err
}

// listen takes what the printer says until it is closed or gone.
func (w *wire) listen() {
	defer close(w.done)
	buf := make([]byte, 64)
	for {
		asked := time.Now()
		n, err := w.rw.Read(buf)
		for _, b := range buf[:n] {
			select {
			case w.bytes <- b:
			default: // nobody asked for that much
			}
		}
		// A serial port's silence is io.EOF too, but it lasts; one that is gone says so at once.
		silence := errors.Is(err, io.EOF) && w.isPort() && time.Since(asked) > askTime/2
		if err != nil && !silence {
			return
		}
	}
}

func (w *wire) isPort() bool {
	_, port := w.rw.(*serial.Port)
	return port
}

// print sends bytes within their time.
func (w *wire) print(b []byte) error {
	go func() {
		_, err := w.rw.Write(b)
		w.sent <- err
	}()
	timer := time.NewTimer(writeTime)
	defer timer.Stop()
	select {
	case err := <-w.sent:
		if err != nil {
			return fmt.Errorf("print: %w: %w", devices.ErrGone, err)
		}
		return nil
	case <-timer.C:
		return errors.New("print: the printer takes nothing: out of paper, or its lid is open")
	}
}

// ask asks for the paper. A printer that does not answer may be one that cannot; it is taken to be fine.
func (w *wire) ask(ctx context.Context) (Paper, error) {
	for len(w.bytes) > 0 {
		<-w.bytes // what it said unasked
	}
	if err := w.print([]byte(askPaper)); err != nil {
		return "", err
	}
	timer := time.NewTimer(askTime)
	defer timer.Stop()
	select {
	case b := <-w.bytes:
		return paperOf(b), nil
	case <-w.done:
		return "", fmt.Errorf("ask the printer: %w", devices.ErrGone)
	case <-timer.C:
		return PaperFine, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// paperOf reads the answer to DLE EOT 4: bits 5 and 6 no paper, bits 2 and 3 little.
func paperOf(b byte) Paper {
	switch {
	case b&0x60 != 0:
		return PaperOut
	case b&0x0c != 0:
		return PaperNearEnd
	}
	return PaperFine
}

// Close gives the printer up.
func (w *wire) Close() error {
	var err error
	w.once.Do(func() { err = w.rw.Close() })
	return err
}
