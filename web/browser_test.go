package web

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"circdesk/kiosk"
	"circdesk/web/browsertest"
)

// patience bounds every wait for something that is sure to come; machines are busy.
const patience = 30 * time.Second

// A panel is a screen that the desk is built with.
type panel struct {
	name          string
	width, height int
	pxPerMM       float64
}

func panels() []panel {
	return []panel{{"800x480", 800, 480, 5.19}, {"1280x800", 1280, 800, 5.9}}
}

// ruler is how large things must be on a screen: less for a technician's fingers.
func (p panel) ruler(m kiosk.Mode) browsertest.Ruler {
	target := 20.0
	if m == kiosk.ModeBin || m == kiosk.ModeAside {
		target = 15
	}
	return browsertest.Ruler{PxPerMM: p.pxPerMM, Capital: 4.8, Target: target}
}

// A glass is a page in a browser with a desk behind it that beats.
type glass struct {
	*browsertest.Page
	t    *testing.T
	taps chan kiosk.Tapped

	mu     sync.Mutex
	s      *Server
	stop   func()        // ends s
	screen *kiosk.Screen // what is shown at every beat; nil: the desk is silent
}

// open opens a page at 800x480.
func open(t *testing.T) *glass {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &glass{t: t, taps: make(chan kiosk.Tapped, 100)}
	g.s, g.stop = serveOn(t, l, g.options)
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { g.beat(done) })
	t.Cleanup(func() { close(done); beating.Wait() })
	g.Page = browsertest.Launch(t).Open(g.s.URL(), 800, 480)
	return g
}

func (g *glass) options(o *Options) {
	o.Tap = func(tap kiosk.Tapped) {
		select {
		case g.taps <- tap:
		default:
		}
	}
}

// beat shows the screen again and again, as the loop does.
func (g *glass) beat(done chan struct{}) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			g.mu.Lock()
			if g.screen != nil {
				g.s.Show(*g.screen)
			}
			g.mu.Unlock()
		}
	}
}

// put shows a screen from now on.
func (g *glass) put(s kiosk.Screen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.screen = &s
	g.s.Show(s)
}

// hush lets the desk fall silent.
func (g *glass) hush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.screen = nil
}

// show shows a scene in a language and waits until it is painted.
func (g *glass) show(c scene, lang string) {
	g.t.Helper()
	g.put(c.in(lang))
	g.WaitFor(fmt.Sprintf("document.documentElement.lang === %q && document.querySelector('#desk').dataset.screen === %q && document.querySelector('#cover').hidden",
		lang, c.screen.Mode), patience)
	g.Ready()
}

// painted waits until the page has painted a screen by its number.
func (g *glass) painted(seq uint64) {
	g.t.Helper()
	g.WaitFor(fmt.Sprintf("document.querySelector('#desk')?.dataset.seq === '%d'", seq), patience)
}

// reload loads the page anew and waits for it.
func (g *glass) reload() {
	g.t.Helper()
	g.Eval("globalThis.marker = true; location.reload()", nil)
	g.WaitFor("!globalThis.marker && document.querySelector('#desk')?.dataset.seq", patience)
	g.Ready()
}

// tapped is the next tap that arrives.
func (g *glass) tapped() kiosk.Tapped {
	g.t.Helper()
	select {
	case tap := <-g.taps:
		return tap
	case <-time.After(patience):
		g.t.Fatal("no tap arrived")
	}
	return kiosk.Tapped{}
}

func TestEveryScreenIsWholeAndAccessible(t *testing.T) {
	for _, panel := range panels() {
		t.Run(panel.name, func(t *testing.T) {
			t.Parallel()
			g := open(t)
			g.SetSize(panel.width, panel.height)
			g.StillLife()
			for _, c := range scenes() {
				for _, lang := range []string{"en", "es", "en-XA"} {
					g.show(c, lang)
					for _, f := range g.Axe() {
						t.Errorf("%s in %q: axe: %s", c.name, lang, f)
					}
					for _, f := range g.Geometry(panel.ruler(c.screen.Mode)) {
						t.Errorf("%s in %q: %s", c.name, lang, f)
					}
				}
			}
		})
	}
}

