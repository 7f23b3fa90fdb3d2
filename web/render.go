package web

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"circdesk/kiosk"
)

// A Document is one snapshot of the page, sent whole (design section 6, "The page's document").
// All words in it are finished; the page adds none.
type Document struct {
	V       int      `json:"v"`    // version of this form: 1
	Boot    string   `json:"boot"` // another one: the page loads itself anew
	Page    string   `json:"page"` // hash of the page's files; likewise
	Seq     uint64   `json:"seq"`
	T       string   `json:"t"` // when it was drawn, RFC 3339 in the site's zone
	Screen  string   `json:"screen"`
	Lang    string   `json:"lang"`
	Dir     string   `json:"dir"` // ltr or rtl
	Offline bool     `json:"offline"`
	Session uint64   `json:"session"`
	Model   Model    `json:"model"`
	Speech  []string `json:"speech"` // the screen for the ear, in order
	Events  []Sound  `json:"events"` // the last eight
}

// A Model is what the screen shows.
type Model struct {
	Greeting string         `json:"greeting"` // first name or nickname
	Heading  string         `json:"heading"`
	Text     string         `json:"text,omitempty"`    // the sentence under the heading
	Code     string         `json:"code,omitempty"`    // of the trouble that the screen tells, for staff
	Ready    string         `json:"ready,omitempty"`   // holds that wait for the patron
	Typed    int            `json:"typed,omitempty"`   // digits of the PIN; which ones never leave the desk
	Waiting  string         `json:"waiting,omitempty"` // books that wait for the PIN
	Items    []Item         `json:"items"`             // at most 12
	First    int            `json:"first"`             // of Items: the first of the page shown
	Counts   map[string]int `json:"counts"`
	Bins     []Bin          `json:"bins,omitempty"` // the bin's counts by outcome
	Notice   Notice         `json:"notice"`
	Seconds  int            `json:"seconds"`
	Opens    string         `json:"opens,omitempty"` // ISO 8601
	Actions  []Action       `json:"actions"`         // the primary one first
	Alarms   []Alarm        `json:"alarms,omitempty"`
	Cloud    string         `json:"cloud,omitempty"` // name of the cloud that says offline
}

// An Item is one line or card. Its barcode never leaves; Tail is its last four characters.
type Item struct {
	Key     string `json:"key"`
	Outcome string `json:"outcome"`
	Title   string `json:"title"`
	Tail    string `json:"tail"`
	Due     string `json:"due"` // ISO 8601: a date, or a date-time with offset
	Text    string `json:"text"`
	Fault   string `json:"fault"`
	Word    string `json:"word,omitempty"` // the outcome in a word
	Call    string `json:"call,omitempty"` // call number
	Code    string `json:"code,omitempty"` // of the fault, for staff
	Late    bool   `json:"late,omitempty"`
	Renew   string `json:"renew,omitempty"` // the action that renews it
	Clear   string `json:"clear,omitempty"` // the action that takes it off the tray
	Look    string `json:"look,omitempty"`  // how it is drawn, where that is not as the outcome
}

// A Bin is one count of a bin run.
type Bin struct {
	Outcome string `json:"outcome"`
	Word    string `json:"word"`
	N       int    `json:"n"`
}

// A Notice is the sentence to show now, or empty.
type Notice struct {
	Fault string `json:"fault"`
	Text  string `json:"text"`
	Code  string `json:"code,omitempty"` // for staff
	Look  string `json:"look,omitempty"` // how it is drawn: as an outcome, or wait
}

// An Action is something to tap.
type Action struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // what is done: the id without its argument, "before" and "more" for pages
	Text string `json:"text"`
	Lang string `json:"lang,omitempty"` // of Text, where it is another than the page's
}

// An Alarm is a standing trouble, for staff.
type Alarm struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// A Sound is an audible event; the page plays each id once.
type Sound struct {
	ID   uint64 `json:"id"`
	Kind string `json:"kind"`
}

// The bounds of a document. Whatever a Screen holds, JSON stays below maxDocument bytes.
const (
	maxItems    = 12
	maxActions  = 24
	maxEvents   = 8
	maxDocument = 16 << 10
)

// A scribe puts one Screen into words.
type scribe struct {
	*catalogue
	s     kiosk.Screen
	today kiosk.Date
	names map[string]string // of the other languages, in their own script
}

