package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"circdesk/kiosk"

	"github.com/gorilla/websocket"
)

// pipes is a network in memory, so that days pass in a bubble of testing/synctest. A write waits
// until it is read: a page that does not read is as slow as can be.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipes() *pipes {
	done := make(chan struct{})
	return &pipes{make(chan net.Conn), done, sync.OnceFunc(func() { close(done) })}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// A room is a Server in a bubble.
type room struct {
	*Server
	t     *testing.T
	net   *pipes
	taps  chan kiosk.Tapped
	stop  context.CancelFunc
	ended chan error
}

// inBubble runs story in a bubble with a Server. What still runs when it is over fails the test.
func inBubble(t *testing.T, story func(r *room)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &room{t: t, net: newPipes(), taps: make(chan kiosk.Tapped, 1000), ended: make(chan error, 1)}
		r.Server = quiet(t, func(o *Options) { o.Tap = func(tap kiosk.Tapped) { r.taps <- tap } })
		ctx, cancel := context.WithCancel(t.Context())
		r.stop = cancel
		go func() { r.ended <- r.Serve(ctx, r.net) }()
		story(r)
		cancel()
		if err := <-r.ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// showing is a screen with a number.
func showing(seq uint64) kiosk.Screen {
	return kiosk.Screen{Mode: kiosk.ModeBorrow, Lang: "en", Seq: seq, Session: 7, Actions: []string{"finish"}}
}

// keepShowing shows the same screen four times a second, as the loop's beat does, for a while.
func (r *room) keepShowing(s kiosk.Screen, during time.Duration) {
	end := time.After(during)
	beat := time.NewTicker(250 * time.Millisecond)
	defer beat.Stop()
	for {
		r.Show(s)
		select {
		case <-beat.C:
		case <-end:
			return
		}
	}
}

// A visitor is a page as seen from the network.
type visitor struct {
	t    testing.TB
	conn *websocket.Conn
	got  chan Document // closed when the socket is
	err  error         // why; to be read after got is closed
}

// arrive opens a socket that does not read.
func (r *room) arrive() *websocket.Conn {
	r.t.Helper()
	d := websocket.Dialer{NetDialContext: r.net.dial}
	conn, _, err := d.Dial("ws://127.0.0.1:8080/ws?token="+r.Token(), http.Header{"Origin": {"http://127.0.0.1:8080"}})
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	return conn
}

// join opens a page that reads.
func (r *room) join() *visitor {
	r.t.Helper()
	return listenTo(r.t, r.arrive())
}

func listenTo(t testing.TB, conn *websocket.Conn) *visitor {
	v := &visitor{t: t, conn: conn, got: make(chan Document, 1000)}
	go func() {
		defer conn.Close()
		defer close(v.got)
		for {
			var d Document
			if v.err = conn.ReadJSON(&d); v.err != nil {
				return
			}
			v.got <- d
		}
	}()
	return v
}

// next is the next document, which must come soon.
func (v *visitor) next() Document {
	v.t.Helper()
	select {
	case d, ok := <-v.got:
		if !ok {
			v.t.Fatalf("the socket closed: %v", v.err)
		}
		return d
	case <-time.After(5 * time.Second):
		v.t.Fatal("no document within 5 s")
	}
	return Document{}
}

// quietFor fails if a document comes within a while.
func (v *visitor) quietFor(d time.Duration) {
	v.t.Helper()
	select {
	case doc, ok := <-v.got:
		v.t.Fatalf("a document %d came (open: %v)", doc.Seq, ok)
	case <-time.After(d):
	}
}

// say sends a message.
func (v *visitor) say(message string) {
	v.t.Helper()
	if err := v.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		v.t.Fatalf("say %q: %v", message, err)
	}
}

func (v *visitor) ack(seq uint64) {
	v.t.Helper()
	v.say(`{"ack":` + strconv.FormatUint(seq, 10) + `}`)
}

// farewell waits until the socket is closed and gives the code that was told, or 0.
func (v *visitor) farewell() (int, string) {
	v.t.Helper()
	end := time.After(30 * time.Second)
	for {
		select {
		case _, open := <-v.got:
			if open {
				continue
			}
			if e, ok := errors.AsType[*websocket.CloseError](v.err); ok {
				return e.Code, e.Text
			}
			return 0, v.err.Error()
		case <-end:
			v.t.Fatal("the socket is still open after 30 s")
		}
	}
}

