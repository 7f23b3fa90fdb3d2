package main

import (
	"fmt"
	"testing"
	"time"

	"circdesk/web/browsertest"
)

// A child borrows at the real daemon, seen through a real browser: scanned on a pseudo terminal, decided
// from a real store, painted by Chromium.
func TestABookIsBorrowedInTheBrowser(t *testing.T) {
	p := install(t, "[session]\nidle = \"10s\"\nwarn = \"20s\"\n")
	p.start()
	p.load()
	page := browsertest.Launch(t).Open(p.url(), 800, 480)
	screen := func(name string) string { return "document.querySelector('#desk').dataset.screen === '" + name + "'" }
	text := func(words string) string { return "document.body.innerText.includes(\"" + words + "\")" }
	on := func(name string) { t.Helper(); page.WaitFor(screen(name), patience) }
	says := func(words string) { t.Helper(); page.WaitFor(text(words), patience) }
	cast := p.school.Cast
	on("attract")

	p.scan(p.desk, cast.Maya.Code)
	on("borrow")
	says("Maya")
	for _, book := range cast.Plain {
		p.scan(p.desk, book.Code)
		says(book.Name)
	}
	says("Due")
	if found := append(page.Axe(), page.Geometry(browsertest.Ruler{PxPerMM: 5.19, Capital: 4.8, Target: 20})...); len(found) > 0 {
		t.Errorf("on the screen: %q", found)
	}

	// The language changes and comes back; the books stay.
	tap(t, page, "language:es", text("Hasta"))
	tap(t, page, "language:en", text("Due"))

	// Loaded anew in mid-session, the page is where it was.
	page.Eval("location.reload()", nil)
	on("borrow")
	says(cast.Plain[2].Name)

	// Nobody does anything: a warning, more time, a warning, the end.
	on("still_there")
	tap(t, page, "more_time", screen("borrow"))
	tap(t, page, "finish", screen("finish"))
	tap(t, page, "ok", screen("attract"))
	for _, gone := range []string{"Maya", cast.Plain[0].Name} {
		var left bool
		page.Eval("document.documentElement.outerHTML.includes('"+gone+"')", &left)
		if left {
			t.Errorf("after the visit the page still holds %q", gone)
		}
	}

	// One is given back with a tap and a scan.
	tap(t, page, "return", screen("return"))
	p.scan(p.desk, cast.Plain[1].Code)
	says("cart")
	tap(t, page, "finish", screen("bye"))

	// And one is renewed.
	p.scan(p.desk, cast.CanRenew.Code)
	on("borrow")
	tap(t, page, "account", screen("account"))
	tap(t, page, "renew_all", screen("renewed"))
	says("New day")
}

// A page whose daemon has died covers itself, and uncovers when it is back. A busy machine may be late
// once; the best of three tries counts.
func TestTheCover(t *testing.T) {
	p := install(t, "")
	p.start()
	p.load()
	page := browsertest.Launch(t).Open(p.url(), 800, 480)
	covered, back := 1e9, time.Hour
	for range 3 {
		c, b := coverOnce(t, p, page)
		covered, back = min(covered, c), min(back, b)
		if covered <= 3500 && back <= 1500*time.Millisecond {
			break
		}
	}
	t.Logf("covered after %.0f ms, back %v after the daemon answered", covered, back.Round(time.Millisecond))
	if covered > 3500 {
		t.Errorf("the cover came after %.0f ms", covered)
	}
	if back > 1500*time.Millisecond {
		t.Errorf("it went %v after the daemon was back", back)
	}
}

// coverOnce kills the daemon in a visit, and starts it again. The page's own clock tells how long the
// cover took.
func coverOnce(t *testing.T, p *process, page *browsertest.Page) (covered float64, back time.Duration) {
	t.Helper()
	page.WaitFor("document.querySelector('#desk').dataset.screen === 'attract'", patience)
	p.greet(p.school.Cast.Maya)
	page.WaitFor("document.body.innerText.includes('Maya')", patience)
	page.Eval(`window.coveredAt = 0; window.diedAt = performance.now();
		new MutationObserver(() => { window.coveredAt ||= performance.now(); }).observe(document.querySelector('#cover'), {attributes: true, attributeFilter: ['hidden']}); 0`, nil)
	p.kill()
	page.WaitFor("!document.querySelector('#cover').hidden", patience)
	page.Eval("window.coveredAt - window.diedAt", &covered)
	var left bool
	page.Eval("document.querySelector('#desk').innerText.includes('Maya')", &left)
	if left {
		t.Error("the covered page still holds the name")
	}
	p.start()
	began := time.Now()
	page.WaitFor("document.querySelector('#cover').hidden && document.querySelector('#desk').dataset.screen === 'attract'", patience)
	return covered, time.Since(began)
}

// tap touches a button until what it is for has happened: a screen takes no taps in its first quarter
// of a second, and the same one not again for a while.
func tap(t *testing.T, page *browsertest.Page, action, then string) {
	t.Helper()
	there := fmt.Sprintf("document.querySelector('[data-action=%q]')", action)
	page.WaitFor(there+" || "+then, patience)
	deadline := time.Now().Add(patience)
	for again := time.NewTicker(500 * time.Millisecond); ; <-again.C {
		var done, can bool
		page.Eval("!!("+then+")", &done)
		page.Eval("!!"+there, &can)
		if done {
			again.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("tapped %q in vain; the page says: %q", action, page.Text())
		}
		if can {
			page.Click(action)
		}
	}
}
