package scanner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"

	"github.com/tarm/serial"
)

// long is how long a test waits for what must come.
const long = 10 * time.Second

// A desk is a running scanner on a pseudo terminal.
type desk struct {
	t      *testing.T
	port   *devicestest.Port
	codes  chan Code
	stop   context.CancelFunc
	done   chan error
	mu     sync.Mutex
	status devices.Status
	states []devices.State
}

func plug(t *testing.T) *devicestest.Port {
	t.Helper()
	port, err := devicestest.Plug(filepath.Join(t.TempDir(), "scanner"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Unplug() })
	return port
}

func start(t *testing.T, port *devicestest.Port) *desk {
	t.Helper()
	d := run(t, Config{Path: port.Path()})
	d.port = port
	return d
}

// run starts a scanner of any kind that is opened again soon.
func run(t *testing.T, c Config) *desk {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	d := &desk{t: t, codes: make(chan Code, 10_000), stop: stop, done: make(chan error, 1)}
	c.Name = "desk"
	if c.Kind == Keyboard {
		c.Idle = 500 * time.Millisecond // the typist of a test may be held up
	}
	if c.Backoff.First == 0 {
		c.Backoff = devices.Backoff{First: time.Millisecond, Absent: time.Millisecond, Max: 200 * time.Millisecond}
	}
	go func() { d.done <- Run(ctx, c, d.report, func(c Code) { d.codes <- c }) }()
	t.Cleanup(d.end)
	return d
}

// end stops the scanner and waits for it.
func (d *desk) end() {
	d.stop()
	if err, open := <-d.done; open && err != nil {
		d.t.Error(err)
	} else if open {
		close(d.done)
	}
}

func (d *desk) report(s devices.Status) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status.State != s.State {
		d.states = append(d.states, s.State)
	}
	d.status = s
}

func (d *desk) now() devices.Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// seen are the states that the scanner went through.
func (d *desk) seen() []devices.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.states)
}

func (d *desk) typ(s string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), long)
	defer cancel()
	if err := d.port.Type(ctx, s); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) want(codes ...string) {
	d.t.Helper()
	for _, want := range codes {
		select {
		case got := <-d.codes:
			if string(got.Raw) != want || got.Device != "desk" || got.At.IsZero() {
				d.t.Errorf("got %+v, want %q", got, want)
			}
		case <-time.After(long):
			d.t.Fatalf("%q does not come; %+v", want, d.now())
		}
	}
}

// wantNone checks that everything that came was asked for.
func (d *desk) wantNone() {
	d.t.Helper()
	d.end()
	for len(d.codes) > 0 {
		d.t.Errorf("unexpected %+v", <-d.codes)
	}
}

// do runs something that takes a while, and fails if it fails.
func (d *desk) do(act func(context.Context) error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), long)
	defer cancel()
	if err := act(ctx); err != nil {
		d.t.Fatal(err)
	}
}

// until waits for a status.
func (d *desk) until(what string, ok func(devices.Status) bool) {
	d.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(long); !ok(d.now()); <-ticker.C {
		if time.Now().After(deadline) {
			d.t.Fatalf("not %s: %+v", what, d.now())
		}
	}
}

func (d *desk) unplug() {
	d.t.Helper()
	if err := d.port.Unplug(); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) replug() {
	d.t.Helper()
	if err := d.port.Replug(); err != nil {
		d.t.Fatal(err)
	}
}

func TestEveryFramingOverATerminal(t *testing.T) {
	d := start(t, plug(t))
	d.typ("3012300001238\r")
	d.typ("30123000012341\n30123000012342\r\n")
	d.typ("\x02T 1\x03\x02T 2\x03T 3\t")
	d.typ("]C0P 12345\r")
	d.typ("[)>\x1e06\x1dS1\x1e\x04\r")
	d.want("3012300001238", "30123000012341", "30123000012342", "T 1", "T 2", "T 3", "]C0P 12345", "[)>\x1e06\x1dS1\x1e\x04")
	d.typ("12345")
	d.want("12345")
	d.typ("12346")
	d.want("12346")
	d.typ("12347\r\n")
	d.want("12347")
	d.wantNone()
	if s := d.now(); s.Opens != 1 || s.Reads != 11 || s.Repeats != 0 || s.Drops != 0 {
		t.Errorf("at the end %+v", s)
	}
}

func TestAScannerWithoutSuffixIsQuick(t *testing.T) {
	d := start(t, plug(t))
	d.typ("301230")
	typed := time.Now()
	d.want("301230")
	if took := time.Since(typed); took > time.Second {
		t.Errorf("took %v", took)
	}
}

func TestSilenceIsNoUnplugging(t *testing.T) {
	d := start(t, plug(t))
	d.typ("1\r")
	d.want("1")
	rest(t.Context(), 5*readTimeout)
	d.typ("2\r")
	d.want("2")
	if s := d.now(); s.Opens != 1 || s.State != devices.Ready {
		t.Errorf("after some silence %+v", s)
	}
}

func TestUnpluggedInTheMiddleOfACode(t *testing.T) {
	d := start(t, plug(t))
	d.typ("1\r")
	d.want("1")
	d.typ("30123")
	d.unplug()
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	d.replug()
	d.typ("30124\r")
	d.want("30124")
	d.wantNone()
}

