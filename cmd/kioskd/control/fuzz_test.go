package control

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// Whatever is asked, the daemon answers with JSON and its own status, and nothing reaches the desk that
// was not well formed.
func FuzzAsked(f *testing.F) {
	for _, seed := range []struct{ method, path, query string }{
		{"GET", "/v1/status", ""}, {"GET", "/v1/journal", "since=3&limit=2"}, {"GET", "/v1/journal", "since=-1"}, {"GET", "/v1/stats", "from=x"}, {"POST", "/v1/settle", "key=K&why=done"},
		{"POST", "/v1/import/patrons", "taken=2026-11-24T09:30:00Z&force=true&name=a.csv"}, {"POST", "/v1/import/%2e%2e", "taken=x"}, {"GET", "/v1/backup", ""},
		{"DELETE", "/", "\x00"}, {"GET", "//v1//status", "a=%zz"},
	} {
		f.Add(seed.method, seed.path, seed.query, []byte("barcode\n1\n"))
	}
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		target := &url.URL{Path: "/" + path, RawQuery: query}
		req, err := http.NewRequest(method, "http://kioskd"+target.String(), bytes.NewReader(body))
		if err != nil {
			return
		}
		d := &desk{entries: journal(3), copy: "copy"}
		w := httptest.NewRecorder()
		(&Server{Desk: d, Log: slog.New(slog.DiscardHandler)}).routes().ServeHTTP(w, req)
		resp := w.Result()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode >= 300 && resp.StatusCode < 400 {
			return // the path is put in order first
		}
		if resp.Header.Get("Content-Type") == "application/vnd.sqlite3" {
			return
		}
		for d := json.NewDecoder(bytes.NewReader(text)); ; {
			var v any
			if err := d.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s %q answers %q: %v", method, path, text, err)
			}
		}
		if resp.StatusCode >= 400 && len(d.calls()) > 0 && resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s %q is refused with %d after the desk was asked for %q", method, path, resp.StatusCode, d.calls())
		}
	})
}
