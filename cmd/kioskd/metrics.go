package main

import (
	"fmt"
	"io"
	"time"

	"circdesk/devices"
	"circdesk/devices/barcode"
	"circdesk/kiosk"

	"github.com/VictoriaMetrics/metrics"
)

// A meter is what the desk counts for Prometheus. It counts no person.
type meter struct {
	d   *daemon
	set *metrics.Set
}

func newMeter(d *daemon) *meter {
	m := &meter{d: d, set: metrics.NewSet()}
	gauge := func(name string, read func() float64) { m.set.NewGauge(name, read) }
	gauge("circdesk_journal_entries", func() float64 { n, _, _ := d.store.Counts(); return float64(n) })
	gauge("circdesk_queue_entries", func() float64 { _, n, _ := d.store.Counts(); return float64(n) })
	gauge("circdesk_needs_staff_entries", func() float64 { _, _, n := d.store.Counts(); return float64(n) })
	gauge("circdesk_cache_age_seconds", func() float64 {
		age, ok := d.store.Age(time.Now())
		if !ok {
			return -1 // no snapshot yet
		}
		return age.Seconds()
	})
	gauge("circdesk_library_up", func() float64 { return number(!d.loop.Latest().Offline) })
	gauge("circdesk_pages_open", func() float64 { return float64(d.page.Painted().Pages) })
	gauge("circdesk_pages_stalled", func() float64 { return float64(d.page.Painted().Stalled) })
	gauge("circdesk_uptime_seconds", func() float64 { return time.Since(d.started).Seconds() })
	return m
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// scanned counts a code by what is wrong with it.
func (m *meter) scanned(name string, r barcode.Reading) {
	problem := string(r.Problem)
	if problem == "" && r.Warning != "" {
		problem = "doubtful"
	}
	m.set.GetOrCreateCounter(fmt.Sprintf("circdesk_scans_total{scanner=%q,problem=%q}", name, problem)).Inc()
}

// heard counts a sound: every outcome has its own.
func (m *meter) heard(kind kiosk.Sound) {
	m.set.GetOrCreateCounter(fmt.Sprintf("circdesk_sounds_total{kind=%q}", kind)).Inc()
}

// write writes everything, the process's own figures too.
func (m *meter) write(w io.Writer) {
	m.set.WritePrometheus(w)
	for _, s := range m.d.plugged.list.All() {
		fmt.Fprintf(w, "circdesk_device_ready{name=%q,kind=%q} %g\n", s.Name, s.Kind, number(s.State == devices.Ready))
	}
	for _, a := range m.d.loop.Latest().Alarms {
		fmt.Fprintf(w, "circdesk_alarm{code=%q} 1\n", a.Alarm)
	}
	metrics.WriteProcessMetrics(w)
}