// A busy machine may get the first code after a plugging-in in pieces.
func TestTheSuffixIsRememberedOverUnplugging(t *testing.T) {
	d := start(t, plug(t))
	d.typ("1\r")
	d.want("1")
	d.unplug()
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	d.replug()
	d.typ("301")
	rest(t.Context(), 3*readTimeout) // silence is what is tested
	d.typ("24\r")
	d.want("30124")
}

func TestTheStatesOfUnplugging(t *testing.T) {
	d := start(t, plug(t))
	d.typ("1\r")
	d.want("1")
	d.unplug()
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	d.replug()
	d.typ("1\r") // the same code again is no repeat: the scanner was away
	d.want("1")
	d.end()
	want := []devices.State{devices.Opening, devices.Ready, devices.Absent, devices.Ready}
	if !slices.Equal(d.states, want) {
		t.Errorf("states %v, want %v", d.states, want)
	}
}

func TestAThousandReplugs(t *testing.T) {
	port := plug(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	d := start(t, port)
	for i := range 1000 {
		code := fmt.Sprintf("%014d", i)
		d.typ(code + "\r")
		d.want(code)
		if i%2 == 0 {
			d.typ("fragment")
		}
		d.unplug()
		d.replug()
	}
	d.typ("end\r")
	d.want("end")
	d.wantNone()
	if s := d.now(); s.Opens != 1001 || s.Reads != 1001 {
		t.Errorf("at the end %+v", s)
	}
	if n := openFiles(t); n != files {
		t.Errorf("%d open files, %d before", n, files)
	}
	d.until("back to the goroutines before", func(devices.Status) bool {
		return runtime.NumGoroutine() <= goroutines
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func TestRunEndsSoon(t *testing.T) {
	for name, prepare := range map[string]func(d *desk){
		"while it waits for a code":  func(d *desk) { d.typ("1\r"); d.want("1") },
		"in the middle of a code":    func(d *desk) { d.typ("1\r2"); d.want("1") },
		"while the device is absent": func(d *desk) { d.typ("1\r"); d.want("1"); d.unplug() },
		"before it has started":      func(d *desk) {},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, plug(t))
			prepare(d)
			asked := time.Now()
			d.end()
			if took := time.Since(asked); took > 500*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestOnlyOneMayRead(t *testing.T) {
	port := plug(t)
	d := start(t, port)
	d.typ("1\r")
	d.want("1")
	other := filepath.Join(t.TempDir(), "other name")
	if err := os.Symlink(port.Path(), other); err != nil {
		t.Fatal(err)
	}
	err := Try(Config{Name: "second", Path: other})
	if !errors.Is(err, errInUse) || !strings.Contains(err.Error(), other) {
		t.Errorf("the second gets %v", err)
	}
	d.typ("2\r")
	d.want("2")
	d.end()
	if err := Try(Config{Name: "second", Path: other}); err != nil {
		t.Errorf("after the first has left: %v", err)
	}
}

func TestATriedPortIsFreeAgain(t *testing.T) {
	port := plug(t)
	for range 3 {
		if err := Try(Config{Name: "desk", Path: port.Path()}); err != nil {
			t.Error(err)
		}
	}
}

func TestWhatWasSentBeforeOpeningIsNoScan(t *testing.T) {
	port := plug(t)
	// Somebody who takes no lock sets the terminal up and does not read.
	idler, err := serial.OpenPort(&serial.Config{Name: port.Path(), Baud: 9600, ReadTimeout: readTimeout})
	if err != nil {
		t.Fatal(err)
	}
	defer idler.Close()
	if err := port.Type(t.Context(), "1\r"); err != nil {
		t.Fatal(err)
	}
	d := start(t, port)
	d.until("ready", func(s devices.Status) bool { return s.State == devices.Ready })
	d.typ("2\r")
	d.want("2")
	d.wantNone()
}

func TestPortsThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "nothing"): "no such file or directory",
		dir:                           "is a directory",
		file:                          "not a serial port",
		"/dev/null":                   "not a serial port",
	} {
		err := Try(Config{Name: "desk", Path: path})
		if want := fmt.Sprintf("open %q: %s", path, want); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTheConfigIsCheckedBeforeTheDevice(t *testing.T) {
	err := Run(t.Context(), Config{Baud: 9601, Size: 9, Parity: "mark", StopBits: 3, Idle: -1}, nil, nil)
	want := `name: "" is not a name
path: "" is not a device's path
baud: "9601" is not a scanner's line speed
size: "9" is not 7 or 8 data bits
parity: "mark" is not "none", "odd" or "even"
stop_bits: "3" is not 1 or 2
idle: "-1ns" is not a pause below 1s`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	port := plug(t)
	for _, baud := range rates() {
		for _, parity := range []string{"none", "odd", "even"} {
			c := Config{Name: "desk", Path: port.Path(), Baud: baud, Size: 7, Parity: parity, StopBits: 2}
			if err := Try(c); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
	}
}

func TestANoisyScannerIsMutedAndComesBack(t *testing.T) {
	d := start(t, plug(t))
	var flood strings.Builder
	for i := range 300 {
		fmt.Fprintf(&flood, "%d\r", i)
	}
	d.typ(flood.String())
	d.until("open again", func(s devices.Status) bool { return s.Opens == 2 })
	d.typ("good\r")
	for i := range noise {
		d.want(fmt.Sprint(i))
	}
	d.want("good")
	d.wantNone()
	if !slices.Contains(d.states, devices.Noisy) {
		t.Errorf("states %v", d.states)
	}
	if s := d.now(); s.Drops == 0 || s.Drops > 100 {
		t.Errorf("at the end %+v", s)
	}
}
