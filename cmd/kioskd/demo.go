package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"circdesk/cmd/kioskd/config"
	"circdesk/cmd/kioskd/sample"
	"circdesk/kiosk"
	"circdesk/web"
)

// demoZone is where the sample school is.
const demoZone = "America/Los_Angeles"

// pulled in the environment says that this process was a demo before somebody pulled its plug.
const pulled = "CIRCDESK_PULLED"

// demo is the command that runs the same daemon on a sample school, with simulated devices.
func demo(ctx context.Context, o orders, out io.Writer, log *slog.Logger) error {
	folder, again := o.data, os.Getenv(pulled) != ""
	if folder == "" {
		made, err := os.MkdirTemp("", "circdesk-demo-")
		if err != nil {
			return err
		}
		folder, o.data = made, made
		os.Setenv(temporary, made)
	}
	err := runDemo(ctx, o, folder, again, out, log)
	if os.Getenv(temporary) == folder {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// temporary in the environment names the demo's folder if it is to be removed at the end.
const temporary = "CIRCDESK_DEMO_FOLDER"

func runDemo(ctx context.Context, o orders, folder string, again bool, out io.Writer, log *slog.Logger) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	sim, err := plugIn(folder)
	if err != nil {
		return err
	}
	defer sim.close()
	c, err := demoConfig(folder, o.listen, sim)
	if err != nil {
		return err
	}
	d := &daemon{config: c, log: log, library: sim.library}
	d.plugged.buses = sim.radio.buses()
	if d.listen, err = net.Listen("tcp", o.listen); err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	sim.again = func() error { return replace(d.listen.Addr().String(), folder) }
	if err := d.open(func(*daemon) map[string]http.Handler { return sim.pages() }); err != nil {
		return errors.Join(err, d.close())
	}
	if err := fill(ctx, d, sim.school); err != nil {
		return errors.Join(err, d.close())
	}
	if !again {
		err = say(out, fmt.Sprintf("page: %s\nsimulator: http://%s/simulator\n", d.page.URL(), d.listen.Addr()))
	}
	return errors.Join(err, d.run(ctx))
}

// demoConfig writes the demo's config, as a technician would, and reads it.
func demoConfig(folder, listen string, sim *simulator) (*config.Config, error) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "[kiosk]\nid = \"DEMO-1\"\nsite = %q\nname = \"Library desk\"\ntimezone = %q\nlanguages = [\"en\", \"es\"]\n", sample.Site, demoZone)
	fmt.Fprintf(&text, "state = %q\nruntime = %q\npolicy = %q\n", filepath.Join(folder, "state"), filepath.Join(folder, "run"), filepath.Join(folder, "policy.toml"))
	fmt.Fprintf(&text, "\n[web]\nlisten = %q\n", listen)
	for _, p := range sim.ports {
		fmt.Fprintf(&text, "\n[[scanner]]\nname = %q\npath = %q\nrole = %q\n", p.name, p.port.Path(), p.role)
	}
	text.WriteString(`
[[reader]]
name = "pad"
chip = "pn5180"
spi = "/dev/spidev0.0"
reset = "GPIO25"
busy = "GPIO24"

[[reader]]
name = "cards"
chip = "mfrc522"
spi = "/dev/spidev0.1"
reset = "GPIO26"

[tag]
security = "both"
`)
	fmt.Fprintf(&text, `
[[barcode]]
name = "card"
pattern = '2%[1]s\d{9}'
check = "luhn"
strict = true
kind = "patron"

[[barcode]]
name = "label"
pattern = '3(?:%[1]s|%[2]s)\d{9}'
check = "luhn"
strict = true
kind = "item"

[[barcode]]
name = "elsewhere"
pattern = '[23]\d{13}'
fallback = true
kind = "foreign"

[[barcode]]
name = "panel"
pattern = '%%([A-Z_]{1,30})%%'
kind = "command"
`, sample.Site, sample.OtherSite)
	desk := filepath.Join(folder, "kiosk.toml")
	err := errors.Join(os.WriteFile(desk, text.Bytes(), 0o600),
		os.WriteFile(filepath.Join(folder, "policy.toml"), sim.school.Policy, 0o600))
	if err != nil {
		return nil, err
	}
	c, complaints := config.Load(desk, web.Languages())
	var all []error
	for _, each := range complaints {
		all = append(all, errors.New(each.String()))
	}
	return c, errors.Join(all...)
}

// fill imports the sample school, unless something was imported before.
func fill(ctx context.Context, d *daemon, school sample.Files) error {
	if _, ok := d.store.LastImport(); ok {
		return nil
	}
	for _, file := range []struct {
		kind string
		text []byte
	}{{"patrons", school.Patrons}, {"copies", school.Copies}, {"loans", school.Loans}, {"holds", school.Holds}, {"charges", school.Charges}} {
		a := &answers{d}
		report, err := a.Import(ctx, file.kind, bytes.NewReader(file.text), importRequest(file.kind))
		if err == nil && (report.Refused != "" || report.Bad > 0) {
			err = fmt.Errorf("%s, %d bad rows", cmp.Or(report.Refused, "loaded"), report.Bad)
		}
		if err != nil {
			return fmt.Errorf("the sample's %s: %w", file.kind, err)
		}
	}
	return nil
}

// schoolToday is the sample school.
func schoolToday() sample.Files { return sample.School(schoolDay()) }

// schoolDay is today in the sample school.
func schoolDay() string {
	zone, err := time.LoadLocation(demoZone)
	if err != nil {
		panic(err) // embedded
	}
	return kiosk.DateOf(time.Now().In(zone)).String()
}
