// Package web shows the desk's Screens on a page and hears its taps.
//
// It knows HTTP, the websocket, languages and the page; it refuses to know policy: what a tap means,
// and whether it came too late, is decided in kiosk.
package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync"
	"time"

	"circdesk/kiosk"
)

// Options is what a Server is made of.
type Options struct {
	Name      string         // of the desk, for the page's title
	Listen    string         // the address that is listened on, 127.0.0.1:port or localhost:port
	Boot      string         // another one makes a page that is still open load itself anew
	Token     string         // opens the page; at least 16 characters, "" draws one
	Zone      *time.Location // of the site; nil: UTC
	Languages []string       // the first is the desk's own; see Languages for those there are
	Version   string         // of the program

	Tap     func(kiosk.Tapped)      // takes a tap; may wait, but not beyond the end of Serve's ctx
	Healthy func() bool             // whether the loop beats; nil: always
	Metrics func(io.Writer)         // writes the Prometheus text; nil: none
	Extra   map[string]http.Handler // more pages, by http.ServeMux pattern
	Log     *slog.Logger            // nil: silent
}

// A Server is the page of one desk. It is ready for use once New returns; nothing runs until it is
// called.
type Server struct {
	o          Options
	port       string
	catalogues map[string]*catalogue
	names      map[string]string // of the languages, by code
	files      files
	mux        *http.ServeMux

	mu    sync.Mutex // held for moments only, never across a call out
	now   *snapshot  // nil before the first Show
	beat  uint64     // Shows so far
	pages []*page    // oldest first
	last  time.Time  // when a page last said that it had painted
	open  sync.WaitGroup
	ended bool
}

// A snapshot is one Screen and its document. It is never changed.
type snapshot struct {
	screen kiosk.Screen
	body   []byte
}

// New makes a Server. The error lists all that is wrong with o.
func New(o Options) (*Server, error) {
	o.Zone = cmp.Or(o.Zone, time.UTC)
	o.Token = cmp.Or(o.Token, rand.Text())
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	s := &Server{o: o, catalogues: map[string]*catalogue{}, names: map[string]string{}}
	err := errors.Join(s.checkListen(), s.checkToken(), s.loadLanguages())
	if err != nil {
		return nil, err
	}
	if s.files, err = loadFiles(o.Name, o.Version, s.languages()); err != nil {
		return nil, err
	}
	s.mux = s.routes()
	return s, nil
}

func (s *Server) checkListen() error {
	host, port, err := net.SplitHostPort(s.o.Listen)
	if err != nil {
		return fmt.Errorf("listen %q: %w", s.o.Listen, err)
	}
	if host != "127.0.0.1" && host != "localhost" || port == "" || port == "0" {
		return fmt.Errorf("listen %q is not 127.0.0.1 or localhost with a port", s.o.Listen)
	}
	s.port = port
	return nil
}

func (s *Server) checkToken() error {
	if len(s.o.Token) < 16 {
		return fmt.Errorf("a token of %d characters is too short", len(s.o.Token))
	}
	return nil
}

func (s *Server) loadLanguages() error {
	if len(s.o.Languages) == 0 {
		return errors.New("no language is set")
	}
	for _, code := range s.o.Languages {
		c, err := loadCatalogue(code)
		if err != nil {
			return err
		}
		s.catalogues[code], s.names[code] = c, c.Name
	}
	return nil
}

// languages are the catalogues in the order of the options.
func (s *Server) languages() []*catalogue {
	var list []*catalogue
	for _, code := range s.o.Languages {
		list = append(list, s.catalogues[code])
	}
	return list
}

// Token opens the page. It is secret.
func (s *Server) Token() string { return s.o.Token }

// URL is the page's full address, with the token in the fragment, where no log and no Referer finds it.
func (s *Server) URL() string { return "http://127.0.0.1:" + s.port + "/#token=" + s.o.Token }

// Show puts a Screen on every page that is open. It never waits for one: each gets the newest when it
// has painted the one before. A Screen equal to the one before is the heartbeat: a page that hears
// nothing for 3 s covers itself, so Show is to be called at least once a second.
func (s *Server) Show(screen kiosk.Screen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || !reflect.DeepEqual(s.now.screen, screen) {
		body, err := s.draw(screen)
		if err != nil {
			s.o.Log.Error("draw the screen", "screen", screen.Mode, "err", err)
			return
		}
		s.now = &snapshot{screen, body}
	}
	s.beat++
	for _, p := range s.pages {
		p.wake()
	}
}

