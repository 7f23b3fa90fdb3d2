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
	"syscall"
	"testing"
	"time"

	"circdesk/devices"
	"circdesk/devices/devicestest"
)

// A bench is a bus and what is to be known of it in a Config.
func bench(t *testing.T) (*devicestest.Bus, Host) {
	t.Helper()
	// In memory, where there is such a folder: 1,000 replugs are 30,000 files.
	dir, err := os.MkdirTemp("/dev/shm", "bus")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bus, err := devicestest.NewBus(dir)
	if err != nil {
		t.Fatal(err)
	}
	return bus, hostOf(bus)
}

func hostOf(bus *devicestest.Bus) Host {
	return Host{Sys: bus.Sys(), Dev: bus.Dev(), Udev: bus.Udev(), Open: bus.Open, Ioctl: bus.Ioctl}
}

func voyager() devicestest.ID {
	return devicestest.ID{Vendor: 0x0c2e, Product: 0x0b61, Serial: "A1", Port: "1-1.2"}
}

// wedge starts a keyboard scanner that is plugged in and found by what it is.
func wedge(t *testing.T, layout string) (*desk, *devicestest.Keyboard, *devicestest.Bus) {
	t.Helper()
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), layout)
	k.Gagged = true
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Unplug() })
	d := run(t, Config{Kind: Keyboard, Match: Match{Vendor: 0x0c2e, Product: 0x0b61}, Layout: layout, Host: host})
	return d, k, bus
}

// types types text on a keyboard.
func (d *desk) types(k *devicestest.Keyboard, text string) {
	d.t.Helper()
	d.do(func(ctx context.Context) error { return k.Type(ctx, text) })
}

func (d *desk) sends(k *devicestest.Keyboard, events ...devicestest.Event) {
	d.t.Helper()
	d.do(func(ctx context.Context) error {
		return errors.Join(k.WaitOpen(ctx), k.Send(ctx, events...))
	})
}

// strikes presses four keys, whether anybody listens or not.
func (d *desk) strikes(k *devicestest.Keyboard) {
	d.t.Helper()
	for _, c := range []uint16{2, 3, 4, 28} {
		d.do(func(ctx context.Context) error {
			return k.Send(ctx, devicestest.Key(c, devicestest.Down), devicestest.Key(c, devicestest.Up), devicestest.Report)
		})
	}
}

// printable are all characters of ASCII that can be printed, with one in front
// that is not a space.
func printable() string {
	var s strings.Builder
	for r := '!'; r <= '~'; r++ {
		s.WriteRune(r)
	}
	return s.String() + " ."
}

func TestEveryLayoutTypesEveryCharacter(t *testing.T) {
	own := map[string]string{"uk": "£", "de": "äöüßÄÖÜ€é", "fr": "éçê€", "es": "ñÑá€", "se": "åäö€", "dk": "åæø", "no": "åæø"}
	for _, layout := range layouts() {
		t.Run(layout, func(t *testing.T) {
			d, k, _ := wedge(t, layout)
			d.types(k, printable()+"\r")
			d.types(k, "x"+own[layout]+"\r")
			d.want(printable(), "x"+own[layout])
			d.wantNone()
			if s := d.now(); s.Drops != 0 || s.Err != "" || s.Path != k.Path() || s.Kind != Keyboard {
				t.Errorf("at the end %+v", s)
			}
		})
	}
}

// The test above would prove nothing if the layouts were all alike.
func TestAWrongLayoutTypesSomethingElse(t *testing.T) {
	bus, host := bench(t)
	for _, layout := range layouts() {
		for _, other := range layouts() {
			alike := slices.Contains([]string{"nordic", "se", "fi"}, layout) && slices.Contains([]string{"nordic", "se", "fi"}, other)
			differ := fmt.Sprint(newLayout(layout)) != fmt.Sprint(newLayout(other))
			if layout != other && differ == alike {
				t.Errorf("%q and %q: differ %v", layout, other, differ)
			}
		}
	}
	k := bus.NewKeyboard(voyager(), "de")
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Kind: Keyboard, Match: Match{Port: "1-1.2"}, Host: host})
	d.types(k, "XYZ-1\r")
	d.want("XZY/1")
}

