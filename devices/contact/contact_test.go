package contact

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/devices"

	"periph.io/x/conn/v3/gpio"
)

type wire struct{ high atomic.Bool }

func (w *wire) Read() gpio.Level { return gpio.Level(w.high.Load()) }
func (w *wire) Close() error     { return nil }

func TestASwitchIsToldWhenItHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, heard := &wire{}, []bool{}
		w.high.Store(true) // open
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			Run(ctx, Config{Name: "bin full", Line: "GPIO5", Closed: true, Open: func(string) (Pin, error) { return w, nil }},
				func(devices.Status) {}, func(on bool) { heard = append(heard, on) })
			close(ended)
		}()
		wait := func(d time.Duration) { <-time.After(d); synctest.Wait() }
		wait(time.Second)
		for range 40 { // it bounces
			w.high.Store(!w.high.Load())
			wait(5 * time.Millisecond)
		}
		w.high.Store(false)
		wait(time.Second)
		w.high.Store(true)
		wait(time.Second)
		stop()
		<-ended
		if want := []bool{false, true, false}; !slices.Equal(heard, want) {
			t.Errorf("told %v, want %v", heard, want)
		}
	})
}

func TestAContactNeedsALine(t *testing.T) {
	if err := Run(t.Context(), Config{Name: "door"}, nil, nil); err == nil {
		t.Error("none is missed")
	}
}
