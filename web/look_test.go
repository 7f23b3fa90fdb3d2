package web

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"circdesk/kiosk"
	"circdesk/web/browsertest"
)

// A panel is a screen that the desk is built with.
type panel struct {
	name          string
	width, height int
	pxPerMM       float64
}

func panels() []panel {
	return []panel{{"800x480", 800, 480, 5.19}, {"1280x800", 1280, 800, 5.9}}
}

// serve runs a Server with the pseudo-language on a free port.
func serve(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, change)
}

func serveOn(t *testing.T, l net.Listener, change func(*Options)) *Server {
	t.Helper()
	o := Options{Name: "Library desk", Listen: l.Addr().String(), Boot: "boot-1", Languages: []string{"en", "es"}, Tap: func(kiosk.Tapped) {}}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pseudo()
	if err != nil {
		t.Fatal(err)
	}
	s.catalogues[c.code] = c
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// TestPictures writes what the main screens look like, for the README and for people to judge.
func TestPictures(t *testing.T) {
	dir := "screens"
	if os.Getenv("CIRCDESK_SCREENSHOTS") == "" {
		dir = t.TempDir()
	}
	_ = dir
	s := serve(t, nil)
	page := browsertest.Launch(t).Open(s.URL(), 800, 480)
	page.StillLife()
	for _, panel := range panels() {
		page.SetSize(panel.width, panel.height)
		for _, c := range scenes() {
			for _, lang := range []string{"en"} {
				s.Show(c.in(lang))
				settle(page, c, lang)
				page.Screenshot(filepath.Join(os.Getenv("SHOTS"), panel.name+"-"+c.name+"-"+lang+".png"))
			}
		}
	}
}

func settle(page *browsertest.Page, c scene, lang string) {
	page.WaitFor("document.documentElement.lang === '"+lang+"' && document.querySelector('#desk').dataset.screen === '"+string(c.screen.Mode)+"'", patience)
	page.Eval("document.fonts.ready.then(() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(true)))))", nil)
}

const patience = 30 * time.Second