func TestEveryWayOfTyping(t *testing.T) {
	d, k, _ := wedge(t, "us")
	const text = "P 12345-aBc"
	d.do(func(ctx context.Context) error { return errors.Join(k.TypeAlt(ctx, text), k.Type(ctx, "\r")) })
	d.want(text)
	d.do(func(ctx context.Context) error {
		return errors.Join(k.TypeCaps(ctx, "T 777-aBc"), k.TypeCtrl(ctx, 'm'))
	})
	d.want("T 777-aBc")
	d.do(func(ctx context.Context) error { return k.TypeAlt(ctx, "T 8é€\r") })
	d.want("T 8é") // 8364 is no character of Windows' code page
	d.do(func(ctx context.Context) error {
		return errors.Join(k.Type(ctx, "01"), k.TypeCtrl(ctx, ']'), k.Type(ctx, "21"), k.TypeCtrl(ctx, '6'), k.Type(ctx, "x\t"))
	})
	d.want("01\x1d21\x1ex")
	d.types(k, "no suffix")
	d.want("no suffix")
	d.types(k, "keypad 4")
	d.sends(k, devicestest.Key(79, devicestest.Down), devicestest.Key(79, devicestest.Up), devicestest.Report,
		devicestest.Key(96, devicestest.Down), devicestest.Key(96, devicestest.Up), devicestest.Report)
	d.want("keypad 41")
	d.types(k, "\r\r\t\r") // a suffix alone is no scan
	d.wantNone()
	if s := d.now(); s.Drops != 1 || s.Reads != 6 {
		t.Errorf("at the end %+v", s)
	}
}

func TestTheLampOfCapsLockIsTrusted(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	k.Lamp(true)
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Kind: Keyboard, Path: k.Path(), Host: host})
	d.types(k, "aB1!\r")
	d.want("Ab1!")
	d.sends(k, devicestest.Event{Type: 0x11, Code: 1, Value: 0}, devicestest.Report)
	d.types(k, "aB1!\r")
	d.want("aB1!")
}

func TestHotkeysTypeNothing(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.types(k, "12")
	for _, hold := range []uint16{keyLeftAlt, keyLeftMeta, keyRightAlt, keyLeftCtrl} {
		d.sends(k, devicestest.Key(hold, devicestest.Down), devicestest.Key(62, devicestest.Down), // F4
			devicestest.Key(62, devicestest.Up), devicestest.Key(hold, devicestest.Up), devicestest.Report)
	}
	d.sends(k, devicestest.Key(keyLeftCtrl, devicestest.Down), devicestest.Key(keyLeftAlt, devicestest.Down),
		devicestest.Key(111, devicestest.Down), devicestest.Key(111, devicestest.Up),
		devicestest.Key(keyLeftAlt, devicestest.Up), devicestest.Key(keyLeftCtrl, devicestest.Up), devicestest.Report)
	d.types(k, "34\r")
	d.want("1234")
	d.wantNone()
	if s := d.now(); s.Drops != 5 {
		t.Errorf("at the end %+v", s)
	}
}

func TestRepeatsOfAKeyAreIgnored(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.sends(k, devicestest.Key(3, devicestest.Down), devicestest.Report)
	for range 10 {
		d.sends(k, devicestest.Key(3, devicestest.Repeat), devicestest.Report)
	}
	d.sends(k, devicestest.Key(3, devicestest.Up), devicestest.Report)
	d.types(k, "3\r")
	d.want("23")
}

func TestAStuckKeyIsNoisy(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.sends(k, devicestest.Key(3, devicestest.Down), devicestest.Report)
	for range stuckRepeats + 1 {
		d.sends(k, devicestest.Key(3, devicestest.Repeat), devicestest.Report)
	}
	d.until("opened again", func(s devices.Status) bool { return s.Opens > 1 })
	d.sends(k, devicestest.Key(3, devicestest.Up), devicestest.Report)
	d.types(k, "7\r")
	d.want("7")
	if !slices.Contains(d.seen(), devices.Noisy) {
		t.Errorf("states %v", d.seen())
	}
}

func TestLostEventsCostOneCode(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	d.types(k, "30123")
	d.sends(k, devicestest.Key(keyLeftShift, devicestest.Down), devicestest.Report)
	// The release of Shift is in what was lost, and so is the end of the code.
	d.sends(k, devicestest.Dropped, devicestest.Key(9, devicestest.Down), devicestest.Key(9, devicestest.Up))
	d.do(func(ctx context.Context) error { // nobody sees this one: the state is asked for
		return k.Send(ctx, devicestest.Event{Type: 1, Code: keyLeftShift, Value: devicestest.Up}, devicestest.Report)
	})
	d.types(k, "4567\r")
	d.types(k, "a2\r")
	d.want("a2")
	d.wantNone()
	if s := d.now(); s.Drops != 1 || s.Opens != 1 {
		t.Errorf("at the end %+v", s)
	}
}