// document draws s in the words of c, as of now. names gives each language's own name.
func (c *catalogue) document(s kiosk.Screen, now time.Time, names map[string]string) Document {
	w := scribe{c, s, kiosk.DateOf(now), names}
	d := Document{
		V: 1, Seq: s.Seq, T: now.Format("2006-01-02T15:04:05.000Z07:00"),
		Screen: string(s.Mode), Lang: c.code, Dir: c.Dir, Offline: s.Offline, Session: s.Session,
		Events: []Sound{}, Speech: []string{},
	}
	for _, h := range s.Sounds[max(0, len(s.Sounds)-maxEvents):] {
		d.Events = append(d.Events, Sound{h.ID, string(h.Kind)})
	}
	heading, text := w.head()
	d.Model = w.model(heading, text)
	d.Speech = w.speech(heading, text, d.Model)
	return d
}

func (w scribe) model(heading, text sentence) Model {
	m := Model{
		Greeting: clean(w.s.Greeting, nameEms), Heading: w.show(heading), Text: w.show(text),
		Counts: w.counts(), Bins: w.bins(), Seconds: w.s.Seconds, Actions: w.actions(), Alarms: w.alarms(),
	}
	m.Items, m.First = w.items()
	if w.s.Mode == kiosk.ModeBorrowingOff || w.s.Mode == kiosk.ModeOutOfOrder {
		m.Code = kiosk.Fault(w.s.Mode).Code()
	}
	if f := w.s.Notice; f != "" {
		m.Notice = Notice{string(f), w.show(sentence{id: "fault." + string(f)}), f.Code(), look(f)}
	}
	if w.s.Ready > 0 && w.s.Mode == kiosk.ModeBorrow {
		m.Ready = w.show(sentence{id: "borrow.ready", n: w.s.Ready})
	}
	if w.s.Mode == kiosk.ModePIN {
		m.Typed, m.Waiting = w.s.Typed, w.show(w.waiting())
	}
	if !w.s.Opens.IsZero() {
		m.Opens = w.s.Opens.Format(time.RFC3339)
	}
	if w.s.Offline {
		m.Cloud = w.show(sentence{id: "offline"})
	}
	return m
}

// look is how the sentence of a fault is drawn. Few are good news or a matter of waiting.
func look(f kiosk.Fault) string {
	switch f {
	case kiosk.FaultLayFlat, kiosk.FaultScanCard:
		return "wait"
	case kiosk.FaultCardLinked:
		return string(kiosk.OutcomeLoan)
	}
	return string(kiosk.OutcomeRefused)
}

// head is what a screen says first, and the sentence under it.
func (w scribe) head() (heading, text sentence) {
	mode, lines := string(w.s.Mode), len(w.s.Lines)
	heading = sentence{id: mode + ".heading"}
	switch w.s.Mode {
	case kiosk.ModeAttract:
		text.id = "attract.text"
	case kiosk.ModeItemFirst:
		text = sentence{id: "item_first.text", n: lines}
	case kiosk.ModeUnknownCard, kiosk.ModeBlocked:
		heading.id = "fault." + mode
	case kiosk.ModePIN:
		text = sentence{id: either(w.s.Typed == 0, "", "pin.typed"), n: w.s.Typed}
	case kiosk.ModeBorrowingOff, kiosk.ModeOutOfOrder:
		heading.id = "fault." + mode
		if w.s.New > 0 {
			text = sentence{id: "saved", n: w.s.New}
		}
	case kiosk.ModeBorrow:
		heading = sentence{id: either(w.s.Greeting != "", "borrow.hello", "borrow.nobody"), name: clean(w.s.Greeting, nameEms)}
		text = sentence{id: either(lines == 0, "borrow.empty", "borrow.all"), n: w.s.All}
	case kiosk.ModeAccount:
		heading = sentence{id: either(w.s.All == 0, "account.none", "account.heading"), n: w.s.All}
	case kiosk.ModeReturn:
		heading.id = either(lines == 0, "return.heading", "return.thanks")
	case kiosk.ModeFinish:
		heading = sentence{id: either(w.s.New == 0, "finish.none", "finish.heading"), n: w.s.New}
		text = sentence{id: "finish.all", n: w.s.All}
	case kiosk.ModeBye:
		text.id = either(w.s.New == 0, "bye.none", "bye.books")
	case kiosk.ModeStillThere:
		text = sentence{id: "still_there.text", n: w.s.Seconds}
	case kiosk.ModeHelp:
		text.id = "help.text"
	case kiosk.ModeBin:
		text.id = either(lines == 0, "bin.text", "")
	case kiosk.ModeAside:
		heading = sentence{id: either(w.s.Aside == 0, "aside.none", "aside.heading"), n: w.s.Aside}
	case kiosk.ModeClosed:
		text = sentence{id: either(w.s.Opens.IsZero(), "closed.unknown", "closed.opens"), day: kiosk.DateOf(w.s.Opens), at: w.s.Opens}
	}
	return heading, text
}

