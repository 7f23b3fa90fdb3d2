package kiosk

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

// Each transcript plays a scene at the desk. People write the comments and the lines with ">"; the test
// writes what they lead to: "!" is an effect, "=" the screen, "|" a line on it.
func TestTranscripts(t *testing.T) {
	for _, file := range transcripts(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want), nil)
			switch {
			case got == string(want):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("got:\n%s", got)
			}
		})
	}
}

func transcripts(t *testing.T) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	return files
}

// A player plays a script at a desk and writes the transcript.
type player struct {
	*desk
	t      *testing.T
	out    strings.Builder
	shown  string // the last screen written
	heard  uint64 // and the last sound
	before uint64 // Seq of the screen before the present one, which a slow finger means
}

// play keeps a script's comments and events and writes anew what they lead to.
func play(t *testing.T, script string, saw func(was, is State, out []Effect)) string {
	return run(t, script, saw).out.String()
}

func run(t *testing.T, script string, saw func(was, is State, out []Effect)) *player {
	p := &player{t: t}
	p.desk = newDesk(func(format string, args ...any) { t.Errorf("%s\n"+format, append([]any{p.out.String()}, args...)...) })
	p.saw = func(was, is State, out []Effect) {
		for _, e := range out {
			p.effect(e)
		}
		if saw != nil {
			saw(was, is, out)
		}
	}
	p.run(script)
	return p
}

func (p *player) run(script string) {
	for line := range strings.Lines(script) {
		switch words, ok := strings.CutPrefix(line, "> "); {
		case ok:
			p.out.WriteString(line)
			p.do(strings.Fields(words))
			p.screen("  = ", true)
		case strings.HasPrefix(line, "#") || line == "\n":
			p.out.WriteString(line)
		}
	}
}

// do plays one event. Each takes a second, unless it ends in "at once".
func (p *player) do(f []string) {
	if n := len(f); n > 2 && f[n-2] == "at" && f[n-1] == "once" {
		f = f[:n-2]
	} else {
		p.now = p.now.Add(time.Second)
	}
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	if p.world(f[0], arg) {
		return
	}
	p.before = p.state.Since.Seq - 1
	switch f[0] {
	case "open":
		p.open()
	case "scan":
		p.happen(scanOf(RoleStudent, arg(1)))
	case "bin":
		p.happen(scanOf(RoleBin, arg(1)))
	case "staff":
		p.happen(scanOf(RoleStaff, arg(1)))
	case "card":
		p.happen(cardOf(RoleStudent, arg(1)))
	case "lay":
		p.happen(laidOf(arg(1), Role(arg(2)), f[3:]))
	case "tap":
		p.tap(arg(1), arg(2))
	case "type":
		p.typePIN(arg(1))
	case "wake":
		p.happen(Woke{})
	case "wait":
		p.wait(p.duration(arg(1)), func() { p.screen("  = ", false) })
	case "journal":
		ev := p.lib.journal(arg(1) != "off")
		ev.Reserve = arg(1) == "reserve"
		p.happen(ev)
	case "alarm":
		p.happen(AlarmIs{Alarm: Alarm(arg(1)), On: arg(2) == "on"})
	case "device":
		p.happen(DeviceIs{Name: arg(1), Role: Role(arg(2)), Ready: arg(3) != "absent", Trouble: arg(3) == "degraded", Kind: arg(4)})
	case "library":
		p.happen(LibraryIs{Up: arg(1) == "up"})
	case "clock":
		p.happen(ClockIs{Trust: Clock(arg(1)), Floor: p.moment(arg(2))})
	default:
		p.t.Fatalf("event %q is not known", f)
	}
}

// world changes what the desk does not see: the day, the cache, the journal.
func (p *player) world(what string, arg func(int) string) bool {
	switch what {
	case "now":
		p.now = p.moment(arg(1) + "T" + arg(2))
		p.state, p.calls, p.heard = New(setup(), p.now, 0), map[uint64]bool{}, 0
		p.open()
	case "answers":
		p.held = arg(1) == "wait"
		p.happen(Woke{})
	case "cache":
		p.deaf = arg(1) == "fails"
	case "records":
		p.desk.journal = arg(1)
	case "tags":
		p.stiff, p.slow = arg(1) == "fail", arg(1) == "wait"
		p.happen(Woke{})
	case "printer":
		p.state.Setup.Printer = arg(1) == "set"
	case "gate":
		p.state.Setup.NoGate = arg(1) == "none"
	case "wish":
		p.lib.wishes[ItemID(arg(1))] = TagWish(arg(2))
	default:
		return false
	}
	return true
}

