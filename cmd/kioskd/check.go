package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices/barcode"
	"circdesk/devices/lamp"
	"circdesk/devices/printer"
	"circdesk/devices/rfid"
	"circdesk/devices/scanner"
	"circdesk/web"
)

// check prints everything that is wrong with the config, then tries each device once.
func check(_ context.Context, o orders, out io.Writer, _ *slog.Logger) error {
	c, complaints := config.Load(o.config, web.Languages())
	wrong := len(complaints) > 0
	for _, each := range complaints {
		fmt.Fprintln(out, each)
	}
	if _, err := barcode.New(rulesOf(c.Barcodes)); err != nil && !wrong {
		fmt.Fprintln(out, c.About("barcode", err.Error()))
		wrong = true
	}
	for _, note := range c.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	for _, t := range trials(c) {
		if report, err := t.try(); err != nil {
			fmt.Fprintln(out, c.About(t.key, err.Error()))
			wrong = true
		} else {
			fmt.Fprintf(out, "ok: %s\n", report)
		}
	}
	if wrong {
		return errSaid
	}
	return say(out, "the config is right\n")
}

// A trial is one device to be tried, and the key of the config that names it.
type trial struct {
	key string
	try func() (report string, err error)
}

func trials(c *config.Config) []trial {
	var all []trial
	add := func(key string, try func() (string, error)) { all = append(all, trial{key, try}) }
	for i, s := range c.Scanners {
		sc := scannerOf(s, nil)
		if s.Name == "" || sc.Check() != nil {
			continue // complained about already
		}
		add(fmt.Sprintf("scanner[%d]", i), func() (string, error) {
			return fmt.Sprintf("scanner %q can be opened", s.Name), scanner.Try(sc)
		})
	}
	for i, r := range c.Readers {
		add(fmt.Sprintf("reader[%d]", i), func() (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), trialTime)
			defer cancel()
			report, err := rfid.Try(ctx, readerOf(r, c.Tag, nil))
			return fmt.Sprintf("reader %q: %s", r.Name, report), err
		})
	}
	if p := c.Printer; p != nil {
		add("printer", func() (string, error) {
			ctx, cancel := context.WithTimeout(context.Background(), trialTime)
			defer cancel()
			paper, err := printer.Try(ctx, printerOf(*p))
			return fmt.Sprintf("printer %q: paper %s", p.Name, paper), err
		})
	}
	if l := c.Lamp; l != nil {
		add("lamp", func() (string, error) { return fmt.Sprintf("lamp %q can be switched", l.Name), lamp.Try(lampOf(*l)) })
	}
	return all
}

// trialTime is how long one device is tried.
const trialTime = 10 * time.Second
