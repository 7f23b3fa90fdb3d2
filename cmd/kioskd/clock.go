package main

import (
	"context"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"circdesk/kiosk"

	"golang.org/x/sys/unix"
)

// watchClock tells the desk how far the wall clock can be trusted (facts: reliability 4).
func (d *daemon) watchClock(ctx context.Context) error {
	every := time.NewTicker(2 * time.Second)
	defer every.Stop()
	var told kiosk.ClockIs
	for {
		if now := trust(time.Now(), d.floor()); now != told {
			told = now
			d.events(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// floor is a time that has certainly passed: that of the build, or of the last journal entry.
func (d *daemon) floor() time.Time {
	floor := buildTime()
	if last := d.store.Newest(); last.After(floor) {
		floor = last
	}
	return floor
}

// slack is how far the clock may stand behind the last entry: a clock that is being set right steps
// back a little.
const slack = 2 * time.Minute

// trust classifies the wall clock at now.
func trust(now, floor time.Time) kiosk.ClockIs {
	switch {
	case now.Before(floor.Add(-slack)):
		return kiosk.ClockIs{Trust: kiosk.ClockImpossible, Floor: floor}
	case synchronised():
		return kiosk.ClockIs{Trust: kiosk.ClockSynchronised}
	}
	return kiosk.ClockIs{Trust: kiosk.ClockRestored}
}

// synchronised asks the kernel and, where the unit does not allow that, systemd-timesyncd's mark.
func synchronised() bool {
	if state, err := unix.Adjtimex(&unix.Timex{}); err == nil {
		return state != unix.TIME_ERROR
	}
	_, err := os.Stat("/run/systemd/timesync/synchronized")
	return err == nil
}

// buildTime is that of the commit, or zero.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// bootID names this boot of the machine. The unit hands it in, since it hides /proc/sys.
func bootID() string {
	if id := os.Getenv("BOOT_ID"); id != "" {
		return id
	}
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "-", "")
}

// sinceBoot is the clock that nobody sets.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