// tap touches an action of the screen that stands; or, late, of the one before; or of another visit.
func (p *player) tap(id, how string) {
	v := View(p.state)
	ev := Tapped{ID: id, Seq: v.Seq, Session: v.Session}
	switch how {
	case "late":
		ev.Seq = p.before
	case "early":
		ev.Seq = v.Seq + 1
	case "elsewhere":
		ev.Session = v.Session + 7
	case "":
	default:
		p.t.Fatalf("nobody taps %q", how)
	}
	p.happen(ev)
}

// typePIN taps digits as fast as fingers are.
func (p *player) typePIN(digits string) {
	for _, d := range digits {
		p.now = p.now.Add(300 * time.Millisecond)
		p.tap("digit:"+string(d), "")
	}
}

// scanOf is what the rules of a config would make of a code.
func scanOf(role Role, code string) Scanned {
	ev := Scanned{Source: string(role), Role: role, Code: code}
	switch {
	case strings.HasPrefix(code, "!"):
		ev.Command = code[1:]
	case strings.HasPrefix(code, "978"):
		ev.Problem = FaultISBN
	case strings.HasPrefix(code, "4"):
		ev.Problem = FaultNotOurs
	case strings.HasPrefix(code, "2"):
		ev.Patron = PatronID(code)
	case strings.HasPrefix(code, "3"):
		ev.Item = ItemID(code)
	case strings.HasPrefix(code, "7"):
		ev.Patron, ev.Item = PatronID(code), ItemID(code)
	case code != "nothing":
		ev.Problem = FaultUnreadable
	}
	return ev
}

// cardOf is a tapped card: of somebody, of nobody, several at once, or a phone. c2777/c2001 is one that a list may
// know by a part of its number.
func cardOf(role Role, card string) Scanned {
	ev := Scanned{Source: "cards", Role: role}
	switch card {
	case "many":
		ev.Problem = FaultOneCard
	case "phone":
		ev.Problem = FaultRandomCard
	default:
		whole, part, _ := strings.Cut(card, "/")
		if ev.Card = Credential(whole); part != "" {
			ev.Also = []Credential{Credential(part)}
		}
	}
	return ev
}

// laidOf is what lies on a pad; "unclear" stands for what cannot be made out.
func laidOf(pad string, role Role, words []string) Laid {
	isUnclear := func(w string) bool { return w == "unclear" }
	return Laid{Source: pad, Role: role, Unclear: slices.ContainsFunc(words, isUnclear), Tags: tagsOf(slices.DeleteFunc(slices.Clone(words), isUnclear))}
}

// tagsOf reads tags: 3001, 3001/1of2, 3001+ (secured) or 3001- (not), blank, 4001 (not ours).
func tagsOf(words []string) []TagOn {
	var tags []TagOn
	for _, w := range words {
		t := TagOn{UID: "t" + strings.TrimRight(w, "+-")}
		if rest := strings.TrimRight(w, "+-"); rest != w {
			t.Knows, t.Secured, w = true, strings.HasSuffix(w, "+"), rest
		}
		item, part, _ := strings.Cut(w, "/")
		if _, err := fmt.Sscanf(part, "%dof%d", &t.Part, &t.Parts); part != "" && err != nil {
			panic(err)
		}
		switch {
		case strings.HasPrefix(w, "blank"):
		case strings.HasPrefix(w, "4"):
			t.Problem = FaultNotOurs
		default:
			t.Item = ItemID(item)
		}
		tags = append(tags, t)
	}
	return tags
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *player) moment(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05", s, pacific)
	if err != nil {
		p.t.Fatal(err)
	}
	return at
}

func (p *player) effect(e Effect) {
	switch e := e.(type) {
	case Find:
		fmt.Fprintf(&p.out, "  ! find %s\n", strings.Join(strings.Fields(fmt.Sprint(e.Patron, " ", e.Card, " ", strings.Trim(fmt.Sprint(e.Also), "[]"), " ", e.Item)), " "))
	case Verify:
		fmt.Fprintf(&p.out, "  ! verify %d digits of %s\n", len(e.PIN), e.Patron)
	case Secure:
		fmt.Fprintf(&p.out, "  ! secure %v: %s on %s\n", e.On, strings.Join(e.Tags, " "), e.Source)
	case Print:
		fmt.Fprintf(&p.out, "  ! print %s in %s, for %q, %d in all\n", e.Slip, e.Lang, e.For, e.All)
		for _, l := range e.Lines {
			fmt.Fprintf(&p.out, "  !   %s\n", strings.Join(strings.Fields(fmt.Sprintf("%s %q %s", l.CallNumber, l.Title, l.Due)), " "))
		}
	case Record:
		for _, a := range e.Acts {
			fmt.Fprintf(&p.out, "  ! record %s\n", actWords(a))
		}
	default:
		p.t.Fatalf("effect %T has no line", e)
	}
}

