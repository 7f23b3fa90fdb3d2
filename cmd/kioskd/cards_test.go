package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// With the key gone, no card that was enrolled would be known any more: it is on the disk, and its name
// too, before anything is digested with it. No power cut may leave less of it.
func TestTheCardKeyIsOnTheDiskBeforeItIsUsed(t *testing.T) {
	p := install(t, "")
	trace := p.path("trace")
	p.program, p.env = os.Args[0], []string{asKioskd + "=1"}
	p.wrap = []string{"strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=fsync,renameat,openat"}
	p.start()
	p.stop()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	before, _, used := bytes.Cut(text, []byte("/state/journal.db"))
	state := regexp.QuoteMeta(p.path("state"))
	steps := regexp.MustCompile(`(?s)fsync\(\d+<` + state + `/(\.new-\d+)>.*renameat\([^\n]*/(\.new-\d+)", [^\n]*card\.key"\).*fsync\(\d+<` + state + `>`)
	if m := steps.FindSubmatch(before); !used || m == nil || !bytes.Equal(m[1], m[2]) {
		t.Errorf("it is not flushed, named, and its folder flushed before the journal is opened:\n%s", before)
	}
}

// An empty key is what a power cut has left. It cannot be had back, and the desk is to open.
func TestAnEmptyCardKeyIsDrawnAnew(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "card.key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	first, err := loadCardKey(folder, slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil || !bytes.Contains(said.Bytes(), []byte("level=ERROR")) {
		t.Fatalf("%v, said %q", err, said.String())
	}
	if again, err := loadCardKey(folder, slog.New(slog.DiscardHandler)); err != nil || !bytes.Equal(again, first) {
		t.Errorf("it does not stay: %v", err)
	}
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadCardKey(folder, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("half a key is taken for none")
	}
}