func TestTheFirstMessageIsTheWholeScreen(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		got, want := v.next(), Document{}
		if err := json.Unmarshal(get(r.Server, "/api/screen?token="+r.Token()).Body.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		if got.Seq != 1 || got.Boot != "boot-1" || got.Page != r.files.hash || len(got.Model.Actions) != 1 || got.T != want.T {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestAPageThatComesFirstWaitsForTheFirstScreen(t *testing.T) {
	inBubble(t, func(r *room) {
		v := r.join()
		v.quietFor(20 * time.Second)
		r.Show(showing(1))
		v.next()
	})
}

func TestOnlyTheNewestScreenWaitsForAStalledPage(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		for seq := uint64(2); seq <= 500; seq++ {
			r.Show(showing(seq))
		}
		v.quietFor(3 * time.Second)
		v.ack(1)
		if d := v.next(); d.Seq != 500 {
			t.Errorf("after the stall %d came, not 500", d.Seq)
		}
		v.ack(500)
		v.quietFor(3 * time.Second)
	})
}

func TestAnAckOfAnotherScreenCountsForNothing(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(5))
		v := r.join()
		v.next()
		r.Show(showing(6))
		v.ack(4)
		v.ack(6)
		v.quietFor(time.Second)
		v.ack(5)
		if d := v.next(); d.Seq != 6 {
			t.Errorf("got %d", d.Seq)
		}
	})
}

func TestAnUnchangedScreenIsTheHeartbeatOnceASecond(t *testing.T) {
	inBubble(t, func(r *room) {
		var shown sync.WaitGroup
		shown.Go(func() { r.keepShowing(showing(1), 10*time.Second) })
		v := r.join()
		v.next()
		for range 9 {
			v.ack(1)
			sent := time.Now()
			v.next()
			if gap := time.Since(sent); gap < heartbeat || gap > heartbeat+250*time.Millisecond {
				t.Errorf("a heartbeat after %v", gap)
			}
		}
		v.ack(1)
		shown.Wait()
		for range 2 { // the last beats may still be on their way
			<-time.After(2 * heartbeat)
			for len(v.got) > 0 {
				v.next()
			}
			v.ack(1)
		}
		v.quietFor(5 * time.Second) // nobody shows any more: the page must cover itself
	})
}

func TestAPageThatDoesNotPaintIsReportedAndThenCut(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		stalled := func(after time.Duration, want int) {
			<-time.After(after)
			if d := r.Painted(); d.Stalled != want || d.Pages != 1 || !d.Painted.IsZero() {
				t.Errorf("after %v more: %+v, want %d stalled", after, d, want)
			}
		}
		stalled(waitStalled-time.Millisecond, 0)
		stalled(2*time.Millisecond, 1)
		<-time.After(waitPaint)
		if code, why := v.farewell(); code == websocket.CloseNormalClosure {
			t.Errorf("cut with %d %q", code, why)
		}
		if d := r.Painted(); d.Pages != 0 || d.Stalled != 0 {
			t.Errorf("the dead page is still counted: %+v", d)
		}
	})
}

func TestAPaintedScreenIsRemembered(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		<-time.After(time.Second)
		v.ack(1)
		synctest.Wait()
		if d := r.Painted(); d.Stalled != 0 || !d.Painted.Equal(time.Now()) {
			t.Errorf("got %+v", d)
		}
	})
}

func TestAPageThatDoesNotReadHoldsUpNobody(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		deaf := r.arrive()
		defer deaf.Close()
		v := r.join()
		for seq := uint64(1); seq < 50; seq++ {
			v.next()
			before := time.Now()
			r.Show(showing(seq + 1))
			if took := time.Since(before); took > 0 {
				t.Fatalf("Show waited %v", took)
			}
			v.ack(seq)
		}
		if d := r.Painted(); d.Pages != 2 {
			t.Fatalf("%d pages", d.Pages)
		}
		<-time.After(waitWrite + time.Millisecond)
		synctest.Wait()
		if d := r.Painted(); d.Pages != 1 {
			t.Errorf("the deaf page is still there after %v: %+v", waitWrite, d)
		}
	})
}

func TestTheDeskStopsWithin2sWhateverPagesDo(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		for range maxPages - 1 {
			defer r.arrive().Close() // deaf
		}
		v := r.join()
		v.next()
		begin := time.Now()
		r.stop()
		if code, why := v.farewell(); code != websocket.CloseGoingAway {
			t.Errorf("the page heard %d %q", code, why)
		}
		err := <-r.ended
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		r.ended <- err
	})
}