func (s *Server) draw(screen kiosk.Screen) ([]byte, error) {
	c, ok := s.catalogues[screen.Lang]
	if !ok {
		c = s.catalogues[s.o.Languages[0]]
	}
	d := c.document(screen, time.Now().In(s.o.Zone), s.names)
	d.Boot, d.Page = s.o.Boot, s.files.hash
	return d.encode()
}

// current is the newest snapshot and the number of the heartbeat.
func (s *Server) current() (*snapshot, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.beat
}

// A Display tells how the pages fare.
type Display struct {
	Pages   int       // open
	Stalled int       // of them: have not painted what they were sent 2 s ago
	Painted time.Time // when one last said that it had painted; zero: never
}

// Painted tells how the pages fare.
func (s *Server) Painted() Display {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := Display{Pages: len(s.pages), Painted: s.last}
	for _, p := range s.pages {
		if p.stalled(time.Now()) {
			d.Stalled++
		}
	}
	return d
}

// painted notes that a page has said so.
func (s *Server) painted(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = at
}

// routes says what answers where; everything else is 404.
func (s *Server) routes() *http.ServeMux {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", s.files.index)
	m.HandleFunc("GET /page/", s.files.asset)
	m.HandleFunc("GET /ws", s.socket)
	m.HandleFunc("GET /api/screen", s.screen)
	m.HandleFunc("GET /healthz", s.healthz)
	m.HandleFunc("GET /metrics", s.metrics)
	for pattern, h := range s.o.Extra {
		m.Handle(pattern, h)
	}
	return m
}

// Handler answers all requests. Only Serve puts the time limits on connections.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if !s.ourHost(r.Host) {
			http.Error(w, "this host is not served", http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !s.ourOrigin(r) {
			http.Error(w, "this origin is not served", http.StatusForbidden)
			return
		}
		s.mux.ServeHTTP(w, r)
	})
}

// protect sets the headers that every answer has.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; media-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "+
		"require-trusted-types-for 'script'; trusted-types lit-html")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// ourHost is an exact list, so that a name that was made to point at us (DNS rebinding) gets nothing.
func (s *Server) ourHost(host string) bool {
	return host == "127.0.0.1:"+s.port || host == "localhost:"+s.port
}

// ourOrigin wants exactly one Origin: the host that is asked, which is ours already.
func (s *Server) ourOrigin(r *http.Request) bool {
	o := r.Header.Values("Origin")
	return len(o) == 1 && s.ourHost(r.Host) && o[0] == "http://"+r.Host
}

// knows tells whether a request carries the token, once.
func (s *Server) knows(r *http.Request) bool {
	t := r.URL.Query()["token"]
	return len(t) == 1 && subtle.ConstantTimeCompare([]byte(t[0]), []byte(s.o.Token)) == 1
}

// screen answers with the newest document.
func (s *Server) screen(w http.ResponseWriter, r *http.Request) {
	if !s.knows(r) {
		http.Error(w, "the token is wrong", http.StatusForbidden)
		return
	}
	now, _ := s.current()
	if now == nil {
		http.Error(w, "nothing is shown yet", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(now.body)
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if s.o.Healthy != nil && !s.o.Healthy() {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "the desk does not beat\n")
		return
	}
	io.WriteString(w, "ok\n")
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.o.Metrics == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.o.Metrics(w)
}

// The limits of connections. The page needs about a dozen at most.
const (
	maxConns    = 64
	waitHeader  = 5 * time.Second
	waitRequest = 10 * time.Second
	waitIdle    = 60 * time.Second
	maxHeader   = 8 << 10
)

// Serve answers on l until ctx ends, then closes every page. It owns l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: waitHeader, ReadTimeout: waitRequest, WriteTimeout: waitRequest,
		IdleTimeout: waitIdle, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	err := h.Serve(&bounded{Listener: l, room: make(chan struct{}, maxConns)})
	h.Close()
	s.closePages()
	s.open.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the page on %q: %w", s.o.Listen, err)
}

// A bounded listener turns away more connections than there is room for, so that idle ones cannot
// eat the files that the journal needs.
type bounded struct {
	net.Listener
	room chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.room <- struct{}{}:
			return &place{Conn: c, leave: sync.OnceFunc(func() { <-b.room })}, nil
		default:
			c.Close()
		}
	}
}

// A place is a connection that gives its room back when it closes.
type place struct {
	net.Conn
	leave func()
}

func (p *place) Close() error {
	defer p.leave()
	return p.Conn.Close()
}
