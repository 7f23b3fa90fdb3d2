package web

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/kiosk"

	"github.com/gorilla/websocket"
)

// serve runs a Server with the pseudo-language on a free port.
func serve(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := serveOn(t, l, change)
	return s
}

// serveOn runs a Server on l until stop or the end of the test.
func serveOn(t testing.TB, l net.Listener, change func(*Options)) (s *Server, stop func()) {
	t.Helper()
	o := Options{Name: "Library desk", Listen: l.Addr().String(), Boot: "boot-1", Languages: []string{"en", "es"}}
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
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("the server does not stop")
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// visit opens a page over the real network.
func visit(t testing.TB, s *Server) *visitor {
	t.Helper()
	address := "127.0.0.1:" + s.port
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/ws?token="+s.Token(), http.Header{"Origin": {"http://" + address}})
	if err != nil {
		t.Fatal(err)
	}
	return listenTo(t, conn)
}

// A handshake is a raw request for a socket.
type handshake struct {
	method, path, host string
	origins            []string
}

// knock sends a handshake over TCP and gives the status of the answer, or 0 for none.
func (h handshake) knock(t *testing.T, address string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", h.method, h.path)
	if h.host != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", h.host)
	}
	for _, o := range h.origins {
		fmt.Fprintf(&b, "Origin: %s\r\n", o)
	}
	b.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if _, err := conn.Write([]byte(b.String())); err != nil {
		return 0
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: h.method})
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// hostile are handshakes with something wrong in each: all combinations of hosts, origins and
// tokens but the right ones, and other methods.
func hostile(s *Server) []handshake {
	ours, also := "127.0.0.1:"+s.port, "localhost:"+s.port
	hosts := []string{ours, also, "", "127.0.0.1", "evil.example:" + s.port, "127.0.0.1.evil.example:" + s.port, "127.0.0.1:1", "[::1]:" + s.port,
		"0.0.0.0:" + s.port, "LOCALHOST:" + s.port, ours + "."}
	origins := [][]string{{"http://" + ours}, {"http://" + also}, nil, {""}, {"null"}, {"http://evil.example"}, {"https://" + ours}, {"http://127.0.0.1"},
		{"http://" + ours + "/"}, {"http://" + ours, "http://" + ours}, {"http://" + ours, "http://evil.example"}, {ours}, {"file://"}}
	right := "token=" + s.Token()
	queries := []string{right, "", "token=", "token=0000000000000000", right + "x", right[:len(right)-1], right + "&" + right, "Token=" + s.Token(), right + "&token=x"}
	var list []handshake
	for _, host := range hosts {
		for _, o := range origins {
			for _, q := range queries {
				good := q == right && len(o) == 1 && (host == ours || host == also) && o[0] == "http://"+host
				if !good {
					list = append(list, handshake{"GET", "/ws?" + q, host, o})
				}
			}
		}
	}
	for _, m := range []string{"POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT", "TRACE", "get"} {
		list = append(list, handshake{m, "/ws?" + right, ours, []string{"http://" + ours}})
	}
	for _, path := range []string{"/ws#" + right, "/ws/?" + right, "/WS?" + right, "http://evil.example/ws?" + right, "//evil.example/ws?" + right} {
		list = append(list, handshake{"GET", path, ours, []string{"http://" + ours}})
	}
	return list
}

func TestNoHostileHandshakeIsAccepted(t *testing.T) {
	s := serve(t, nil)
	s.Show(showing(1))
	address := "127.0.0.1:" + s.port
	list := hostile(s)
	if len(list) < 200 {
		t.Fatalf("only %d handshakes", len(list))
	}
	for _, h := range list {
		if got := h.knock(t, address); got == http.StatusSwitchingProtocols || got == http.StatusOK && h.method != "HEAD" {
			t.Errorf("%+v was accepted with %d", h, got)
		}
	}
	for _, host := range []string{address, "localhost:" + s.port} { // the control: the right one gets in
		h := handshake{"GET", "/ws?token=" + s.Token(), host, []string{"http://" + host}}
		if got := h.knock(t, address); got != http.StatusSwitchingProtocols {
			t.Errorf("%+v was refused with %d", h, got)
		}
	}
	v := visit(t, s)
	v.next()
}

