package loop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/kiosk"
)

// teacher is a card that asks for a PIN.
const teacher = "21000000000027"

// A memory is a store of any number of books.
type memory struct {
	mu     sync.Mutex
	stand  kiosk.JournalIs
	alarms []kiosk.Alarm
	broken bool // Record fails until it is mended
	lost   bool // nothing is found until it is mended
	mended int
	acts   []kiosk.Act
	block  chan struct{} // not nil: Record waits for it
}

func (m *memory) Find(f kiosk.Find) kiosk.Found {
	found := kiosk.Found{Call: f.Call, Failed: m.Stand().NoCache}
	if found.Failed {
		return found
	}
	if f.Patron != "" {
		found.Account = &kiosk.Account{Patron: kiosk.Patron{ID: f.Patron, Name: "Maya", Type: "student"}}
		if f.Patron == teacher {
			found.Account.Patron.Type, found.Account.Patron.PIN = "teacher", true
		}
	}
	if f.Item != "" {
		found.Copy = &kiosk.Copy{Item: kiosk.Item{ID: f.Item, Title: "Holes", Type: "regular"}}
	}
	return found
}

// CheckPIN knows one PIN.
func (m *memory) CheckPIN(v kiosk.Verify) kiosk.Verified {
	return kiosk.Verified{Call: v.Call, OK: v.PIN == "9753"}
}

func (m *memory) Record(acts []kiosk.Act) error {
	if m.block != nil {
		<-m.block
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		m.stand.Writable = false
		return errors.New("no answer from the disk")
	}
	m.acts = append(m.acts, acts...)
	m.stand.Next += uint64(len(acts))
	return nil
}

func (m *memory) Follow() {}

func (m *memory) Stand() kiosk.JournalIs {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stand
}

func (m *memory) Mend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mended++
	m.stand.Writable = !m.broken
	m.stand.NoCache = m.lost
}

func (m *memory) Alarms() []kiosk.Alarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.alarms)
}

// change does something to the store while nobody looks.
func (m *memory) change(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

// A desk is a loop at work in a bubble of fake time.
type desk struct {
	*Loop
	t     *testing.T
	store *memory
	mu    sync.Mutex
	shown []kiosk.Screen
	beats int
}

func open(t *testing.T) *desk {
	d := &desk{t: t, store: &memory{stand: kiosk.JournalIs{Writable: true, Prefix: "LIB-1-7f3a-", Next: 1}}}
	setup := &kiosk.Setup{Zone: time.UTC, Languages: []string{"en"}, Policy: kiosk.Policy{
		Version: "1", Patrons: map[string]kiosk.PatronType{"student": {Limit: 100}, "teacher": {PIN: true}},
		Rules: map[kiosk.RuleFor]kiosk.Rule{{Patron: "student", Item: "regular"}: {Days: 14}},
	}}
	d.Loop = New(Options{
		State: kiosk.New(setup, time.Now(), 0), Store: d.store,
		Show: func(s kiosk.Screen) { d.mu.Lock(); defer d.mu.Unlock(); d.shown = append(d.shown, s) },
		Beat: func() { d.mu.Lock(); defer d.mu.Unlock(); d.beats++ },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	synctest.Wait()
	return d
}

func (d *desk) send(events ...kiosk.Event) {
	for _, ev := range events {
		if !d.Send(d.t.Context(), ev) {
			d.t.Fatal("not taken")
		}
	}
	synctest.Wait()
}

// pass lets time go by.
func (d *desk) pass(t time.Duration) {
	<-time.After(t)
	synctest.Wait()
}

// last is the newest Screen.
func (d *desk) last() kiosk.Screen {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shown[len(d.shown)-1]
}

func card() kiosk.Event {
	return kiosk.Scanned{Role: kiosk.RoleStudent, Code: "21000000000019", Patron: "21000000000019"}
}

func book(n int) kiosk.Event {
	code := fmt.Sprintf("3100000000%04d", n)
	return kiosk.Scanned{Role: kiosk.RoleStudent, Code: code, Item: kiosk.ItemID(code)}
}

func TestABookIsBorrowedInOneGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.send(card(), book(1))
		s := d.last()
		if s.Mode != kiosk.ModeBorrow || s.Greeting != "Maya" || len(s.Lines) != 1 || s.Lines[0].Outcome != kiosk.OutcomeLoan {
			t.Errorf("shown: %+v", s)
		}
		if len(d.store.acts) != 1 || d.store.acts[0].Key != "LIB-1-7f3a-1" {
			t.Errorf("recorded: %+v", d.store.acts)
		}
	})
}

// A wrong PIN stands in the journal before the screen tells of it.
func TestAWrongPINIsDurableBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		typePIN := func(pin string) {
			d.pass(time.Second)
			for _, digit := range pin {
				d.pass(200 * time.Millisecond)
				d.send(kiosk.Tapped{ID: "digit:" + string(digit), Seq: d.last().Seq, Session: d.last().Session})
			}
			d.send(kiosk.Tapped{ID: "ok", Seq: d.last().Seq, Session: d.last().Session})
		}
		d.send(kiosk.Scanned{Role: kiosk.RoleStudent, Code: teacher, Patron: teacher})
		d.store.block = make(chan struct{})
		typePIN("1111")
		if s := d.last(); s.Mode != kiosk.ModePIN || s.Notice != "" {
			t.Errorf("while the journal waits: %s, %q", s.Mode, s.Notice)
		}
		close(d.store.block)
		synctest.Wait()
		if s := d.last(); s.Notice != kiosk.FaultWrongPIN || len(d.store.acts) != 1 || d.store.acts[0].Kind != kiosk.KindPINWrong {
			t.Errorf("after it: %q, %+v", s.Notice, d.store.acts)
		}
		typePIN("9753")
		if s := d.last(); s.Mode != kiosk.ModeBorrow || len(d.store.acts) != 2 || d.store.acts[1].Kind != kiosk.KindPINRight {
			t.Errorf("the right one: %s, %+v", s.Mode, d.store.acts)
		}
	})
}

