package control

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"circdesk/kiosk"
)

// The limits of one connection.
const (
	hurry    = 10 * time.Second // for a request's header, a short answer, one write of a long one
	stall    = 30 * time.Second // between two parts of a file
	longest  = 30 * time.Minute // for an import, a check of the journal, a long list
	mostFile = 4 << 30          // bytes of a file to import: a million records of MARC
)

// A Server answers on the control socket.
type Server struct {
	Desk  Desk
	Log   *slog.Logger
	Allow func(Peer) error // whether a peer may ask; nil: Members of the daemon's own user and group

	mostFile int64 // bytes of a file to import; 0: mostFile
}

// Serve answers on ln until ctx is done, gives open requests a moment to end, and returns nil. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	h := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: hurry,
		ReadTimeout:       stall,
		IdleTimeout:       stall,
		MaxHeaderBytes:    16 << 10,
		ConnContext:       s.meet,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(ln) }()
	select {
	case err := <-ended:
		return fmt.Errorf("control socket: %w", err)
	case <-ctx.Done():
	}
	moment, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if h.Shutdown(moment) != nil {
		h.Close()
	}
	<-ended
	return nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.one(hurry, func(r *http.Request) (any, error) {
		st, err := s.Desk.Status(r.Context())
		st.Alarms, st.Devices = listed(st.Alarms), listed(st.Devices)
		if st.LastFile != nil {
			st.LastFile = &Tried{st.LastFile.At, st.LastFile.listed()}
		}
		return st, err
	}))
	mux.HandleFunc("GET /v1/devices", s.one(hurry, func(r *http.Request) (any, error) {
		all, err := s.Desk.Devices(r.Context())
		return listed(all), err
	}))
	mux.HandleFunc("GET /v1/verify", s.one(longest, func(r *http.Request) (any, error) {
		return s.Desk.Verify(r.Context())
	}))
	mux.HandleFunc("GET /v1/journal", s.journal)
	mux.HandleFunc("GET /v1/queue", func(w http.ResponseWriter, r *http.Request) {
		s.list(w, r, func(ctx context.Context) iter.Seq2[any, error] { return shaped(s.Desk.Queue(ctx), waitingOf, 0) })
	})
	mux.HandleFunc("GET /v1/stats", s.stats)
	mux.HandleFunc("POST /v1/import/{kind}", s.importFile)
	mux.HandleFunc("GET /v1/backup", s.backup)
	mux.HandleFunc("POST /v1/settle", s.one(hurry, func(r *http.Request) (any, error) {
		key, why := r.URL.Query().Get("key"), r.URL.Query().Get("why")
		if key == "" || why == "" {
			return nil, refusal{http.StatusBadRequest, "a key and a reason are needed"}
		}
		return struct{}{}, s.Desk.Settle(r.Context(), kiosk.Key(key), why)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, refusal{http.StatusNotFound, "the daemon knows no " + strconv.Quote(r.Method+" "+r.URL.Path)})
	})
	return s.guard(mux)
}

func (r ImportReport) listed() ImportReport {
	r.BadRows, r.Ignored = listed(r.BadRows), listed(r.Ignored)
	return r
}

// listed makes an empty list [] on the wire, not null.
func listed[T any](list []T) []T { return append([]T{}, list...) }

// verdict is the key under which a connection's context keeps why its peer may not ask.
type verdict struct{}

// meet looks at the peer of a new connection, once for all its requests.
func (s *Server) meet(ctx context.Context, c net.Conn) context.Context {
	allow := s.Allow
	if allow == nil {
		allow = Members(uint32(os.Getuid()), uint32(os.Getgid()))
	}
	peer, err := peerOf(c)
	if err == nil {
		err = allow(peer)
	}
	if err == nil {
		return ctx
	}
	s.Log.Warn("control: refused", "uid", peer.UID, "gid", peer.GID, "pid", peer.PID, "err", err)
	return context.WithValue(ctx, verdict{}, err)
}

// guard answers those who may not ask.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err, refused := r.Context().Value(verdict{}).(error); refused {
			w.Header().Set("Connection", "close")
			write(w, http.StatusForbidden, problem{err.Error()})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A refusal is an error that is the asker's fault.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

// A problem is how an error looks on the wire.
type problem struct {
	Error string `json:"error"`
}

// fail answers with an error. One that is the daemon's own is logged.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[refusal](err); ok {
		write(w, e.status, problem{e.text})
		return
	}
	s.Log.Error("control: failed", "request", r.Method+" "+r.URL.Path, "err", err)
	write(w, http.StatusInternalServerError, problem{err.Error()})
}

// write sends one document.
func write(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written as JSON"}`)
	}
	rest(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // who has gone away misses nothing
}

// rest gives the peer time for one write.
func rest(w http.ResponseWriter) {
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(hurry))
}

// patient takes the request's own deadline away: when it passes, net/http ends the context, however
// busy the answer is. The context has one of its own instead.
func patient(w http.ResponseWriter, r *http.Request, d time.Duration) (context.Context, context.CancelFunc) {
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	return context.WithTimeout(r.Context(), d)
}

// one answers with one document that takes at most d to make.
func (s *Server) one(d time.Duration, ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := patient(w, r, d)
		defer cancel()
		v, err := ask(r.WithContext(ctx))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		write(w, http.StatusOK, v)
	}
}