// waiting says how many books are lent when the PIN is right.
func (w scribe) waiting() sentence {
	n := 0
	for _, l := range w.s.Lines {
		if l.Outcome == "" {
			n++
		}
	}
	return sentence{id: either(n == 0, "", "item_first.text"), n: n}
}

func either(cond bool, yes, no string) string {
	if cond {
		return yes
	}
	return no
}

// items is a window of the lines around the page shown, and where in it that page begins.
func (w scribe) items() ([]Item, int) {
	lines := w.s.Lines
	from := max(0, min(w.s.First, len(lines))-maxItems/2)
	to := min(len(lines), from+maxItems)
	items := []Item{}
	for _, l := range lines[from:to] {
		items = append(items, w.item(l))
	}
	return items, max(0, min(w.s.First, len(lines))-from)
}

func (w scribe) item(l kiosk.Line) Item {
	i := Item{
		Key: sweep(l.Key), Outcome: string(l.Outcome), Title: clean(l.Title, w.room(l)), Tail: lastFour(l.Tail),
		Due: l.Due.String(), Text: w.show(w.line(l)), Fault: string(l.Fault), Call: clean(l.CallNumber, callEms),
		Code: l.Fault.Code(), Late: l.Late,
	}
	if l.Outcome != kiosk.OutcomeRefused && l.Fault == kiosk.FaultLayFlat {
		i.Look = look(l.Fault)
	}
	if l.Outcome != "" {
		i.Word = w.show(sentence{id: "outcome." + string(l.Outcome)})
	}
	if renew := "renew:" + l.Key; l.Key != "" && slices.Contains(w.s.Actions, renew) {
		i.Renew = renew
	}
	if clear := "clear:" + l.Key; l.Key != "" && slices.Contains(w.s.Actions, clear) {
		i.Clear = clear
	}
	return i
}

// room is how wide a line's title may be.
func (w scribe) room(l kiosk.Line) float64 {
	switch w.s.Mode {
	case kiosk.ModeAccount, kiosk.ModeRenewed, kiosk.ModeAside:
		return rowEms
	case kiosk.ModeBin:
		return binEms
	}
	if l.Outcome == kiosk.OutcomeRefused || l.Fault == kiosk.FaultLayFlat {
		return rowEms
	}
	return cardEms
}

// line is what is said of one item.
func (w scribe) line(l kiosk.Line) sentence {
	switch {
	case (w.s.Mode == kiosk.ModeItemFirst || w.s.Mode == kiosk.ModePIN) && l.Outcome == "":
		return sentence{}
	case w.s.Mode == kiosk.ModeAccount:
		return w.due(either(l.Late, "line.late", "line.due"), l.Due)
	case w.s.Mode == kiosk.ModeRenewed && (l.Fault == kiosk.FaultNoRenewal || l.Fault == kiosk.FaultRenewalHold):
		return sentence{id: "line." + string(l.Fault)}
	case l.Fault != "":
		return sentence{id: "fault." + string(l.Fault)}
	case w.s.Mode == kiosk.ModeBin || w.s.Mode == kiosk.ModeAside:
		return sentence{id: "bin." + string(l.Outcome)}
	}
	switch l.Outcome {
	case kiosk.OutcomeLoan:
		return w.due("line.due", l.Due)
	case kiosk.OutcomeRenewal:
		return w.due("line.new_day", l.Due)
	case kiosk.OutcomeDuplicate:
		return w.due("line.yours", l.Due)
	case kiosk.OutcomeReturn, kiosk.OutcomeAlreadyIn:
		return sentence{id: "line.cart"}
	}
	return sentence{id: "line.desk"}
}

// due fills in a day or, for loans of hours, the time: today's as such, and of another day where
// there is room for both. It says to ask where the clock cannot be trusted.
func (w scribe) due(id string, d kiosk.Due) sentence {
	switch {
	case w.s.Provisional || d.IsZero():
		return sentence{id: "line.ask"}
	case d.At.IsZero():
	case d.Day == w.today:
		id += "_today"
	case w.s.Mode != kiosk.ModeAccount:
		id += "_at"
	}
	return sentence{id: id, day: d.Day, at: d.At}
}