// TestTheChecksFindPlantedDefects is the negative control of the test above.
func TestTheChecksFindPlantedDefects(t *testing.T) {
	g := open(t)
	g.StillLife()
	c := sceneOf(t, "borrow-three")
	g.show(c, "en")
	geometry := func() []string { return g.Geometry(panels()[0].ruler(c.screen.Mode)) }
	for _, d := range []struct {
		what, js, want string
		check          func() []string
	}{
		{"text cut off", "document.querySelector('.card').style.height = '70px'; document.querySelector('.card').style.flex = 'none'", "clipped", geometry},
		{"text too small", "document.querySelector('.title').style.fontSize = '30px'", "too small", geometry},
		{"a small button", "Object.assign(document.querySelector('.bar button').style, {minHeight: '0', height: '60px'})", "small target", geometry},
		{"buttons that overlap", "document.querySelector('.bar button').style.marginInlineEnd = '-60px'", "overlapping targets", geometry},
		{"text under something", "Object.assign(document.body.appendChild(document.createElement('i')).style, {position: 'fixed', inset: '0 0 200px 0', background: 'red'})", "covered", geometry},
		{"a page wider than the screen", "Object.assign(document.body.appendChild(document.createElement('b')).style, {position: 'absolute', left: '0', width: '900px', height: '9px'})", "overflow", geometry},
		{"text out of its button", "document.querySelector('.bar button span').style.transform = 'translateY(-60px)'", "out of its box", geometry},
		{"a squeezed picture", "document.querySelector('.card svg').style.width = '9px'", "picture squeezed", geometry},
		{"a button without a name", "document.querySelector('.bar button span').remove()", "button-name", g.Axe},
		{"faint text", "document.querySelector('.title').style.color = '#999'", "color-contrast", g.Axe},
		{"buttons that no ear finds", "document.querySelector('.bar').setAttribute('aria-hidden', 'true')", "aria-hidden-focus", g.Axe},
		{"a wrong role", "document.querySelector('.card').setAttribute('role', 'list')", "aria-required-children", g.Axe},
	} {
		g.reload()
		if got := d.check(); len(got) > 0 {
			t.Fatalf("before the defect: %q", got)
		}
		g.Eval(d.js, nil)
		g.Ready()
		if got := d.check(); !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, d.want) }) {
			t.Errorf("%s is not found as %q: %q", d.what, d.want, got)
		}
	}
}

func TestALanguageIsOneTapAway(t *testing.T) {
	g := open(t)
	c := sceneOf(t, "attract")
	g.show(c, "en")
	g.Click("language:es")
	if tap := g.tapped(); tap.ID != "language:es" {
		t.Fatalf("tapped %+v", tap)
	}
	g.show(c, "es")
	if text := g.Text(); !strings.Contains(text, "Pasa tu tarjeta") || !strings.Contains(text, "English") || strings.Contains(text, "Scan") {
		t.Errorf("the page says %q", text)
	}
}

