package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices"
	"circdesk/devices/board"
	"circdesk/devices/contact"
	"circdesk/devices/lamp"
	"circdesk/devices/printer"
	"circdesk/devices/rfid"
	"circdesk/devices/scanner"
	"circdesk/devices/tag"
	"circdesk/kiosk"
)

// plugged is all that is plugged in beside the screen, by name where there may be several.
type plugged struct {
	list    *devices.List
	remotes map[string]*scanner.Remote // of the scanners
	readers map[string]*rfid.Reader
	printer *printer.Printer // nil: none
	lamp    *lamp.Lamp       // nil: none
	cards   cardKey
	buses   map[string]func() (rfid.Bus, error) // of simulated readers
	board   board.Config
	last    atomic.Pointer[string] // the scanner that read last
}

// plug makes the devices of the config; none is opened yet.
func (d *daemon) plug() (err error) {
	p := &d.plugged
	p.list = devices.NewList(d.deviceChanged)
	p.remotes, p.readers = map[string]*scanner.Remote{}, map[string]*rfid.Reader{}
	for _, s := range d.config.Scanners {
		p.remotes[s.Name] = scanner.NewRemote()
	}
	for _, r := range d.config.Readers {
		if p.readers[r.Name], err = rfid.New(readerOf(r, d.config.Tag, p.buses[r.Name])); err != nil {
			return fmt.Errorf("reader %q: %w", r.Name, err)
		}
	}
	if c := d.config.Printer; c != nil {
		if p.printer, err = printer.New(printerOf(*c)); err != nil {
			return fmt.Errorf("printer: %w", err)
		}
	}
	if c := d.config.Lamp; c != nil {
		if p.lamp, err = lamp.New(lampOf(*c)); err != nil {
			return fmt.Errorf("lamp: %w", err)
		}
	}
	return nil
}

// deviceTasks keep the devices, each by itself.
func (d *daemon) deviceTasks() []task {
	p := &d.plugged
	list := []task{{"board", func(ctx context.Context) error { board.Run(ctx, p.board, p.list.Set); return nil }}}
	for _, s := range d.config.Scanners {
		list = append(list, task{"scanner " + s.Name, func(ctx context.Context) error {
			return scanner.Run(ctx, scannerOf(s, p.remotes[s.Name]), p.list.Set, func(c scanner.Code) { d.scan(s, c) })
		}})
	}
	for _, r := range d.config.Readers {
		list = append(list, task{"reader " + r.Name, func(ctx context.Context) error {
			p.readers[r.Name].Run(ctx, p.list.Set, func(ev rfid.Event) { d.sensed(r, ev) })
			return nil
		}})
	}
	if p.printer != nil {
		list = append(list, task{"printer", func(ctx context.Context) error {
			p.printer.Run(ctx, p.list.Set, d.paper)
			return nil
		}})
	}
	if p.lamp != nil {
		list = append(list, task{"lamp", func(ctx context.Context) error { p.lamp.Run(ctx, p.list.Set); return nil }})
	}
	for _, c := range d.config.Contacts {
		alarm := map[string]kiosk.Alarm{"bin_full": kiosk.AlarmBin, "door_open": kiosk.AlarmDoor}[c.Means]
		list = append(list, task{"contact " + c.Name, func(ctx context.Context) error {
			return contact.Run(ctx, contactOf(c), p.list.Set, func(on bool) { d.events(kiosk.AlarmIs{Alarm: alarm, On: on}) })
		}})
	}
	return list
}

// scannerOf puts a section of the config into the scanner's words.
func scannerOf(s config.Scanner, remote *scanner.Remote) scanner.Config {
	return scanner.Config{
		Name: s.Name, Kind: s.Kind, Path: s.Path,
		Match:  scanner.Match(s.Match),
		Layout: s.Layout, Dialect: s.Dialect, Baud: s.Baud, Size: s.Bits, Parity: s.Parity, StopBits: s.Stop, Remote: remote,
	}
}

