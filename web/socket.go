package web

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"circdesk/kiosk"

	"github.com/gorilla/websocket"
)

// The rules of the socket (facts: screens 4.4, reliability 6.1).
const (
	maxPages     = 3    // the desk's own and two more; a newer one takes the place of the oldest
	maxMessage   = 4096 // bytes from a page
	waitWrite    = 2 * time.Second
	waitPaint    = 10 * time.Second // without an acknowledgement: the page is dead
	waitStalled  = 2 * time.Second
	heartbeat    = time.Second
	tapBurst     = 20 // messages beyond the awaited acknowledgements
	tapsPerS     = 10
	waitUpgrade  = 5 * time.Second
	waitGoodbye  = 500 * time.Millisecond // for a page that does not read; the desk stops within 2 s
	bufferToPage = maxDocument + 64
)

// A page is one open socket. Its reader runs in the request's goroutine, its writer in one more.
type page struct {
	conn    *websocket.Conn
	changed chan struct{} // holds one wake-up
	done    chan struct{}
	quit    func() // closes done, once

	mu      sync.Mutex
	sent    *snapshot // nil: none yet
	beat    uint64    // the heartbeat that was sent
	sentAt  time.Time
	waiting bool // for the acknowledgement of sent
}

// socket answers GET /ws.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	if !s.ourOrigin(r) || !s.knows(r) {
		http.Error(w, "the origin or the token is wrong", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{
		HandshakeTimeout: waitUpgrade, ReadBufferSize: maxMessage, WriteBufferSize: bufferToPage,
		CheckOrigin: func(r *http.Request) bool { return s.ourOrigin(r) },
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	conn.SetReadLimit(maxMessage)
	done := make(chan struct{})
	p := &page{conn: conn, changed: make(chan struct{}, 1), done: done, quit: sync.OnceFunc(func() { close(done) })}
	if !s.enter(p) {
		p.close(websocket.CloseGoingAway, "the desk stops")
		return
	}
	defer s.open.Done()
	defer s.leave(p)
	var writer sync.WaitGroup
	writer.Go(func() { p.write(s.current) })
	p.read(s)
	p.quit()
	conn.Close()
	writer.Wait()
}

// enter puts a page on the list. One too many pushes out the oldest: whoever loads the page anew
// must get in, whatever hangs.
func (s *Server) enter(p *page) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	if len(s.pages) == maxPages {
		oldest := s.pages[0]
		s.pages = slices.Delete(s.pages, 0, 1)
		s.open.Go(func() { oldest.close(websocket.ClosePolicyViolation, "too many pages") })
	}
	s.pages = append(s.pages, p)
	s.open.Add(1)
	p.wake()
	return true
}

func (s *Server) leave(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = slices.DeleteFunc(s.pages, func(q *page) bool { return q == p })
}

// closePages ends all pages and lets no more in.
func (s *Server) closePages() {
	s.mu.Lock()
	s.ended = true
	pages := slices.Clone(s.pages)
	s.mu.Unlock()
	var all sync.WaitGroup
	for _, p := range pages {
		all.Go(func() { p.close(websocket.CloseGoingAway, "the desk stops") })
	}
	all.Wait()
}

// wake tells the writer to look; it never waits.
func (p *page) wake() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// close says why, if the page listens, and hangs up.
func (p *page) close(code int, why string) {
	p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(waitGoodbye))
	p.conn.Close()
}

// write sends the newest snapshot whenever it may, until the page is gone.
func (p *page) write(current func() (*snapshot, uint64)) {
	later := time.NewTimer(heartbeat)
	defer later.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-p.changed:
		case <-later.C:
		}
		now, beat := current()
		send, wait := p.next(now, beat, time.Now())
		if wait > 0 {
			later.Reset(wait)
		}
		if send == nil {
			continue
		}
		p.conn.SetWriteDeadline(time.Now().Add(waitWrite))
		if err := p.conn.WriteMessage(websocket.TextMessage, send.body); err != nil {
			p.conn.Close() // the reader notices
			return
		}
	}
}

// next decides what to send at now, if anything: the newest snapshot at once, the same one again as
// a heartbeat not before its time (then wait says how long to wait), and neither while the page has
// not painted the one before. A page that painted late would otherwise draw from a full pipe what
// has long been over.
func (p *page) next(newest *snapshot, beat uint64, now time.Time) (send *snapshot, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if newest == nil || p.waiting || newest == p.sent && beat == p.beat {
		return nil, 0
	}
	if wait := p.sentAt.Add(heartbeat).Sub(now); newest == p.sent && wait > 0 {
		return nil, wait
	}
	p.sent, p.beat, p.sentAt, p.waiting = newest, beat, now, true
	p.conn.SetReadDeadline(now.Add(waitPaint)) // before the write, so that no answer comes sooner
	return newest, 0
}

// ack notes that the page has painted seq; false if it did not have to.
func (p *page) ack(seq uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting || p.sent.screen.Seq != seq {
		return false
	}
	p.waiting = false
	p.conn.SetReadDeadline(time.Time{})
	p.wake()
	return true
}

// stalled tells whether the page has not painted what it was sent a while ago.
func (p *page) stalled(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting && now.Sub(p.sentAt) > waitStalled
}

// read hears the page until it is gone or says something that it must not.
func (p *page) read(s *Server) {
	left := allowance{n: tapBurst, at: time.Now()}
	p.conn.SetPingHandler(func(string) error { return left.take(time.Now()) })
	p.conn.SetPongHandler(func(string) error { return left.take(time.Now()) })
	for {
		kind, msg, err := p.conn.ReadMessage()
		if err != nil {
			return
		}
		if why := p.hear(s, kind, msg, &left); why != "" {
			s.o.Log.Warn("page closed", "why", why)
			p.close(websocket.ClosePolicyViolation, why)
			return
		}
	}
}

// hear takes one message. It says why the page must go, or "".
func (p *page) hear(s *Server, kind int, msg []byte, left *allowance) string {
	if kind != websocket.TextMessage {
		return "binary message"
	}
	m, err := parseSaid(msg)
	if err != nil {
		return "message not understood" // what it was is not logged: it may come from anybody
	}
	now := time.Now()
	if m.tap == nil && p.ack(m.ack) {
		s.painted(now)
		return ""
	}
	if left.take(now) != nil {
		return errRate.Error()
	}
	if m.tap != nil {
		s.tap(*m.tap)
	}
	return ""
}

func (s *Server) tap(t kiosk.Tapped) {
	if s.o.Tap != nil {
		s.o.Tap(t)
	}
}

// An allowance bounds the rate of messages: a bucket of tapBurst that fills by tapsPerS.
type allowance struct {
	n  float64
	at time.Time // of the last one taken
}

var errRate = errors.New("too many messages")

func (a *allowance) take(now time.Time) error {
	a.n = min(tapBurst, a.n+now.Sub(a.at).Seconds()*tapsPerS)
	a.at = now
	if a.n < 1 {
		return errRate
	}
	a.n--
	return nil
}