func (s *Server) journal(w http.ResponseWriter, r *http.Request) {
	since, err1 := number(r, "since")
	limit, err2 := number(r, "limit")
	if err := cmp.Or(err1, err2); err != nil {
		s.fail(w, r, err)
		return
	}
	s.list(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return shaped(s.Desk.Journal(ctx, since), lineOf, limit)
	})
}

// number reads a number of the request's query; 0 if it is not there.
func number(r *http.Request, key string) (uint64, error) {
	text := r.URL.Query().Get(key)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, refusal{http.StatusBadRequest, fmt.Sprintf("%s: %q is not a sequence number", key, text)}
	}
	return n, nil
}

func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	from, err1 := moment(r, "from")
	until, err2 := moment(r, "until")
	if err := cmp.Or(err1, err2); err != nil {
		s.fail(w, r, err)
		return
	}
	s.list(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return func(yield func(any, error) bool) {
			all, err := s.Desk.Stats(ctx, from, until)
			if err != nil {
				yield(nil, err)
			}
			for _, each := range all {
				if !yield(each, nil) {
					return
				}
			}
		}
	})
}

// moment reads a time of the request's query; zero if it is not there.
func moment(r *http.Request, key string) (time.Time, error) {
	text := r.URL.Query().Get(key)
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, refusal{http.StatusBadRequest, fmt.Sprintf("%s: %q is not a time of RFC 3339", key, text)}
	}
	return at, nil
}

// shaped gives entries their shape on the wire, the first limit of them; 0: all.
func shaped[T any](entries iter.Seq2[kiosk.Entry, error], shape func(kiosk.Entry) T, limit uint64) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		n := uint64(0)
		for e, err := range entries {
			n++
			if !yield(shape(e), err) || n == limit {
				return
			}
		}
	}
}

// list answers with one object a line.
func (s *Server) list(w http.ResponseWriter, r *http.Request, rows func(context.Context) iter.Seq2[any, error]) {
	ctx, cancel := patient(w, r, longest)
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := json.NewEncoder(w)
	sent := 0
	for row, err := range rows(ctx) {
		switch {
		case err != nil && sent == 0:
			s.fail(w, r, err)
			return
		case err != nil:
			s.Log.Error("control: failed", "request", r.Method+" "+r.URL.Path, "err", err)
			row = problem{err.Error()}
		}
		rest(w)
		if out.Encode(row) != nil || err != nil {
			return
		}
		sent++
	}
}

// checksum is the header with the SHA-256 of a backup.
const checksum = "Sha256"

// backup sends a copy of the journal. It is whole if as many bytes come as the checksum is of.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := patient(w, r, longest)
	defer cancel()
	sent := false
	err := s.Desk.Backup(ctx, func(file io.Reader, sum string) error {
		w.Header().Set(checksum, sum)
		w.Header().Set("Content-Type", "application/vnd.sqlite3")
		sent = true
		_, err := io.Copy(&unhurried{w}, file)
		return err
	})
	switch {
	case err == nil:
	case !sent:
		s.fail(w, r, err)
	default:
		s.Log.Error("control: failed", "request", "GET /v1/backup", "err", err)
		panic(http.ErrAbortHandler) // hangs up, so that nobody takes a part for the whole
	}
}

// An unhurried answer has time for every single write.
type unhurried struct{ http.ResponseWriter }

func (u *unhurried) Write(p []byte) (int, error) {
	rest(u.ResponseWriter)
	return u.ResponseWriter.Write(p)
}

func (s *Server) importFile(w http.ResponseWriter, r *http.Request) {
	req, err := importRequest(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, cancel := patient(w, r, longest)
	defer cancel()
	body := &file{Reader: http.MaxBytesReader(w, r.Body, cmp.Or(s.mostFile, mostFile)), deadline: http.NewResponseController(w).SetReadDeadline}
	kind := r.PathValue("kind")
	report, err := s.Desk.Import(ctx, kind, body, req)
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the file has more than %d bytes", e.Limit)}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.Log.Info("control: import", "kind", kind, "rows", report.Rows, "loaded", report.Loaded, "bad", report.Bad,
		"refused", report.Refused != "")
	write(w, http.StatusOK, report.listed())
}

func importRequest(r *http.Request) (ImportRequest, error) {
	q := r.URL.Query()
	if kind := r.PathValue("kind"); !slices.Contains(Kinds(), kind) {
		return ImportRequest{}, refusal{http.StatusBadRequest, fmt.Sprintf("%q is not one of the kinds %q", kind, Kinds())}
	}
	taken, err := time.Parse(time.RFC3339, q.Get("taken"))
	if err != nil {
		return ImportRequest{}, refusal{http.StatusBadRequest, fmt.Sprintf("taken: %q is not a time of RFC 3339", q.Get("taken"))}
	}
	force, err := strconv.ParseBool(cmp.Or(q.Get("force"), "false"))
	if err != nil {
		return ImportRequest{}, refusal{http.StatusBadRequest, fmt.Sprintf("force: %q is not true or false", q.Get("force"))}
	}
	return ImportRequest{Name: q.Get("name"), Taken: taken, Force: force}, nil
}

// A file is a body whose every part has a deadline.
type file struct {
	io.Reader
	deadline func(time.Time) error
}

func (f *file) Read(p []byte) (int, error) {
	f.deadline(time.Now().Add(stall))
	n, err := f.Reader.Read(p)
	f.deadline(time.Time{})
	return n, err
}
