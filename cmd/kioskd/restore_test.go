package main

import (
	"os"
	"strings"
	"testing"

	"circdesk/web"
)

func TestABackupIsRestoredWhileTheDeskRests(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	cast, backup := p.school.Cast, p.path("backup")
	lend := func(code string) {
		p.scan(p.desk, cast.Maya.Code)
		p.on("borrow")
		p.scan(p.desk, code)
		p.shows("the loan", func(d web.Document) bool {
			return len(d.Model.Items) > 0 && d.Model.Items[0].Tail == code[len(code)-4:]
		})
	}
	lend(cast.Plain[0].Code)
	f, err := os.Create(backup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := p.ctl().Backup(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	lend(cast.Plain[1].Code)
	before := p.journal()
	restore := func() (string, error) {
		out, err := kioskd(t.Context(), "restore", "-config", p.path("kiosk.toml"), backup).CombinedOutput()
		return string(out), err
	}
	if out, err := restore(); err == nil || !strings.Contains(out, "another kioskd is running") {
		t.Errorf("under a running desk: %v: %s", err, out)
	}
	p.stop()
	if out, err := restore(); err != nil || !strings.Contains(out, "restored") {
		t.Fatalf("%v: %s", err, out)
	}
	p.start()
	if after := p.journal(); len(before) != 2 || len(after) != 1 || after[0].Key != before[0].Key {
		t.Errorf("before %+v, after %+v: want the first entry alone", before, after)
	}
}