// No Screen ever shows a loan that is not in the journal yet, however many books wait.
func TestNothingIsShownBeforeItIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.store.block = make(chan struct{})
		d.send(card())
		for n := range 5 {
			d.send(book(n))
		}
		if s := d.last(); s.New != 0 {
			t.Fatalf("%d books shown while the journal has none", s.New)
		}
		close(d.store.block)
		synctest.Wait()
		if s := d.last(); s.New != 5 || len(d.store.acts) != 5 {
			t.Errorf("%d books shown, %d recorded", s.New, len(d.store.acts))
		}
	})
}

func TestTheDeskWakesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.send(card())
		d.pass(40*time.Second + time.Millisecond)
		if s := d.last(); s.Mode != kiosk.ModeStillThere || s.Seconds != 20 {
			t.Errorf("after 40 s: %s, %d", s.Mode, s.Seconds)
		}
		d.pass(5 * time.Second)
		if s := d.last(); s.Seconds != 15 {
			t.Errorf("the countdown stands at %d, want 15", s.Seconds)
		}
		d.pass(20 * time.Second)
		if s := d.last(); s.Mode != kiosk.ModeAttract || s.Greeting != "" {
			t.Errorf("in the end: %s, %q", s.Mode, s.Greeting)
		}
	})
}

func TestTheLoopBeatsOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.pass(10*time.Second + time.Millisecond)
		if d.beats != 11 || !d.Alive() {
			t.Errorf("%d beats in 10 s, alive: %v", d.beats, d.Alive())
		}
	})
}

func TestAHungLoopIsNotAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.store.block = make(chan struct{})
		d.send(card(), book(1))
		d.pass(6 * time.Second)
		if d.Alive() {
			t.Error("it waits for the journal and says that it lives")
		}
		close(d.store.block)
		d.pass(2 * time.Second)
		if !d.Alive() {
			t.Error("it does not live again")
		}
	})
}

func TestABrokenJournalShutsAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.send(card(), book(1))
		d.store.change(func() { d.store.broken = true })
		d.send(book(2))
		if s := d.last(); s.Mode != kiosk.ModeBorrowingOff {
			t.Fatalf("shown: %s", s.Mode)
		}
		d.pass(3*time.Second + time.Millisecond)
		if d.store.mended < 3 {
			t.Errorf("mended %d times in 3 s", d.store.mended)
		}
		d.store.change(func() { d.store.broken = false })
		d.pass(time.Second)
		if s := d.last(); s.Mode != kiosk.ModeAttract {
			t.Errorf("healed, shown: %s", s.Mode)
		}
		d.send(card(), book(3))
		if s := d.last(); s.New != 1 || d.store.acts[1].Key != "LIB-1-7f3a-2" {
			t.Errorf("%d shown, key %s", s.New, d.store.acts[1].Key)
		}
	})
}

func TestTheStoresAlarmsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		has := func() bool {
			return slices.ContainsFunc(d.last().Alarms, func(s kiosk.Standing) bool { return s.Alarm == kiosk.AlarmCache })
		}
		d.store.change(func() { d.store.alarms = []kiosk.Alarm{kiosk.AlarmCache} })
		d.pass(1100 * time.Millisecond)
		if !has() {
			t.Error("not told")
		}
		d.store.change(func() { d.store.alarms = nil })
		d.pass(1100 * time.Millisecond)
		if has() {
			t.Error("not taken back")
		}
	})
}

// Nobody need scan anything to learn that the cache is lost, or well again.
func TestALostCacheIsToldWithoutAScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		told := func() bool {
			return slices.ContainsFunc(d.last().Alarms, func(s kiosk.Standing) bool { return s.Alarm == kiosk.AlarmCache })
		}
		d.store.change(func() { d.store.lost, d.store.stand.NoCache = true, true })
		d.pass(2 * time.Second)
		d.send(kiosk.Scanned{Source: "wedge", Role: kiosk.RoleStudent, Patron: teacher})
		if !told() {
			t.Error("nobody is told that nothing is found")
		}
		d.store.change(func() { d.store.lost = false })
		d.pass(2 * time.Second)
		if told() {
			t.Error("the alarm stands until somebody scans")
		}
	})
}

func TestAnEdgeWaitsForTheLoopAndNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.store.block = make(chan struct{})
		defer close(d.store.block)
		d.send(card(), book(1))
		for range inbox {
			d.send(kiosk.Woke{})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if d.Send(ctx, kiosk.Woke{}) {
			t.Error("a full inbox has taken one more")
		}
	})
}

// A school day of ten hours, a visit every ten minutes, in a moment.
func TestALongDayPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		for n := range 60 {
			d.send(card(), book(n))
			d.pass(10 * time.Minute)
			if s := d.last(); s.Mode != kiosk.ModeAttract {
				t.Fatalf("visit %d does not end: %s", n, s.Mode)
			}
			d.shown = d.shown[len(d.shown)-1:]
		}
		if len(d.store.acts) != 60 {
			t.Errorf("%d entries", len(d.store.acts))
		}
	})
}