func TestOnlyTheGrabberGetsWhatIsTyped(t *testing.T) {
	d, k, bus := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	if n := len(bus.Console()); n > 0 {
		t.Errorf("%d keys came to the console", n)
	}
	err := Try(Config{Name: "second", Kind: Keyboard, Path: k.Path(), Host: hostOf(bus)})
	if err == nil || !strings.Contains(err.Error(), "another program has grabbed it") {
		t.Errorf("the second gets %v", err)
	}
	d.types(k, "2\r")
	d.want("2")
}

func TestNothingGetsOutBeforeAndAfterTheGrab(t *testing.T) {
	d, k, bus := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	for range 20 {
		if err := errors.Join(k.Unplug(), k.Plug()); err != nil {
			t.Fatal(err)
		}
		d.strikes(k) // in the moment before the grab, or just after it
	}
	d.types(k, "2\r")
	d.end()
	d.strikes(k) // when the desk has let go
	if n := len(bus.Console()); n > 0 || !k.Inhibited() {
		t.Errorf("%d keys came to the console; inhibited %v", n, k.Inhibited())
	}
	// Without the rule, they would have come.
	k.Gagged = false
	if err := errors.Join(k.Unplug(), k.Plug()); err != nil {
		t.Fatal(err)
	}
	d.strikes(k)
	if n := len(bus.Console()); n != 4 {
		t.Errorf("%d keys came to the console without a rule, want 4", n)
	}
}

func TestTheGagComesOffAfterTheGrab(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	k.Gagged = true
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	ungagged := make(chan bool, 100)
	host.Ioctl = func(f *os.File, request uint32, data []byte) (int, error) {
		if request == eviocgrab {
			ungagged <- !k.Inhibited()
		}
		return bus.Ioctl(f, request, data)
	}
	for range 2 {
		if err := Try(Config{Name: "desk", Kind: Keyboard, Path: k.Path(), Host: host}); err != nil {
			t.Fatal(err)
		}
		if <-ungagged {
			t.Error("it could speak before the grab")
		}
		if !k.Inhibited() {
			t.Error("it can speak after the end")
		}
	}
	n, err := openKeyboard(Config{Path: k.Path(), Host: host}, &teller{report: func(devices.Status) {}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if k.Inhibited() {
		t.Error("it cannot speak when it is open")
	}
}

func TestALateGagIsTakenOff(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	if err := k.Inhibit(true); err != nil {
		t.Fatal(err)
	}
	d.types(k, "2\r") // waits until it can be typed
	d.want("2")
}

func TestAGagThatCannotBeTakenOffIsSaid(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	// A file that begins with 1 and cannot be written, not even by root.
	gag := filepath.Join(bus.Sys(), "class/input", filepath.Base(k.Path()), "device/inhibited")
	if err := errors.Join(os.Remove(gag), os.Symlink("/proc/1/stat", gag)); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Kind: Keyboard, Path: k.Path(), Host: host})
	d.until("failed", func(s devices.Status) bool {
		return s.State != devices.Ready && strings.Contains(s.Err, errGagged.Error()+`: write "`+gag)
	})
}

func TestARefusedGrabIsSaidAndGoesOn(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	k.RefuseGrab = syscall.EPERM
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Kind: Keyboard, Path: k.Path(), Host: host})
	d.types(k, "1\r")
	d.want("1")
	s := d.now()
	if want := "is not ours alone: what is scanned may reach the console, as a grab is refused: operation not permitted"; s.State != devices.Ready || s.Err != want {
		t.Errorf("got %+v", s)
	}
	if len(bus.Console()) != 2 {
		t.Errorf("the console got %v", bus.Console())
	}
}

func TestAGrabThatBecomesPossibleIsTaken(t *testing.T) {
	d, k, bus := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	second := run(t, Config{Kind: Keyboard, Path: k.Path(), Host: hostOf(bus)})
	second.until("degraded", func(s devices.Status) bool {
		return s.State == devices.Ready && strings.Contains(s.Err, "another program")
	})
	d.end()
	second.until("healed", func(s devices.Status) bool { return s.State == devices.Ready && s.Err == "" && s.Opens == 1 })
	second.types(k, "2\r")
	second.want("2")
	if n := len(bus.Console()); n > 0 {
		t.Errorf("%d keys came to the console", n)
	}
}