// readerOf does so for a reader.
func readerOf(r config.Reader, t config.Tag, open func() (rfid.Bus, error)) rfid.Config {
	return rfid.Config{
		Name: r.Name, Chip: r.Chip, SPI: r.SPI, Reset: r.Reset, Busy: r.Busy, Use: r.Use, Speed: r.Speed, Gain: r.Gain,
		Poll: r.Poll, Shallow: r.Shallow, Read: r.Read, Key: r.Key,
		Security: t.Security, AFIIn: t.AFIIn, AFIOut: t.AFIOut, Password: t.Password, Decode: label, Open: open,
	}
}

// label reads what is written in a library tag.
func label(memory []byte) (rfid.Label, error) {
	t, err := tag.Decode(memory)
	return rfid.Label{Item: t.Item, Owner: t.Owner(), Part: t.Part, Parts: t.Parts, Usage: byte(t.Usage), Sealed: t.Format == tag.Block}, err
}

func printerOf(p config.Printer) printer.Config {
	return printer.Config{Name: p.Name, Path: p.Path, Kind: p.Kind, Baud: p.Baud, Columns: p.Columns}
}

func lampOf(l config.Lamp) lamp.Config {
	return lamp.Config{Name: l.Name, Green: l.Green, Amber: l.Amber, Red: l.Red, Buzzer: l.Buzzer,
		Open: func(line string) (lamp.Pin, error) { return devices.OpenLine(line, devices.OutputLow) }}
}

func contactOf(c config.Contact) contact.Config {
	return contact.Config{Name: c.Name, Line: c.Line, Closed: c.Closed,
		Open: func(line string) (contact.Pin, error) { return devices.OpenLine(line, devices.PulledUp) }}
}

// scan carries a code to the desk. What it was is not logged: it may be a child's card.
func (d *daemon) scan(s config.Scanner, c scanner.Code) {
	r := d.rules.Classify(c.Raw, string(s.Role))
	d.meter.scanned(s.Name, r)
	d.plugged.last.Store(&s.Name)
	if r.Warning != "" {
		d.log.Warn("a doubtful code", "scanner", s.Name, "why", r.Warning)
	}
	d.events(scanned(r, s.Name, s.Role))
}

// sensed carries what a reader has noticed to the desk.
func (d *daemon) sensed(r config.Reader, ev rfid.Event) {
	switch ev := ev.(type) {
	case rfid.Carded:
		d.events(d.carded(r, ev))
	case rfid.Laid:
		laid := kiosk.Laid{Source: r.Name, Role: r.Role, Unclear: ev.Unclear}
		for _, t := range ev.Tags {
			laid.Tags = append(laid.Tags, d.tagOn(r, t))
		}
		d.events(laid)
	}
}

// carded is a card as the core knows it: by a digest of its number, or by what is stored on it.
func (d *daemon) carded(r config.Reader, ev rfid.Carded) kiosk.Scanned {
	switch {
	case ev.Several:
		return kiosk.Scanned{Source: r.Name, Role: r.Role, Problem: kiosk.FaultOneCard}
	case ev.Random:
		return kiosk.Scanned{Source: r.Name, Role: r.Role, Problem: kiosk.FaultRandomCard}
	case ev.Stored != nil:
		number, _, _ := strings.Cut(string(ev.Stored), "\x00")
		return scanned(d.rules.Classify([]byte(number), string(r.Role)), r.Name, r.Role)
	}
	return kiosk.Scanned{Source: r.Name, Role: r.Role, Card: d.plugged.cards.of(ev.UID), Also: d.parts(ev.UID)}
}

// patronsCard is the usage of a tag that is no item (ISO 28560-1).
const patronsCard = 8

// tagOn is a tag as the core knows it. What is written in it is trusted no more than a barcode.
func (d *daemon) tagOn(r config.Reader, t rfid.LaidTag) kiosk.TagOn {
	on := kiosk.TagOn{UID: t.UID, Part: t.Part, Parts: t.Parts, Secured: t.Secured, Knows: t.Known}
	switch {
	case t.Err != "":
		on.Problem = kiosk.FaultUnreadable
		return on
	case t.Usage == patronsCard:
		on.Problem = kiosk.FaultCardHere
		return on
	}
	ev := scanned(d.rules.Classify([]byte(t.Item), string(r.Role)), r.Name, r.Role)
	on.Item = ev.Item
	if on.Item == "" {
		on.Problem = cmp.Or(ev.Problem, kiosk.FaultUnreadable)
	}
	return on
}