func (w scribe) counts() map[string]int {
	n := map[string]int{"new": w.s.New, "all": w.s.All}
	if w.s.Mode == kiosk.ModeBin || w.s.Mode == kiosk.ModeAside {
		n["read"], n["aside"] = w.s.Tally.All(), w.s.Aside
		for _, b := range tally(w.s.Tally) {
			n[b.Outcome] = b.N
		}
	}
	return n
}

// bins is the tally of a bin run: what has been counted, and the shelf always.
func (w scribe) bins() []Bin {
	if w.s.Mode != kiosk.ModeBin {
		return nil
	}
	var bins []Bin
	for _, b := range tally(w.s.Tally) {
		if b.N > 0 || b.Outcome == string(kiosk.OutcomeReturn) {
			b.Word = w.show(sentence{id: "outcome." + b.Outcome})
			bins = append(bins, b)
		}
	}
	return bins
}

// tally is a Tally in the order in which the counts stand on the screen.
func tally(t kiosk.Tally) []Bin {
	return []Bin{
		{string(kiosk.OutcomeReturn), "", t.Return}, {string(kiosk.OutcomeHold), "", t.Hold},
		{string(kiosk.OutcomeTransfer), "", t.Transfer}, {string(kiosk.OutcomeRepair), "", t.Repair},
		{string(kiosk.OutcomeFound), "", t.Found}, {string(kiosk.OutcomeAlreadyIn), "", t.AlreadyIn},
		{string(kiosk.OutcomeUnknown), "", t.Unknown}, {string(kiosk.OutcomeNotOurs), "", t.NotOurs},
		{string(kiosk.OutcomeIncomplete), "", t.Incomplete}, {string(kiosk.OutcomeRefused), "", t.Refused},
		{string(kiosk.OutcomeDuplicate), "", t.Duplicate},
	}
}

// actions are the things to tap, each with its words. Those of single lines stand in the lines.
func (w scribe) actions() []Action {
	list := []Action{}
	for _, id := range w.s.Actions {
		if a := w.action(id); a.Text != "" && len(list) < maxActions {
			list = append(list, a)
		}
	}
	return list
}

func (w scribe) action(id string) Action {
	kind, arg, _ := strings.Cut(id, ":")
	switch kind {
	case "language":
		if arg == w.code {
			return Action{}
		}
		return Action{id, kind, w.names[arg], arg}
	case "digit":
		n, _ := strconv.Atoi(arg) // the core's own
		return Action{ID: id, Kind: kind, Text: w.show(sentence{id: "action.digit", n: n})}
	case "page":
		first, err := strconv.Atoi(arg)
		kind = either(err == nil && first < w.s.First, "before", "more")
	}
	return Action{ID: id, Kind: kind, Text: w.show(sentence{id: "action." + kind})}
}

func (w scribe) alarms() []Alarm {
	var list []Alarm
	for _, a := range w.s.Alarms {
		code := string(a.Alarm)
		list = append(list, Alarm{code, w.show(sentence{id: "alarm." + code})})
	}
	return list
}

// speech is the screen for the ear: what it says, then what has just happened.
func (w scribe) speech(heading, text sentence, m Model) []string {
	said := []string{w.speak(heading), w.speak(text)}
	if w.s.Notice != "" {
		said = append(said, m.Notice.Text)
	}
	if m.Ready != "" {
		said = append(said, m.Ready)
	}
	if m.Waiting != "" {
		said = append(said, m.Waiting)
	}
	for _, l := range w.spoken() {
		said = append(said, clean(l.Title, cardEms), w.speak(w.line(l)))
	}
	out := []string{}
	for _, s := range said {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// spoken are the lines read out: those of a list's page, else the newest one.
func (w scribe) spoken() []kiosk.Line {
	from, n := 0, 1
	switch w.s.Mode {
	case kiosk.ModeAccount, kiosk.ModeRenewed, kiosk.ModeAside:
		from, n = min(w.s.First, len(w.s.Lines)), 3
	}
	return w.s.Lines[from:min(len(w.s.Lines), from+n)]
}

// encode is a Document as it is sent. HTML needs no escaping here: the page never parses any.
func (d Document) encode() ([]byte, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