func TestAnyPortIfMatchedByIdentity(t *testing.T) {
	d, k, _ := wedge(t, "us")
	for i, port := range []string{"1-1.3", "2-1", "1-1.2"} {
		if err := k.Unplug(); err != nil {
			t.Fatal(err)
		}
		gone := time.Now()
		d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
		k.ID.Port = port
		if err := k.Plug(); err != nil {
			t.Fatal(err)
		}
		d.types(k, fmt.Sprintf("%d\r", i))
		d.want(fmt.Sprint(i))
		if took := time.Since(gone); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	}
}

func TestTwoAlikeAreToldApartByPort(t *testing.T) {
	bus, host := bench(t)
	var desks [2]*desk
	var scanners [2]*devicestest.Keyboard
	for i := range 2 {
		id := devicestest.ID{Vendor: 0x05e0, Product: 0x1200, Port: fmt.Sprintf("1-1.%d", 3-i)}
		scanners[i] = bus.NewKeyboard(id, "us")
		if err := scanners[i].Plug(); err != nil {
			t.Fatal(err)
		}
		desks[i] = run(t, Config{Kind: Keyboard, Host: host, Match: Match{Vendor: 0x05e0, Product: 0x1200, Port: id.Port}})
	}
	for i := range 2 {
		desks[i].types(scanners[i], fmt.Sprintf("of %d\r", i))
		desks[i].want(fmt.Sprintf("of %d", i))
	}
	desks[0].wantNone()
	desks[1].wantNone()
}

func TestUnpluggedWhileItTypes(t *testing.T) {
	d, k, _ := wedge(t, "us")
	d.types(k, "1\r")
	d.want("1")
	d.types(k, "30123")
	if err := k.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d.types(k, "30124\r")
	d.want("30124")
	d.wantNone()
	if s := d.now(); s.Drops != 1 {
		t.Errorf("at the end %+v", s)
	}
}

func TestAThousandReplugsOfAKeyboard(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	d, k, bus := wedge(t, "us")
	for i := range 1000 {
		code := fmt.Sprintf("%014d", i)
		d.types(k, code+"\r")
		d.want(code)
		if i%2 == 0 {
			d.types(k, "fragment")
		}
		if err := k.Unplug(); err != nil {
			t.Fatal(err)
		}
		if err := k.Plug(); err != nil {
			t.Fatal(err)
		}
	}
	d.types(k, "end\r")
	d.want("end")
	d.wantNone()
	if s := d.now(); s.Opens != 1001 || s.Reads != 1001 {
		t.Errorf("at the end %+v", s)
	}
	if err := k.Unplug(); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(t); n > files+1 { // the poller of the runtime is one
		t.Errorf("%d open files, %d before", n, files)
	}
	d.until("back to the goroutines before", func(devices.Status) bool { return runtime.NumGoroutine() <= goroutines })
	if n := len(bus.Console()); n > 0 {
		t.Errorf("%d keys came to the console", n)
	}
}

func TestANoisyKeyboardIsMuted(t *testing.T) {
	d, k, bus := wedge(t, "us")
	var flood strings.Builder
	for i := range 300 {
		fmt.Fprintf(&flood, "%d\r", i)
	}
	d.types(k, flood.String())
	d.until("open again", func(s devices.Status) bool { return s.Opens == 2 })
	d.types(k, "good\r")
	for i := range noise {
		d.want(fmt.Sprint(i))
	}
	d.want("good")
	if n := len(bus.Console()); n > 0 || !slices.Contains(d.seen(), devices.Noisy) {
		t.Errorf("%d keys came to the console; states %v", n, d.seen())
	}
}

// A scanner of which udev's rules know nothing has no gag. While it is muted it is
// held, and what it types is thrown away; and it can be exchanged at any time.
func TestAMutedKeyboardTypesForNobody(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d := run(t, Config{Kind: Keyboard, Match: Match{Vendor: 0x0c2e, Product: 0x0b61}, Host: host,
		Backoff: devices.Backoff{First: time.Hour, Absent: 50 * time.Millisecond, Max: time.Hour}})
	d.sends(k, devicestest.Key(3, devicestest.Down), devicestest.Report)
	for range stuckRepeats + 1 {
		d.sends(k, devicestest.Key(3, devicestest.Repeat), devicestest.Report)
	}
	d.until("muted", func(s devices.Status) bool { return s.State == devices.Noisy })
	d.strikes(k)
	if n := len(bus.Console()); n > 0 {
		t.Errorf("%d keys came to the console", n)
	}
	if err := k.Unplug(); err != nil {
		t.Fatal(err)
	}
	d.until("absent", func(s devices.Status) bool { return s.State == devices.Absent })
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	d.types(k, "7\r")
	d.want("7")
	d.wantNone()
}

