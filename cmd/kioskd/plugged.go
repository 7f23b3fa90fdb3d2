package main

import (
	"context"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices"
	"circdesk/devices/scanner"
	"circdesk/kiosk"
)

// deviceTasks keep the devices, each by itself.
func (d *daemon) deviceTasks() []task {
	var list []task
	for _, s := range d.config.Scanners {
		list = append(list, task{"scanner " + s.Name, func(ctx context.Context) error {
			return scanner.Run(ctx, scannerOf(s), d.devices.Set, func(c scanner.Code) { d.scan(s, c) })
		}})
	}
	return list
}

// scannerOf puts a section of the config into the scanner's words.
func scannerOf(s config.Scanner) scanner.Config {
	return scanner.Config{Name: s.Name, Path: s.Path, Baud: s.Baud, Size: s.Bits, Parity: s.Parity, StopBits: s.Stop}
}

// scan carries a code to the desk. What it was is not logged: it may be a child's card.
func (d *daemon) scan(s config.Scanner, c scanner.Code) {
	r := d.rules.Classify(c.Raw, string(s.Role))
	d.meter.scanned(s.Name, r)
	if r.Warning != "" {
		d.log.Warn("a doubtful code", "scanner", s.Name, "why", r.Warning)
	}
	d.events(scanned(r, s.Name, s.Role))
}

// deviceChanged tells desk and log that a device has come or gone.
func (d *daemon) deviceChanged(s devices.Status) {
	if s.State == devices.Opening {
		return
	}
	d.log.Info("device", "name", s.Name, "state", s.State, "err", s.Err)
	d.events(kiosk.DeviceIs{Name: s.Name, Kind: kindOf(s.Kind), Role: d.roleOf(s.Name), Ready: s.State == devices.Ready})
}

// kindOf is a device's kind as the core knows it.
func kindOf(driver string) string {
	switch driver {
	case "serial", "keyboard", "hidpos":
		return "scanner"
	}
	return driver
}

func (d *daemon) roleOf(name string) kiosk.Role {
	for _, s := range d.config.Scanners {
		if s.Name == name {
			return s.Role
		}
	}
	return ""
}