func actWords(a Act) string {
	words := []string{string(a.Key), string(a.Kind), string(a.Item) + string(a.Card)}
	for name, v := range map[string]string{"for": string(a.Patron), "due": a.Due.String(), "renewals": number(a.Renewals), "outcome": string(a.Outcome), "by": string(a.Role)} {
		if v != "" {
			words = append(words, name+" "+v)
		}
	}
	slices.Sort(words[3:])
	return strings.Join(words, " ")
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// screen writes the screen; between events only if more has changed on it than the countdown.
func (p *player) screen(mark string, always bool) {
	v := View(p.state)
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n", mark, strings.Join(headWords(v, p.state), ", "))
	for _, l := range v.Lines {
		fmt.Fprintf(&b, "    | %s\n", lineWords(l))
	}
	fmt.Fprintf(&b, "    taps: %s\n", strings.Join(v.Actions, " "))
	text := b.String()
	if !always && text == p.shown && p.state.Sounds == p.heard {
		return
	}
	if !always {
		fmt.Fprintf(&p.out, "  at %s\n", p.now.Format("15:04:05"))
	}
	p.out.WriteString(text)
	p.shown = text
	var sounds []string
	for _, h := range v.Sounds {
		if h.ID > p.heard {
			sounds = append(sounds, string(h.Kind))
		}
	}
	if len(sounds) > 0 {
		fmt.Fprintf(&p.out, "    heard: %s\n", strings.Join(sounds, " "))
	}
	p.heard = p.state.Sounds
}

func headWords(v Screen, s State) []string {
	words := []string{string(v.Mode), v.Lang}
	for _, w := range []struct {
		name string
		v    int
	}{
		{"session", int(v.Session)}, {"new", v.New}, {"all", v.All}, {"ready", v.Ready}, {"first", v.First}, {"typed", v.Typed},
		{"aside", v.Aside}, {"duplicates", v.Tally.Duplicate}, {"read", v.Tally.All()}, {"open", len(s.Open)},
	} {
		if w.v != 0 {
			words = append(words, fmt.Sprintf("%s %d", w.name, w.v))
		}
	}
	if v.Greeting != "" {
		words = append(words, "hello "+v.Greeting)
	}
	if v.Notice != "" {
		words = append(words, "notice "+string(v.Notice))
	}
	for _, w := range []struct {
		name string
		on   bool
	}{{"offline", v.Offline}, {"provisional", v.Provisional}, {"counting", v.Seconds > 0}} {
		if w.on {
			words = append(words, w.name)
		}
	}
	if !v.Opens.IsZero() {
		words = append(words, "opens "+v.Opens.Format("2006-01-02 15:04"))
	}
	for _, a := range v.Alarms {
		words = append(words, string(a.Alarm))
	}
	return words
}

func lineWords(l Line) string {
	words := []string{string(l.Outcome)}
	if l.Outcome == "" {
		words[0] = "-"
	}
	for _, w := range []string{l.Title, l.Tail, l.Due.String(), string(l.Fault)} {
		if w != "" {
			words = append(words, w)
		}
	}
	if l.Late {
		words = append(words, "late")
	}
	if l.Can {
		words = append(words, "can renew")
	}
	return strings.Join(words, ", ")
}

// seen is what a play of all transcripts has come by.
type seen struct {
	faults map[Fault]bool
	modes  map[Mode]bool
	edges  map[[2]Mode]bool
}

func playAll(t *testing.T) seen {
	s := seen{map[Fault]bool{}, map[Mode]bool{}, map[[2]Mode]bool{}}
	for _, file := range transcripts(t) {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		play(t, string(script), func(was, is State, _ []Effect) {
			v := View(is)
			s.modes[v.Mode], s.faults[v.Notice] = true, true
			for _, l := range v.Lines {
				s.faults[l.Fault] = true
			}
			if was.Mode != is.Mode {
				s.edges[[2]Mode{was.Mode, is.Mode}] = true
			}
		})
	}
	s.faults[FaultBlocked] = s.modes[ModeBlocked] // a whole screen says it
	return s
}
