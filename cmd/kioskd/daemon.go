package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"circdesk/cmd/kioskd/config"
	"circdesk/cmd/kioskd/control"
	"circdesk/cmd/kioskd/notify"
	"circdesk/devices/barcode"
	"circdesk/kiosk"
	"circdesk/kiosk/ils"
	"circdesk/kiosk/loop"
	"circdesk/store"
	"circdesk/web"
)

// A daemon is one desk with all that belongs to it.
type daemon struct {
	config  *config.Config
	log     *slog.Logger
	started time.Time
	notify  notify.Socket
	library ils.Library // nil: the desk is alone

	store   *store.Store
	rules   *barcode.Classifier
	loop    *loop.Loop
	page    *web.Server
	plugged plugged
	meter   *meter
	listen  net.Listener // of the page
	control net.Listener
	events  func(kiosk.Event)  // into the loop
	orders  func(kiosk.Secure) // out of it, to the readers
	sounds  uint64             // the last one heard; the loop's own
	told    status             // the sentence for the service manager
	tried   atomic.Pointer[control.Tried]
}

// start is the command that runs the desk.
func start(ctx context.Context, o orders, _ io.Writer, log *slog.Logger) error {
	c, complaints := config.Load(o.config, web.Languages())
	if len(complaints) > 0 {
		for _, each := range complaints {
			log.Error(each.String())
		}
		return fmt.Errorf("%d complaints about the config", len(complaints))
	}
	for _, note := range c.Notes {
		log.Warn(note.String())
	}
	d := &daemon{config: c, log: log, notify: notify.Socket(os.Getenv("NOTIFY_SOCKET"))}
	if err := d.open(nil); err != nil {
		return errors.Join(err, d.close())
	}
	return d.run(ctx)
}

