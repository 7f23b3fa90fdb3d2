package kiosk

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tapped is a touch on the page. One that was meant for a screen before this one, or that is the same
// finger once more, counts for nothing.
func (k *step) tapped(ev Tapped) {
	switch {
	case k.Mode != k.was.Mode || ev.Seq < k.Since.Seq || ev.Seq > k.Seq || ev.Session != k.session():
	case k.At.Sub(k.Since.At) < tapThrough:
	case ev.ID == k.Tap && k.At.Sub(k.TapAt) < k.tapAgain():
	case !slices.Contains(k.actions(), ev.ID):
	default:
		k.Tap, k.TapAt = ev.ID, k.At
		k.clearNotice()
		k.act(ev.ID)
	}
}

// act does what an action's id says, if the screen offers it.
func (k *step) act(id string) {
	if !slices.Contains(k.actions(), id) {
		k.sound(SoundDuplicate)
		return
	}
	kind, arg, _ := strings.Cut(id, ":")
	switch kind {
	case "language":
		k.Lang, k.Chosen = arg, true
		k.Until = k.deadline(k.Mode)
	case "return":
		k.beginReturn()
	case "account":
		k.show(ModeAccount)
	case "renew_all":
		k.renewSome("")
	case "renew":
		k.renewSome(arg)
	case "digit":
		k.typeDigit(arg)
	case "erase":
		k.eraseDigit()
	case "more_time":
		k.show(k.Back)
	case "help":
		k.callHelp(k.Mode)
	case "finish":
		k.finish()
	case "ok":
		k.ok()
	case "back":
		k.back()
	case "page":
		k.page(arg)
	case "aside":
		k.Bin.Looking, k.Bin.First = true, 0
		k.show(ModeAside)
	case "clear":
		k.Bin.Aside = slices.DeleteFunc(slices.Clone(k.Bin.Aside), func(l Line) bool { return l.Key == arg })
		k.Bin.First = min(k.Bin.First, max(0, len(k.Bin.Aside)-1)/rows*rows)
	case "print":
		k.printReceipt()
		k.bye()
	case "no_print":
		k.bye()
	case "close_bin":
		k.printShelving()
		k.Bin = Bin{}
		k.leave()
	}
}

// beginReturn begins a visit without a card: whoever gives a book back needs none.
func (k *step) beginReturn() {
	k.Sessions++
	k.Visit = Visit{Session: k.Sessions, Lang: k.Lang, Chosen: k.Chosen}
	k.show(ModeReturn)
}

// ok agrees with what the screen says.
func (k *step) ok() {
	if k.Mode == ModePIN {
		k.verify()
		return
	}
	k.bye()
	k.sound(SoundBye)
}

// finish asks whether that was all, of whoever has a card.
func (k *step) finish() {
	if !k.Known {
		k.bye()
		k.sound(SoundBye)
		return
	}
	k.show(ModeFinish)
	k.sound(SoundOK)
}

func (k *step) back() {
	switch {
	case k.Mode == ModeAside:
		k.Bin.Looking = false
		k.show(ModeBin)
	case k.Mode == ModeAccount || k.Mode == ModeRenewed:
		k.show(ModeBorrow)
	case k.Mode == ModeHelp && k.inVisit():
		k.show(k.Back)
	default:
		k.leave()
	}
}

// page turns a list.
func (k *step) page(arg string) {
	first, err := strconv.Atoi(arg)
	if err != nil {
		return
	}
	if k.Mode == ModeAside {
		k.Bin.First = first
		return
	}
	k.First, k.Until = first, k.deadline(k.Mode)
}

// session is the number that the page knows the present visit or run by.
func (s State) session() uint64 {
	if s.Mode == ModeBin || s.Mode == ModeAside {
		return s.Bin.Session
	}
	return s.Session
}

// actions are the ids that a tap may send now, the primary one first.
func (s State) actions() []string {
	switch s.Mode {
	case ModeBin:
		return []string{"aside", "close_bin"}
	case ModeAside:
		return s.asideActions()
	case ModeBorrowingOff, ModeOutOfOrder, ModeClosed:
		return append(s.own(), s.languages()...)
	}
	return append(append(s.own(), s.languages()...), "help")
}

// own are the actions of a student's screen beside the tools that all have.
func (s State) own() []string {
	switch s.Mode {
	case ModeAttract:
		return []string{"return"}
	case ModeBorrowingOff:
		if s.Writable && s.Reserve {
			return []string{"return"}
		}
	case ModeItemFirst, ModeUnknownCard, ModeHelp:
		return []string{"back"}
	case ModeBlocked:
		return []string{"return", "back"}
	case ModePIN:
		return s.pinActions()
	case ModeBorrow:
		return []string{"finish", "account"}
	case ModeAccount:
		return s.accountActions()
	case ModeRenewed:
		return append([]string{"finish", "back"}, pages(len(s.Lines), s.First)...)
	case ModeReturn:
		return []string{"finish"}
	case ModeFinish:
		if s.prints() && len(s.receiptLines()) > 0 {
			return []string{"print", "no_print"}
		}
		return []string{"ok"}
	case ModeStillThere:
		return []string{"more_time", "finish"}
	}
	return nil
}

func (s State) languages() []string {
	if len(s.Setup.Languages) < 2 {
		return nil
	}
	var ids []string
	for _, code := range s.Setup.Languages {
		ids = append(ids, "language:"+code)
	}
	return ids
}

func (s State) accountActions() []string {
	ids := []string{"finish"}
	lines := s.accountLines()
	if slices.ContainsFunc(lines, func(l Line) bool { return l.Can }) {
		ids = append(ids, "renew_all")
	}
	ids = append(ids, "back")
	for _, l := range onPage(lines, s.First) {
		if l.Can {
			ids = append(ids, "renew:"+l.Key)
		}
	}
	return append(ids, pages(len(lines), s.First)...)
}

func (s State) asideActions() []string {
	ids := append([]string{"back"}, pages(len(s.Bin.Aside), s.Bin.First)...)
	for _, l := range onPage(s.Bin.Aside, s.Bin.First) {
		ids = append(ids, "clear:"+l.Key)
	}
	return ids
}

// pages are the actions that turn a list of n lines: back and on.
func pages(n, first int) []string {
	var ids []string
	if first > 0 {
		ids = append(ids, fmt.Sprintf("page:%d", max(0, first-rows)))
	}
	if first+rows < n {
		ids = append(ids, fmt.Sprintf("page:%d", first+rows))
	}
	return ids
}

func onPage(lines []Line, first int) []Line {
	first = min(first, len(lines))
	return lines[first:min(len(lines), first+rows)]
}