func TestAFourthPagePushesOutTheOldest(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		var pages []*visitor
		for range maxPages + 1 {
			v := r.join()
			v.next()
			pages = append(pages, v)
		}
		if code, why := pages[0].farewell(); code != websocket.ClosePolicyViolation || why != "too many pages" {
			t.Errorf("the oldest heard %d %q", code, why)
		}
		r.Show(showing(2))
		for _, v := range pages[1:] {
			v.ack(1)
			if d := v.next(); d.Seq != 2 {
				t.Errorf("got %d", d.Seq)
			}
		}
		if d := r.Painted(); d.Pages != maxPages {
			t.Errorf("%d pages", d.Pages)
		}
	})
}

func TestATapArrivesAsItWasSent(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		v.say(`{"tap":"renew:LIB-1-7f3a-12","seq":41,"session":7}`)
		if got, want := <-r.taps, (kiosk.Tapped{ID: "renew:LIB-1-7f3a-12", Seq: 41, Session: 7}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestAPageThatTalksNonsenseIsClosed(t *testing.T) {
	for what, m := range map[string]struct {
		kind int
		text string
		code int
	}{
		"binary":           {websocket.BinaryMessage, `{"ack":1}`, websocket.ClosePolicyViolation},
		"no JSON":          {websocket.TextMessage, `ack 1`, websocket.ClosePolicyViolation},
		"an unknown field": {websocket.TextMessage, `{"act":1}`, websocket.ClosePolicyViolation},
		"empty":            {websocket.TextMessage, ``, websocket.ClosePolicyViolation},
		"too long":         {websocket.TextMessage, `{"tap":"` + string(make([]byte, maxMessage)) + `"}`, websocket.CloseMessageTooBig},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(r *room) {
				r.Show(showing(1))
				v := r.join()
				v.next()
				if err := v.conn.WriteMessage(m.kind, []byte(m.text)); err != nil {
					t.Fatal(err)
				}
				if code, why := v.farewell(); code != m.code {
					t.Errorf("closed with %d %q, want %d", code, why, m.code)
				}
				select {
				case tap := <-r.taps:
					t.Errorf("it was taken for %+v", tap)
				default:
				}
			})
		})
	}
}

func TestOnlyAFloodOfMessagesClosesAPage(t *testing.T) {
	tap := `{"tap":"finish","seq":1,"session":7}`
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		v.ack(1)
		for range 60 * 9 { // nine a second for a minute
			v.say(tap)
			<-r.taps
			<-time.After(time.Second / 9)
		}
		for seq := uint64(2); seq < 300; seq++ { // acknowledgements are free
			r.Show(showing(seq))
			v.ack(v.next().Seq)
		}
		for range tapBurst * 3 {
			if v.conn.WriteMessage(websocket.TextMessage, []byte(tap)) != nil {
				break
			}
		}
		if code, why := v.farewell(); code != websocket.ClosePolicyViolation || why != errRate.Error() {
			t.Errorf("closed with %d %q", code, why)
		}
		if n := len(r.taps); n > tapBurst+1 {
			t.Errorf("%d taps of the flood arrived", n)
		}
	})
}

func TestAFloodOfPingsClosesAPage(t *testing.T) {
	inBubble(t, func(r *room) {
		r.Show(showing(1))
		v := r.join()
		v.next()
		for range tapBurst * 3 {
			if v.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				break
			}
		}
		v.farewell()
	})
}

func TestASlowHandshakeIsCut(t *testing.T) {
	inBubble(t, func(r *room) {
		conn, err := r.net.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go io.Copy(io.Discard, conn)
		begin := time.Now()
		drip := time.NewTicker(time.Second)
		defer drip.Stop()
		for _, b := range []byte("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n") {
			if _, err := conn.Write([]byte{b}); err != nil {
				break
			}
			<-drip.C
		}
		if took := time.Since(begin); took > waitHeader+2*time.Second {
			t.Errorf("it was borne for %v", took)
		}
	})
}

func TestIdleConnectionsCannotEatAllFiles(t *testing.T) {
	inBubble(t, func(r *room) {
		gone := func(c net.Conn) bool {
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			e, ok := errors.AsType[net.Error](err)
			return !ok || !e.Timeout()
		}
		var idle []net.Conn
		dial := func() net.Conn {
			c, err := r.net.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, c)
			return c
		}
		for range maxConns {
			if gone(dial()) {
				t.Fatalf("connection %d was turned away", len(idle))
			}
		}
		if !gone(dial()) {
			t.Fatal("there was room for one too many")
		}
		idle[0].Close()
		synctest.Wait()
		if gone(dial()) {
			t.Error("no room although one has left")
		}
		for _, c := range idle {
			c.Close()
		}
	})
}
