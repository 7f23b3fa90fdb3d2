package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
)

//go:embed page
var pageFS embed.FS

// files is the page as it is served: plain files, and one that is made from a template.
type files struct {
	hash  string // of all that the page is made of
	start []byte // index.html, made once
}

// A coverText is what the page says by itself when the program behind it is gone.
type coverText struct{ Lang, Dir, Heading, Text string }

// loadFiles makes the start page, with the words of the cover in every language.
func loadFiles(name, version string, languages []*catalogue) (files, error) {
	t, err := template.ParseFS(pageFS, "page/index.html")
	if err != nil {
		return files{}, fmt.Errorf("read the start page: %w", err)
	}
	sum := sha256.New()
	io.WriteString(sum, version)
	var covers []coverText
	for _, c := range languages {
		covers = append(covers, coverText{c.code, c.Dir, c.show(sentence{id: "cover.heading"}), c.show(sentence{id: "cover.text"})})
	}
	fmt.Fprint(sum, name, covers)
	if err := hashPage(sum); err != nil {
		return files{}, err
	}
	hash := hex.EncodeToString(sum.Sum(nil))[:12]
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Name": name, "Hash": hash, "Covers": covers, "Lang": covers[0].Lang, "Dir": covers[0].Dir})
	if err != nil {
		return files{}, fmt.Errorf("make the start page: %w", err)
	}
	return files{hash, b.Bytes()}, nil
}

func hashPage(sum io.Writer) error {
	return fs.WalkDir(pageFS, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := pageFS.ReadFile(name)
		fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		return err
	})
}

// index answers with the start page.
func (f files) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(f.start)
}

// asset answers with a file of the page.
func (f files) asset(w http.ResponseWriter, r *http.Request) {
	kind := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".woff2": "font/woff2",
	}[path.Ext(r.URL.Path)]
	text, err := pageFS.ReadFile(r.URL.Path[1:])
	if kind == "" || err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Write(text)
}