// open makes everything that the desk consists of; nothing runs yet. extra are more pages.
func (d *daemon) open(extra func(*daemon) map[string]http.Handler) error {
	d.started = time.Now()
	for _, folder := range []string{d.config.Kiosk.State, d.config.Kiosk.Runtime} {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	var err error
	if d.rules, err = barcode.New(rulesOf(d.config.Barcodes)); err != nil {
		return fmt.Errorf("barcode rules: %w", err)
	}
	if err := d.plug(); err != nil {
		return err
	}
	// The socket first: it tells whether another kioskd has the same folders.
	if d.control, err = control.Listen(filepath.Join(d.config.Kiosk.Runtime, "control.sock")); err != nil {
		return err
	}
	if d.plugged.cards, err = loadCardKey(d.config.Kiosk.State, d.log); err != nil {
		return fmt.Errorf("the key of the cards: %w", err)
	}
	if d.store, err = store.Open(d.storeOptions()); err != nil {
		return err
	}
	if d.listen == nil {
		if d.listen, err = net.Listen("tcp", d.config.Web.Listen); err != nil {
			return fmt.Errorf("the page: %w", err)
		}
	}
	d.loop = loop.New(loop.Options{
		State: kiosk.New(d.config.Setup(), time.Now(), d.store.LastSession()),
		Store: d.store, Show: d.show, Beat: d.beat, Log: d.log,
		Secure: func(e kiosk.Secure) { d.orders(e) }, Print: d.print,
	})
	d.meter = newMeter(d)
	var more map[string]http.Handler
	if extra != nil {
		more = extra(d)
	}
	return d.openPage(more)
}

func (d *daemon) storeOptions() store.Options {
	return store.Options{
		Folder: d.config.Kiosk.State, Kiosk: d.config.Kiosk.ID, Site: d.config.Kiosk.Site, Zone: d.config.Kiosk.Zone,
		Delivers: d.library != nil || d.config.ILS.Kind != "none",
		Boot:     bootID(), SinceBoot: sinceBoot, Now: time.Now, Log: d.log,
		Card: d.plugged.cards.written, ReadCard: d.readCard, PIN: d.plugged.cards.pin, NoTags: d.config.NoGate(),
	}
}

// openPage makes the page and writes down where it is. The token lives as long as the runtime folder,
// which is one boot: a page that is open goes on after a restart.
func (d *daemon) openPage(extra map[string]http.Handler) error {
	path := filepath.Join(d.config.Kiosk.Runtime, "page.url")
	var token string
	if text, err := os.ReadFile(path); err == nil {
		_, token, _ = strings.Cut(strings.TrimSpace(string(text)), "#token=")
	}
	var err error
	d.page, err = web.New(web.Options{
		Name: d.config.Kiosk.Name, Listen: d.listen.Addr().String(), Boot: rand.Text(), Token: token,
		Zone: d.config.Kiosk.Zone, Languages: d.config.Kiosk.Languages, Version: version(),
		Tap:     func(t kiosk.Tapped) { d.events(t) },
		Healthy: d.loop.Alive, Metrics: d.meter.write, Extra: extra, Log: d.log,
	})
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	return writeSecret(path, d.page.URL()+"\n")
}

// writeSecret replaces a file that only its owner may read. It is on the disk, with its name, when that is done.
func writeSecret(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// close gives up what open has opened.
func (d *daemon) close() error {
	var all []error
	if d.control != nil {
		all = append(all, ignoreClosed(d.control.Close()))
	}
	if d.listen != nil {
		all = append(all, ignoreClosed(d.listen.Close()))
	}
	if d.store != nil {
		all = append(all, d.store.Close())
	}
	return errors.Join(all...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// A task is one thing that runs as long as the daemon. If it ends before that, the daemon ends.
type task struct {
	name string
	run  func(context.Context) error
}

// tasks are all that runs.
func (d *daemon) tasks() []task {
	list := []task{
		{"desk", func(ctx context.Context) error { d.loop.Run(ctx); return nil }},
		{"page", func(ctx context.Context) error { return d.page.Serve(ctx, d.listen) }},
		{"control", func(ctx context.Context) error {
			return (&control.Server{Desk: &answers{d}, Log: d.log}).Serve(ctx, d.control)
		}},
		{"clock", d.watchClock},
		{"fading", d.fade},
		{"service manager", d.report},
	}
	if d.library != nil {
		courier := ils.New(ils.Options{Journal: d.store, Library: d.library, Up: func(up bool) { d.events(kiosk.LibraryIs{Up: up}) }, Log: d.log})
		list = append(list, task{"delivery", func(ctx context.Context) error { courier.Run(ctx); return nil }})
	}
	return append(list, d.deviceTasks()...)
}

// run runs the desk until ctx is done or a task fails.
func (d *daemon) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d.events = func(ev kiosk.Event) { d.loop.Send(ctx, ev) }
	d.orders = func(e kiosk.Secure) { d.secure(ctx, e) }
	var all sync.WaitGroup
	for _, t := range d.tasks() {
		all.Go(func() {
			err := t.run(ctx)
			if ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", t.name, cmp.Or(err, errors.New("ended by itself"))))
			}
		})
	}
	d.log.Info("the desk is open", "kiosk", d.config.Kiosk.ID, "page", d.listen.Addr().String(), "version", version())
	<-ctx.Done()
	d.log.Info("the desk stops")
	d.tell(d.notify.Stopping())
	all.Wait()
	err := d.close()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// fade lets names fade once a minute.
func (d *daemon) fade(ctx context.Context) error {
	for every := time.NewTicker(time.Minute); ; {
		n, err := d.store.Fade(ctx)
		if err != nil && ctx.Err() == nil {
			d.log.Error("names could not be taken out of the journal", "err", err)
		} else if n > 0 {
			d.log.Info("names were taken out of the journal", "entries", n)
		}
		select {
		case <-ctx.Done():
			every.Stop()
			return nil
		case <-every.C:
		}
	}
}

// show carries a Screen to the page, and what is heard to whatever else can say it.
func (d *daemon) show(s kiosk.Screen) {
	for _, h := range s.Sounds {
		if h.ID > d.sounds {
			d.sounds = h.ID
			d.meter.heard(h.Kind)
			d.heard(h.Kind)
		}
	}
	d.page.Show(s)
}