// secure hands an order to a reader. The answer comes as an event; the loop does not wait for it.
func (d *daemon) secure(ctx context.Context, e kiosk.Secure) {
	reader := d.plugged.readers[e.Source]
	if reader == nil {
		go d.events(kiosk.Secured{Call: e.Call, Failed: e.Tags})
		return
	}
	go func() { d.events(kiosk.Secured{Call: e.Call, Failed: reader.Secure(ctx, e.Tags, e.On)}) }()
}

// heard lets lamp and scanners say what has just happened: what the page plays, they show and beep.
func (d *daemon) heard(kind kiosk.Sound) {
	sign, order := lamp.OK, scanner.Good
	switch kind {
	case kiosk.SoundRefused, kiosk.SoundUnknown, kiosk.SoundRepair:
		sign, order = lamp.Error, scanner.Bad
	case kiosk.SoundHold, kiosk.SoundTransfer, kiosk.SoundWarn:
		sign = lamp.Warn
	case kiosk.SoundTick, kiosk.SoundBye, kiosk.SoundDuplicate:
		return
	}
	if d.plugged.lamp != nil {
		d.plugged.lamp.Show(sign)
	}
	if kind == kiosk.SoundWarn {
		return
	}
	if last := d.plugged.last.Load(); last != nil {
		d.plugged.remotes[*last].Send(order)
	}
}

// print puts a slip into words and hands it to the printer, or drops it.
func (d *daemon) print(p kiosk.Print) {
	s := d.page.Slip(p)
	slip := printer.Slip{Title: s.Title, Barcode: s.Barcode, Foot: s.Foot}
	for _, r := range s.Rows {
		slip.Rows = append(slip.Rows, printer.Row{Left: r.Left, Right: r.Right, Bold: r.Bold})
	}
	if d.plugged.printer == nil || !d.plugged.printer.Print(slip) {
		d.log.Warn("a slip was dropped", "slip", p.Slip)
	}
}

// paper tells the desk how much paper there is.
func (d *daemon) paper(p printer.Paper) {
	d.events(kiosk.AlarmIs{Alarm: kiosk.AlarmPrinter, On: p == printer.PaperOut})
	d.events(kiosk.AlarmIs{Alarm: kiosk.AlarmPaper, On: p == printer.PaperNearEnd})
}

// deviceChanged tells desk and log that a device has come or gone.
func (d *daemon) deviceChanged(s devices.Status) {
	if s.State == devices.Opening {
		return
	}
	degraded, level := s.State == devices.Ready && s.Err != "", slog.LevelInfo
	if degraded {
		level = slog.LevelWarn
	}
	d.log.Log(context.Background(), level, "device", "name", s.Name, "state", s.State, "err", s.Err)
	switch s.Kind {
	case "board":
		alarm := map[string]kiosk.Alarm{"power": kiosk.AlarmPower, "temperature": kiosk.AlarmHeat, "storage": kiosk.AlarmWear}[s.Name]
		d.events(kiosk.AlarmIs{Alarm: alarm, On: s.State == devices.Failed})
	default:
		d.events(kiosk.DeviceIs{Name: s.Name, Kind: kindOf(s.Kind), Role: d.roleOf(s.Name), Ready: s.State == devices.Ready, Trouble: degraded})
	}
}

// kindOf is a device's kind as the core knows it.
func kindOf(driver string) string {
	switch driver {
	case "serial", "keyboard", "hidpos":
		return kiosk.DeviceScanner
	case "mfrc522", "pn5180":
		return kiosk.DeviceReader
	}
	return driver
}

func (d *daemon) roleOf(name string) kiosk.Role {
	for _, s := range d.config.Scanners {
		if s.Name == name {
			return s.Role
		}
	}
	for _, r := range d.config.Readers {
		if r.Name == name {
			return r.Role
		}
	}
	return ""
}
