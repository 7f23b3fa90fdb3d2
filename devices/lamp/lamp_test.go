package lamp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"

	"periph.io/x/conn/v3/gpio"
)

// A board has lines that write down what happens to them, with the time since the beginning.
type board struct {
	mu      sync.Mutex
	began   time.Time
	history []string
	broken  error
}

type pin struct {
	b    *board
	name string
}

func (p pin) Out(l gpio.Level) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.history = append(p.b.history, fmt.Sprintf("%d %s %s", time.Since(p.b.began).Milliseconds(), p.name, l))
	return p.b.broken
}

func (p pin) Close() error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.history = append(p.b.history, fmt.Sprintf("%d %s closed", time.Since(p.b.began).Milliseconds(), p.name))
	return nil
}

func start(t *testing.T, b *board) (*Lamp, func()) {
	t.Helper()
	b.began = time.Now()
	l, err := New(Config{Name: "lamp", Green: "g", Amber: "a", Red: "r", Buzzer: "b", Open: func(line string) (Pin, error) { return pin{b, line}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { l.Run(ctx, func(devices.Status) {}); close(ended) }()
	synctest.Wait()
	b.history = nil
	return l, func() { stop(); <-ended }
}

func TestSigns(t *testing.T) {
	for sign, want := range map[Sign][]string{
		OK:    {"0 g High", "0 b High", "80 g Low", "80 b Low"},
		Warn:  {"0 a High", "0 b High", "120 a Low", "120 b Low", "240 a High", "240 b High", "360 a Low", "360 b Low"},
		Error: {"0 r High", "0 b High", "600 r Low", "600 b Low"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{}
			l, stop := start(t, b)
			l.Show(sign)
			<-time.After(time.Second)
			synctest.Wait()
			if !slices.Equal(b.history, want) {
				t.Errorf("%s: %q", sign, b.history)
			}
			stop()
		})
	}
}

func TestTheNewestSignWinsAndNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		l, stop := start(t, b)
		l.Show(Error)
		synctest.Wait()
		for range 100 {
			l.Show(OK)
		}
		l.Show(Warn)
		if time.Since(b.began) != 0 {
			t.Error("it has waited")
		}
		<-time.After(5 * time.Second)
		synctest.Wait()
		if text := strings.Join(b.history, "\n"); strings.Contains(text, " g High") || !strings.Contains(text, " a High") {
			t.Errorf("shown: %q", b.history)
		}
		stop()
	})
}

func TestInTheEndAllIsDark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		l, stop := start(t, b)
		l.Show(Error)
		<-time.After(100 * time.Millisecond)
		stop()
		last := map[string]string{}
		for _, h := range b.history {
			f := strings.Fields(h)
			if f[2] != "closed" {
				last[f[1]] = f[2]
			}
		}
		if last["r"] != "Low" || last["b"] != "Low" {
			t.Errorf("left burning: %v", last)
		}
	})
}

func TestALineThatFailsIsSaid(t *testing.T) {
	b := &board{broken: errors.New("no such line")}
	err := Try(Config{Name: "lamp", Green: "GPIO17", Open: func(string) (Pin, error) { return pin{b, "g"}, nil }})
	if err == nil || !strings.Contains(err.Error(), `open "GPIO17": no such line`) {
		t.Errorf("got %v", err)
	}
	if err := (Config{Name: "lamp"}).Check(); err == nil {
		t.Error("a lamp without a line is no lamp")
	}
}
