package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVendoredFilesAreTheOnesThatWereChecked(t *testing.T) {
	for dir, vendored := range map[string][]string{"page": {"vendor", "fonts"}, "browsertest/testdata": {"."}} {
		sums := map[string]string{}
		lines := bufio.NewScanner(strings.NewReader(readFile(t, filepath.Join(dir, "SHA256SUMS"))))
		for lines.Scan() {
			sum, name, ok := strings.Cut(lines.Text(), "  ")
			if !ok {
				t.Fatalf("%s: line %q", dir, lines.Text())
			}
			sums[name] = sum
		}
		for _, sub := range vendored {
			names, err := os.ReadDir(filepath.Join(dir, sub))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				name := path.Join(sub, n.Name())
				if n.Name() == "SHA256SUMS" {
					continue
				}
				got := sha256.Sum256([]byte(readFile(t, filepath.Join(dir, name))))
				if hex.EncodeToString(got[:]) != sums[name] {
					t.Errorf("%s/%s is not the file of SHA256SUMS", dir, name)
				}
				delete(sums, name)
			}
		}
		if len(sums) > 0 {
			t.Errorf("%s: SHA256SUMS names files that are not there: %v", dir, sums)
		}
	}
}

// imports are the files that a file of the page asks for.
var imports = regexp.MustCompile(`(?:from|import) ?'([^']+)'|(?:src|href)="(/page/[^"]+)"|url\(([^)]+)\)`)

// loaded are all files that a browser asks for when it opens the page.
func loaded(t *testing.T, s *Server) map[string][]byte {
	t.Helper()
	got := map[string][]byte{}
	queue := []string{"/"}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if got[name] != nil {
			continue
		}
		w := get(s, name)
		if w.Code != http.StatusOK {
			t.Fatalf("GET %s: %d", name, w.Code)
		}
		got[name] = w.Body.Bytes()
		for _, m := range imports.FindAllStringSubmatch(w.Body.String(), -1) {
			ref := m[1] + m[2] + m[3]
			if !strings.HasPrefix(ref, "/") {
				ref = path.Join(path.Dir(name), ref)
			}
			queue = append(queue, ref)
		}
	}
	return got
}

// get asks a Server without a network.
func get(s *Server, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080"+target, nil))
	return w
}

// quiet is a Server that nobody serves.
func quiet(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	o := Options{Name: "Library desk", Listen: "127.0.0.1:8080", Boot: "boot-1", Token: "0123456789abcdef", Languages: []string{"en", "es"}}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestThePageIsLight(t *testing.T) {
	const mostBytes, mostRequests = 150 << 10, 15
	got := loaded(t, quiet(t, nil))
	total := 0
	for name, text := range got {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(text)
		z.Close()
		total += b.Len()
		if len(text) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if total > mostBytes {
		t.Errorf("the page weighs %d bytes compressed, more than %d", total, mostBytes)
	}
	if n := len(got) + 1; n > mostRequests { // and the socket
		t.Errorf("the page makes %d requests, more than %d", n, mostRequests)
	}
	for _, name := range []string{"/", "/page/main.js", "/page/style.css", "/page/vendor/lit-html.js"} {
		if got[name] == nil {
			t.Errorf("the page does not load %s", name)
		}
	}
	t.Logf("%d files, %d bytes compressed", len(got), total)
}

func TestEveryFileOfThePageIsUsed(t *testing.T) {
	got := loaded(t, quiet(t, nil))
	err := fs.WalkDir(pageFS, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if slices.Contains([]string{".js", ".css", ".woff2"}, path.Ext(name)) && got["/"+name] == nil {
			t.Errorf("nothing loads %s", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestThePageObeysItsOwnPolicy finds what the Content-Security-Policy would forbid, and words that
// do not come from a catalogue.
func TestThePageObeysItsOwnPolicy(t *testing.T) {
	for name, text := range loaded(t, quiet(t, nil)) {
		if strings.HasSuffix(name, ".woff2") || strings.Contains(name, "/vendor/") {
			continue
		}
		for what, re := range map[string]string{
			"an inline style":           `\sstyle=|setAttribute\('style'`,
			"a style element":           `<style`,
			"an inline script":          `<script(?:[^>]*[^>])?>[^<]|<script>`,
			"an inline handler":         `\son[a-z]+="`,
			"a javascript: address":     `javascript:`,
			"HTML from a string":        `innerHTML|outerHTML|insertAdjacentHTML|document\.write`,
			"code from a string":        `\beval\(|new Function|setTimeout\(['"]`,
			"another host":              `https?://`,
			"storage":                   `localStorage|sessionStorage|indexedDB|document\.cookie`,
			"a text box":                `<input|<textarea|contenteditable`,
			"unsafe parts of lit-html":  `unsafeHTML|unsafeSVG|unsafeStatic`,
			"the browser's own voice":   `speechSynthesis`,
			"something beyond a module": `\brequire\(|importScripts`,
		} {
			if m := regexp.MustCompile(re).FindString(string(text)); m != "" {
				t.Errorf("%s has %s: %q", name, what, m)
			}
		}
	}
}

func TestOnlyThePagesFilesAreServed(t *testing.T) {
	s := quiet(t, nil)
	for _, target := range []string{"/page/", "/page/index.html", "/page/SHA256SUMS", "/page/fonts/OFL.txt", "/page/../server.go", "/page/%2e%2e/server.go",
		"/page/vendor/LICENSE", "/page/main.js/", "/page//main.js", "/favicon.ico", "/x", "/metrics"} {
		if w := get(s, target); w.Code == http.StatusOK {
			t.Errorf("GET %s: %d", target, w.Code)
		}
	}
}

func TestAnotherPageHashMakesThePageLoadAnew(t *testing.T) {
	a := quiet(t, nil).files.hash
	for what, change := range map[string]func(*Options){
		"version":  func(o *Options) { o.Version = "2" },
		"name":     func(o *Options) { o.Name = "Other desk" },
		"language": func(o *Options) { o.Languages = []string{"es", "en"} },
	} {
		if b := quiet(t, change).files.hash; a == b {
			t.Errorf("another %s, but the same hash", what)
		}
	}
	if b := quiet(t, nil).files.hash; a != b {
		t.Errorf("the same page hashes to %q and %q", a, b)
	}
}

func TestTheDesksNameIsEscaped(t *testing.T) {
	body := get(quiet(t, func(o *Options) { o.Name = `</title><script>alert(1)</script>` }), "/").Body.String()
	if strings.Contains(body, "<script>alert") {
		t.Errorf("the name became markup:\n%s", body)
	}
}
