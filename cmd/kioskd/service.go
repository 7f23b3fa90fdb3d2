package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"circdesk/cmd/kioskd/notify"
	"circdesk/kiosk"
)

// A status is the sentence that the service manager was told last.
type status struct {
	beats atomic.Uint64
	text  string
}

// beat is the loop's sign of life. It goes to the watchdog from another goroutine, which has nothing
// to say unless the loop beats: a hung desk is ended and started again.
func (d *daemon) beat() { d.told.beats.Add(1) }

// report tells the service manager that the desk is ready, how it is, and that it lives.
func (d *daemon) report(ctx context.Context) error {
	every, err := notify.Watchdog(os.Getenv, os.Getpid())
	if err != nil {
		d.log.Warn("no watchdog", "err", err)
	}
	if every <= 0 {
		every = 5 * time.Second
	}
	look := time.NewTicker(min(every, time.Second) / 2)
	defer look.Stop()
	var seen uint64
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
		beats := d.told.beats.Load()
		if beats == seen {
			continue
		}
		if seen == 0 {
			d.tell(d.notify.Ready())
		}
		seen = beats
		if now := time.Now(); now.Sub(last) >= every/2 {
			d.tell(d.notify.Beat())
			last = now
		}
		d.sentence()
	}
}

// sentence sets what "systemctl status" shows, if it has changed.
func (d *daemon) sentence() {
	s := d.loop.Latest()
	_, queue, staff := d.store.Counts()
	text := fmt.Sprintf("screen %s, %d waiting for the library system, %d for staff%s", s.Mode, queue, staff, alarms(s.Alarms))
	if text != d.told.text {
		d.told.text = text
		d.tell(d.notify.Status(text))
	}
}

// alarms are their codes, for one line.
func alarms(standing []kiosk.Standing) string {
	text := ""
	for _, a := range standing {
		text += " " + string(a.Alarm)
	}
	if text == "" {
		return ""
	}
	return ", alarms" + text
}

// tell logs that the service manager could not be told something.
func (d *daemon) tell(err error) {
	if err != nil {
		d.log.Warn("service manager", "err", err)
	}
}