func TestATapSaysWhatWasTappedOnWhichScreen(t *testing.T) {
	g := open(t)
	g.show(sceneOf(t, "account-first"), "en")
	for _, id := range []string{"finish", "renew_all", "back", "renew:loan-1", "page:3", "help", "language:es"} {
		g.Click(id)
		if got, want := g.tapped(), (kiosk.Tapped{ID: id, Seq: 42, Session: 7}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestTheCoverHidesADeadDeskAndGoesWhenItIsBack(t *testing.T) {
	g := open(t)
	c := sceneOf(t, "borrow-three")
	g.show(c, "en")
	g.WaitFor("document.body.innerText.includes('Maya')", patience)
	done := g.Where("finish")
	g.Eval("globalThis.marker = true", nil)

	g.hush()
	g.stop()
	g.WaitFor("!document.querySelector('#pause').hidden || !document.querySelector('#cover').hidden", 2500*time.Millisecond)
	g.WaitFor("!document.querySelector('#cover').hidden", 3500*time.Millisecond)
	g.mustNotShow("Maya", "Alexander", "4561")
	if text := g.Text(); !strings.Contains(text, "asleep") || strings.Contains(text, "durmió") || !strings.Contains(text, "PAGE1") {
		t.Errorf("the cover says %q", text)
	}
	for _, f := range g.Axe() {
		t.Errorf("cover: axe: %s", f)
	}
	for _, f := range g.Geometry(panels()[0].ruler(c.screen.Mode)) {
		t.Errorf("cover: %s", f)
	}
	g.ClickAt(done)

	g.comeBack("boot-1", c)
	g.WaitFor("document.querySelector('#cover').hidden && document.body.innerText.includes('Maya')", 1500*time.Millisecond)
	g.WaitFor("globalThis.marker", time.Second) // the same desk: no need to load anew
	g.Click("finish")
	if tap := g.tapped(); tap.ID != "finish" || len(g.taps) > 0 {
		t.Errorf("tapped %+v and %d more: the covered page sent something", tap, len(g.taps))
	}

	g.hush()
	g.stop()
	g.comeBack("boot-2", c)
	g.WaitFor("document.querySelector('#cover').hidden && document.body.innerText.includes('Maya') && !globalThis.marker", patience)
}

// comeBack starts another desk on the same port.
func (g *glass) comeBack(boot string, c scene) {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+g.s.port)
	if err != nil {
		g.t.Fatal(err)
	}
	token := g.s.Token()
	s, stop := serveOn(g.t, l, func(o *Options) {
		g.options(o)
		o.Boot, o.Token = boot, token
	})
	g.mu.Lock()
	g.s, g.stop = s, stop
	g.mu.Unlock()
	g.put(c.screen)
}

// mustNotShow looks for words wherever a person or a program could find them.
func (g *glass) mustNotShow(words ...string) {
	g.t.Helper()
	var html, kept string
	g.Eval("document.documentElement.outerHTML", &html)
	g.Eval("JSON.stringify([location.href, document.cookie, {...localStorage}, {...sessionStorage}, history.state, document.title])", &kept)
	for where, text := range map[string]string{"page": html, "accessibility tree": g.Spoken(), "address or storage": kept} {
		for _, w := range words {
			if strings.Contains(text, w) {
				g.t.Errorf("the %s still holds %q", where, w)
			}
		}
	}
}

func TestASilentDeskIsCoveredAndTakesNoTaps(t *testing.T) {
	g := open(t)
	c := sceneOf(t, "borrow-three")
	g.show(c, "en")
	done := g.Where("finish")
	g.hush()
	g.WaitFor("!document.querySelector('#cover').hidden", 4500*time.Millisecond)
	g.ClickAt(done)
	g.Press("Enter")
	again := c
	again.screen.Seq = 43
	g.show(again, "en")
	g.Click("finish")
	if tap := g.tapped(); tap.Seq != 43 {
		t.Errorf("the stale page sent %+v", tap)
	}
}

func TestAReloadShowsTheSameSession(t *testing.T) {
	g := open(t)
	c := sceneOf(t, "borrow-three")
	g.show(c, "en")
	before := g.Text()
	g.reload()
	if after := g.Text(); after != before {
		t.Errorf("before %q, after %q", before, after)
	}
	g.Click("finish")
	if tap := g.tapped(); tap.Session != 7 {
		t.Errorf("tapped %+v", tap)
	}
}

func TestAllActionsCanBeReachedByKeys(t *testing.T) {
	g := open(t)
	for _, name := range []string{"attract", "blocked", "borrow-three", "account-middle", "finish", "still-there", "pin-enough", "bin-hold", "aside"} {
		c := sceneOf(t, name)
		g.show(scene{screen: kiosk.Screen{Mode: kiosk.ModeWho}}, "en") // takes the focus away
		g.Eval("document.activeElement.blur()", nil)
		g.show(c, "en")
		var all []string
		g.Eval("[...document.querySelectorAll('[data-action]')].map(e => e.dataset.action)", &all)
		if len(all) == 0 {
			t.Fatalf("%s has no actions", name)
		}
		reached := map[string]bool{}
		for range len(all) + 1 {
			g.Press("Tab")
			var at struct {
				Action, Outline, Style, Shadow string
			}
			g.Eval(`(e => { const s = getComputedStyle(e); return {action: e.dataset.action ?? '', outline: s.outlineWidth, style: s.outlineStyle, shadow: s.boxShadow}; })(document.activeElement)`, &at)
			if at.Action == "" {
				continue
			}
			reached[at.Action] = true
			if at.Outline != "6px" || at.Style != "solid" || !strings.Contains(at.Shadow, "12px") {
				t.Errorf("%s: the ring of %q is not to be seen: %+v", name, at.Action, at)
			}
		}
		for _, id := range all {
			if !reached[id] {
				t.Errorf("%s: no key reaches %q", name, id)
			}
		}
		for at := ""; at == ""; g.Eval("document.activeElement.dataset.action ?? ''", &at) {
			g.Press("Tab") // from the end round to the beginning
		}
		g.Press("Enter")
		if tap := g.tapped(); !slices.Contains(all, tap.ID) {
			t.Errorf("%s: Enter sent %+v", name, tap)
		}
	}
}

// TestThePadIsTypedByKeysInItsOrder goes over the pad as a five-key pad does.
func TestThePadIsTypedByKeysInItsOrder(t *testing.T) {
	g := open(t)
	c := sceneOf(t, "pin-enough")
	g.show(c, "en")
	for _, want := range strings.Fields("digit:1 digit:2 digit:3 digit:4 digit:5 digit:6 digit:7 digit:8 digit:9 erase digit:0 ok back") {
		g.Press("Tab")
		g.Press("Enter")
		if tap := g.tapped(); tap.ID != want {
			t.Errorf("typed %q, want %q", tap.ID, want)
		}
	}
	g.Eval("document.querySelector('[data-action=ok]').focus()", nil)
	c = sceneOf(t, "pin-wrong")
	c.screen.Seq = 43
	g.put(c.screen)
	g.painted(43)
	g.WaitFor("document.activeElement.dataset.action === 'digit:1'", patience) // where the next try begins
}

// TestThePageKnowsOnlyHowManyDigitsAreTyped looks at dots, and at what the ear is told.
func TestThePageKnowsOnlyHowManyDigitsAreTyped(t *testing.T) {
	g := open(t)
	for name, want := range map[string]int{"pin-empty": 0, "pin": 3, "pin-full": 8} {
		c := sceneOf(t, name)
		c.screen.Seq = uint64(50 + want)
		g.put(c.screen)
		g.painted(c.screen.Seq)
		var dots int
		g.Eval("document.querySelectorAll('.dots i').length", &dots)
		if dots != want {
			t.Errorf("%s has %d dots, want %d", name, dots, want)
		}
	}
	if said := drawn(catalogueOf(t, "en"), sceneOf(t, "pin").screen).Speech; !slices.Equal(said, []string{"Type your PIN", "3 numbers"}) {
		t.Errorf("the ear is told %q", said)
	}
}

func TestTheFocusStaysWhereItWas(t *testing.T) {
	g := open(t)
	g.show(sceneOf(t, "still-there"), "en")
	g.Press("Tab")
	c := sceneOf(t, "still-there")
	c.screen.Seconds, c.screen.Seq = 16, 43
	g.put(c.screen)
	g.painted(43)
	g.WaitFor("document.activeElement.dataset.action", patience)
}

func TestEachSoundIsPlayedOnce(t *testing.T) {
	g := open(t)
	s := showing(1)
	heard := func(kinds ...kiosk.Sound) {
		for _, k := range kinds {
			s.Sounds = append(slices.Clip(s.Sounds), kiosk.Heard{ID: uint64(len(s.Sounds) + 1), Kind: k})
		}
		s.Seq++
		g.put(s)
		g.painted(s.Seq)
	}
	heard(kiosk.SoundOK, kiosk.SoundOK) // before the page was there
	heard(kiosk.SoundRefused)
	heard()
	heard(kiosk.SoundOK, kiosk.SoundHold)
	heard()
	var log []string
	g.Eval("circdesk.sounds", &log)
	if want := []string{"refused", "ok", "hold"}; !slices.Equal(log, want) {
		t.Errorf("heard %q, want %q", log, want)
	}
	g.Click("finish")
	g.tapped()
	g.Eval("circdesk.sounds", &log)
	if log[len(log)-1] != "press" {
		t.Errorf("a press made no sound: %q", log)
	}
}

func TestTheLastSecondsTick(t *testing.T) {
	g := open(t)
	for n := range 8 {
		c := sceneOf(t, "still-there")
		c.screen.Seconds, c.screen.Seq = 8-n, uint64(50+n)
		g.put(c.screen)
		g.painted(c.screen.Seq)
	}
	var log []string
	g.Eval("circdesk.sounds", &log)
	if want := []string{"tick", "tick", "tick", "tick", "tick"}; !slices.Equal(log, want) {
		t.Errorf("heard %q", log)
	}
}

func TestNothingIsLeftOfAVisit(t *testing.T) {
	g := open(t)
	for _, name := range []string{"borrow-three", "account-first", "borrow-refused-on_hold", "renewed", "finish"} {
		g.show(sceneOf(t, name), "en")
	}
	g.show(sceneOf(t, "borrow-three"), "en")
	g.mustNotShow("3000000000") // while it lasts
	g.show(sceneOf(t, "attract"), "en")
	g.mustNotShow("Maya", "Alexander", "Wonder", "Caterpillar", "Hobbit", "4561", "LIB-1-7f3a", "loan-1")
}

func TestMarkupInATitleStaysText(t *testing.T) {
	g := open(t)
	for _, title := range []string{`<img src=x onerror="globalThis.hacked=1">`, `<script>hacked=1</script>`, `${hacked=1}`, "\u202egnp.exe"} {
		c := sceneOf(t, "borrow-one")
		c.screen.Lines = []kiosk.Line{{Key: "k", Outcome: kiosk.OutcomeLoan, Title: title, Tail: "<b>x", Due: dec7}}
		c.screen.Greeting = "<i>M"
		g.show(c, "en")
		var found struct {
			Hacked bool
			Marks  int
			Text   string
		}
		g.Eval("({hacked: 'hacked' in globalThis, marks: document.querySelectorAll('#desk img, #desk script, #desk i').length, text: document.querySelector('.title bdi').textContent})", &found)
		if found.Hacked || found.Marks > 0 || strings.ContainsRune(found.Text, '\u202e') {
			t.Errorf("%q: %+v", title, found)
		}
	}
}

func TestReducedMotionStandsStill(t *testing.T) {
	g := open(t)
	moving := func() (n int) {
		g.show(sceneOf(t, "attract"), "en")
		g.Eval("document.getAnimations().filter(a => a.effect.getComputedTiming().iterations === Infinity).length", &n)
		return n
	}
	if moving() == 0 {
		t.Error("nothing moves: the control of this test")
	}
	g.StillLife()
	if n := moving(); n > 0 {
		t.Errorf("%d things move", n)
	}
}