func TestAMutedKeyboardIsExchangedAtOnce(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	k.Gagged = true
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	look := func() string { return look(Config{Kind: Keyboard, Match: Match{Port: "1-1.2"}, Host: host}) }
	first := look()
	if first == "" || look() != first {
		t.Errorf("the first is %q, then %q", first, look())
	}
	if err := k.Unplug(); err != nil || look() != "" {
		t.Errorf("without any there is %q; %v", look(), err)
	}
	if err := k.Plug(); err != nil || look() == "" || look() == first {
		t.Errorf("the second is %q like the first; %v", look(), err)
	}
}

func TestAScannerThatNoRuleKnowsIsSaid(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(devicestest.ID{Vendor: 0x13ba, Product: 0x0018, Port: "1-1.2"}, "us")
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	c := Config{Name: "desk", Kind: Keyboard, Path: k.Path(), Host: host}
	rule := `KERNELS=="*:13BA:0018.*", ENV{CIRCDESK_SCANNER}="1"`
	if err := Try(c); err == nil || !strings.HasPrefix(err.Error(), `open "`+k.Path()+`": it is not known to 70-circdesk.rules`) ||
		!strings.Contains(err.Error(), rule) {
		t.Errorf("got %v", err)
	}
	d := run(t, c)
	d.types(k, "1\r")
	d.want("1")
	if s := d.now(); s.State != devices.Ready || !strings.Contains(s.Err, rule) || !strings.Contains(s.Err, "/etc/udev/rules.d/69-scanner.rules") {
		t.Errorf("got %+v", s)
	}
	// Somebody adds the rule.
	if err := k.Ruled(); err != nil {
		t.Fatal(err)
	}
	d.until("known", func(s devices.Status) bool { return s.State == devices.Ready && s.Err == "" })
	if err := Try(c); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %v", err)
	}
	if s := d.now(); s.Opens != 1 {
		t.Errorf("at the end %+v", s)
	}
}

// Just after it was plugged in, udev may not have come to it yet.
func TestWhatUdevHasNotSeenIsNotSaidToBeUnknown(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	if err := errors.Join(k.Plug(), os.RemoveAll(filepath.Join(bus.Udev(), "data"))); err != nil {
		t.Fatal(err)
	}
	if err := Try(Config{Name: "desk", Kind: Keyboard, Path: k.Path(), Host: host}); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(bus.Udev(), "data"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestKeyboardsThatCannotBeOpened(t *testing.T) {
	bus, host := bench(t)
	k := bus.NewKeyboard(voyager(), "us")
	k.Gagged = true
	if err := k.Plug(); err != nil {
		t.Fatal(err)
	}
	volume := strings.Replace(k.Path(), "event2", "event1", 1)
	for _, c := range []struct {
		c    Config
		want string
	}{
		{Config{Path: bus.Dev() + "/input/event9"}, `open "` + bus.Dev() + `/input/event9": no such file or directory`},
		{Config{Path: bus.Dev() + "/input/by-id/*"}, `look for "` + bus.Dev() + `/input/by-id/*": file does not exist`},
		{Config{Path: volume}, `open "` + volume + `": is not the keyboard of a scanner: it has no keys for digits`},
		{Config{Match: Match{Vendor: 0x0c2e, Product: 1}}, `no keyboard device 0c2e:0001: file does not exist`},
		{Config{Match: Match{Vendor: 0x0c2e, Product: 0x0b61, Serial: "A2"}}, `no keyboard device 0c2e:0b61:A2: file does not exist`},
		{Config{Match: Match{Port: "1-1.9"}}, `no keyboard device at 1-1.9: file does not exist`},
	} {
		c.c.Name, c.c.Kind, c.c.Host = "desk", Keyboard, host
		if err := Try(c.c); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	for _, c := range []Config{{Path: bus.Dev() + "/input/event*2"}, {Match: Match{Port: "1-1.2"}}, {Match: Match{Vendor: 0x0c2e, Product: 0x0b61, Serial: "A1"}}} {
		c.Name, c.Kind, c.Host = "desk", Keyboard, host
		if err := Try(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