func TestTheRightRequestsAreAnsweredAndNoOthers(t *testing.T) {
	s := quiet(t, func(o *Options) { o.Healthy = func() bool { return true } })
	s.Show(showing(1))
	for _, c := range []struct {
		method, target, host, origin string
		want                         int
	}{
		{"GET", "/", "", "", 200},
		{"HEAD", "/", "", "", 200},
		{"GET", "/page/main.js", "", "", 200},
		{"GET", "/healthz", "", "", 200},
		{"GET", "/api/screen?token=0123456789abcdef", "", "", 200},
		{"GET", "/api/screen", "", "", 403},
		{"GET", "/api/screen?token=", "", "", 403},
		{"GET", "/api/screen?token=0123456789abcdef&token=0123456789abcdef", "", "", 403},
		{"GET", "/", "evil.example:8080", "", 403},
		{"GET", "/", "127.0.0.1:8081", "", 403},
		{"GET", "/healthz", "rebound.example", "", 403},
		{"POST", "/", "", "", 403},
		{"POST", "/", "", "http://evil.example", 403},
		{"POST", "/", "", "null", 403},
		{"POST", "/", "", "http://127.0.0.1:8080", 405},
		{"DELETE", "/api/screen?token=0123456789abcdef", "", "http://127.0.0.1:8080", 405},
		{"GET", "/api/other", "", "", 404},
	} {
		r := httptest.NewRequest(c.method, "http://127.0.0.1:8080"+c.target, nil)
		if c.host != "" {
			r.Host = c.host
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: without protection: %v", c, w.Header())
		}
	}
}

func TestHealthTellsWhetherTheLoopBeats(t *testing.T) {
	beats := true
	s := quiet(t, func(o *Options) { o.Healthy = func() bool { return beats } })
	if w := get(s, "/healthz"); w.Code != 200 {
		t.Errorf("alive: %d", w.Code)
	}
	beats = false
	if w := get(s, "/healthz"); w.Code != 503 {
		t.Errorf("dead: %d", w.Code)
	}
}

func TestWrongOptionsAreAllNamed(t *testing.T) {
	_, err := New(Options{Listen: "0.0.0.0:80", Token: "short", Languages: []string{"xx"}})
	for _, want := range []string{`"0.0.0.0:80"`, "5 characters", `"xx"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	for _, listen := range []string{"", "127.0.0.1", "127.0.0.1:0", "[::]:8080", "192.168.0.1:8080", "localhost:"} {
		if _, err := New(Options{Listen: listen, Languages: []string{"en"}}); err == nil {
			t.Errorf("it would listen on %q", listen)
		}
	}
}

func TestTokensAreDrawnAnew(t *testing.T) {
	draw := func() string { return quiet(t, func(o *Options) { o.Token = "" }).Token() }
	if a, b := draw(), draw(); a == b || len(a) < 16 {
		t.Errorf("drew %q and %q", a, b)
	}
}

// TestTheSocketWorksOverTheNetwork is the real thing, with pages that come and go while screens change.
func TestTheSocketWorksOverTheNetwork(t *testing.T) {
	before := runtime.NumGoroutine()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taps := make(chan kiosk.Tapped, 100)
	s, stop := serveOn(t, l, func(o *Options) { o.Tap = func(tap kiosk.Tapped) { taps <- tap } })
	s.Show(showing(1))
	var pages sync.WaitGroup
	for range 12 {
		v := visit(t, s)
		pages.Go(func() {
			for d := range v.got {
				v.conn.WriteJSON(map[string]uint64{"ack": d.Seq})
			}
		})
	}
	for seq := uint64(2); seq <= 300; seq++ {
		s.Show(showing(seq))
	}
	v := visit(t, s)
	for d := v.next(); d.Seq < 300; d = v.next() {
		v.ack(d.Seq)
	}
	v.say(`{"tap":"finish","seq":300,"session":7}`)
	if tap := <-taps; tap.Seq != 300 {
		t.Errorf("got %+v", tap)
	}
	begin := time.Now()
	stop()
	// It takes half a second at most; the rest is what a busy machine may add.
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it stopped after %v", took)
	}
	pages.Wait()
	v.farewell()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	end := time.After(patience)
	for runtime.NumGoroutine() > before {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("%d goroutines before, %d after", before, runtime.NumGoroutine())
		}
	}
}
