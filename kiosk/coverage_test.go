package kiosk

import (
	"slices"
	"strings"
	"testing"
)

// edges are the ways from screen to screen in the transcripts. Each must happen there, and none beside them.
// What trouble, a run of the bin and closing time do to every screen, the tests below tell.
var edges = map[Mode][]Mode{
	ModeAttract:      {ModeItemFirst, ModeWho, ModeReturn, ModeHelp, ModeBin, ModeClosed, ModeOutOfOrder},
	ModeItemFirst:    {ModeAttract, ModeWho, ModeBorrow, ModeHelp, ModeBin, ModeOutOfOrder},
	ModeWho:          {ModeAttract, ModeItemFirst, ModeUnknownCard, ModeBlocked, ModePIN, ModeBorrow, ModeHelp, ModeBorrowingOff},
	ModeUnknownCard:  {ModeAttract, ModeWho, ModeHelp},
	ModeBlocked:      {ModeAttract, ModeItemFirst, ModeWho, ModeReturn, ModeHelp},
	ModePIN:          {ModeAttract, ModeUnknownCard, ModeBlocked, ModeBorrow, ModeHelp, ModeBorrowingOff},
	ModeBorrow:       {ModeBlocked, ModePIN, ModeAccount, ModeFinish, ModeStillThere, ModeHelp, ModeBorrowingOff, ModeOutOfOrder},
	ModeAccount:      {ModeBlocked, ModeBorrow, ModeRenewed, ModeFinish, ModeStillThere, ModeHelp},
	ModeRenewed:      {ModeBlocked, ModeBorrow, ModeFinish, ModeStillThere, ModeHelp},
	ModeReturn:       {ModeAttract, ModeBlocked, ModePIN, ModeBorrow, ModeBye, ModeHelp, ModeBorrowingOff},
	ModeFinish:       {ModeBlocked, ModeBorrow, ModeBye, ModeHelp},
	ModeBye:          {ModeAttract, ModeWho, ModeHelp, ModeBin, ModeAside, ModeClosed, ModeBorrowingOff},
	ModeStillThere:   {ModeBorrow, ModeAccount, ModeRenewed, ModeFinish, ModeBye, ModeHelp},
	ModeHelp:         {ModeAttract, ModeWho, ModePIN, ModeBorrow, ModeAccount, ModeRenewed, ModeReturn, ModeFinish, ModeStillThere},
	ModeBin:          {ModeAttract, ModeItemFirst, ModeWho, ModeAside, ModeClosed, ModeBorrowingOff},
	ModeAside:        {ModeAttract, ModeWho, ModeBin},
	ModeClosed:       {ModeAttract, ModeBin, ModeBorrowingOff, ModeOutOfOrder},
	ModeBorrowingOff: {ModeAttract, ModeReturn, ModeBin, ModeClosed, ModeOutOfOrder},
	ModeOutOfOrder:   {ModeAttract, ModeBin, ModeClosed, ModeBorrowingOff},
}

func TestTheTranscriptsSeeEveryFaultAndScreen(t *testing.T) {
	saw := playAll(t)
	for f := range Faults() {
		if !saw.faults[f] {
			t.Errorf("no transcript shows the fault %q", f)
		}
	}
	for _, m := range Modes() {
		if !saw.modes[m] {
			t.Errorf("no transcript shows the screen %q", m)
		}
	}
}

func TestTheTranscriptsGoEveryWay(t *testing.T) {
	saw := playAll(t)
	for from, tos := range edges {
		for _, to := range tos {
			e := [2]Mode{from, to}
			if !saw.edges[e] {
				t.Errorf("no transcript goes from %s to %s", from, to)
			}
			delete(saw.edges, e)
		}
	}
	for e := range saw.edges {
		t.Errorf("%s -> %s is on no list", e[0], e[1])
	}
}

// ways leads to every screen.
var ways = map[Mode]string{
	ModeAttract:      "> open\n",
	ModeItemFirst:    "> open\n> scan 3001\n",
	ModeWho:          "> open\n> answers wait\n> scan 2001\n",
	ModeUnknownCard:  "> open\n> scan 2999\n",
	ModeBlocked:      "> open\n> scan 2004\n",
	ModePIN:          "> open\n> scan 2010\n> type 97\n",
	ModeBorrow:       "> open\n> scan 2001\n> scan 3001\n",
	ModeAccount:      "> open\n> scan 2002\n> tap account\n",
	ModeRenewed:      "> open\n> scan 2002\n> tap account\n> tap renew_all\n",
	ModeReturn:       "> open\n> tap return\n> scan 3022\n",
	ModeFinish:       "> open\n> scan 2001\n> tap finish\n",
	ModeBye:          "> open\n> scan 2001\n> tap finish\n> tap ok\n",
	ModeStillThere:   "> open\n> scan 2001\n> wait 40s\n",
	ModeHelp:         "> open\n> scan 2001\n> tap help\n",
	ModeBin:          "> open\n> bin 3999\n",
	ModeAside:        "> open\n> bin 3999\n> tap aside\n",
	ModeClosed:       "> now 2026-12-05 10:00:00\n",
	ModeBorrowingOff: "> open\n> journal off\n",
	ModeOutOfOrder:   "> open\n> device desk student absent\n",
}

// visiting tells the screens of a visit, and of an empty room, from those with a rule of their own.
func visiting(m Mode) bool {
	switch m {
	case ModeBin, ModeAside, ModeClosed, ModeBorrowingOff, ModeOutOfOrder:
		return false
	}
	return true
}

func on(t *testing.T, m Mode, script string) *player {
	t.Helper()
	p := run(t, script, nil)
	if p.state.Mode != m {
		t.Fatalf("the way to %s leads to %s:\n%s", m, p.state.Mode, p.out.String())
	}
	return p
}

func TestEveryScreenEndsByItself(t *testing.T) {
	for _, m := range Modes() {
		p := on(t, m, ways[m])
		wait := "> wait 90s\n"
		switch m {
		case ModeBin, ModeAside:
			wait = "> wait 10m\n"
		case ModeClosed:
			wait = "> wait 46h\n" // Saturday at ten to Monday at eight
		case ModeBorrowingOff:
			wait = "> journal on\n"
		case ModeOutOfOrder:
			wait = "> device desk student ready\n"
		}
		p.run(wait)
		if p.state.Mode != ModeAttract {
			t.Errorf("%s is %s in the end", m, p.state.Mode)
		}
		if p.state.Known || p.state.Lines != nil || p.state.New != 0 {
			t.Errorf("%s leaves something of the visit: %+v", m, p.state.Visit)
		}
	}
}

// On every screen a finger finds the way out; only "who" ends before anybody could want it.
func TestEveryScreenHasAnExitByTouch(t *testing.T) {
	for _, m := range Modes() {
		if m == ModeWho || m == ModeClosed || m == ModeBorrowingOff || m == ModeOutOfOrder {
			continue
		}
		p := on(t, m, ways[m])
		for range 4 {
			for _, exit := range []string{"ok", "close_bin", "finish", "back"} {
				if slices.Contains(View(p.state).Actions, exit) {
					p.run("> tap " + exit + "\n")
					break
				}
			}
		}
		if p.state.Mode != ModeAttract && p.state.Mode != ModeBye {
			t.Errorf("no way out of %s but to %s:\n%s", m, p.state.Mode, p.out.String())
		}
	}
}

func TestEveryScreenGivesWayToTrouble(t *testing.T) {
	for _, m := range Modes() {
		for _, trouble := range []struct {
			event, heal string
			mode        Mode
		}{
			{"> journal off\n", "> journal on\n", ModeBorrowingOff},
			{"> device desk student absent\n", "> device desk student ready\n", ModeOutOfOrder},
		} {
			p, rest := on(t, m, ways[m]), ModeAttract
			want := trouble.mode
			switch {
			case m == ModeBye:
				p.run("> wait 3s\n")
			case m == ModeBin || m == ModeAside:
				if rest = m; trouble.mode == ModeOutOfOrder {
					want = m // the bin needs no desk
				}
			case m == ModeBorrowingOff:
				want = ModeBorrowingOff // the worse trouble is the one that shows
				if trouble.mode == ModeOutOfOrder {
					rest = ModeBorrowingOff
				}
			case m == ModeOutOfOrder && trouble.mode == ModeBorrowingOff:
				rest = ModeOutOfOrder
			case m == ModeClosed:
				rest = ModeClosed
			}
			p.run(trouble.event)
			if p.state.Mode != want || p.state.Known || p.state.Account.Patron.ID != "" {
				t.Errorf("%s: after %q it is %s with %+v", m, trouble.event, p.state.Mode, p.state.Visit)
			}
			p.run(trouble.heal)
			if p.state.Mode != rest {
				t.Errorf("%s: healed, it is %s, want %s", m, p.state.Mode, rest)
			}
		}
	}
}

// A visit that ends while the bin is emptied, or after closing time, gives the screen to those.
func TestEveryVisitLeavesTheRoomAsItIs(t *testing.T) {
	for _, m := range Modes() {
		if !visiting(m) {
			continue
		}
		way, _ := strings.CutPrefix(ways[m], "> open\n")
		if m != ModeAttract {
			p := on(t, m, "> open\n> bin 3028\n"+returning(m)+way)
			p.run("> wait 90s\n")
			if p.state.Mode != ModeBin {
				t.Errorf("beside the bin %s ends in %s", m, p.state.Mode)
			}
		}
		p := on(t, m, "> now 2026-12-01 15:59:45\n"+way)
		p.run("> wait 100s\n")
		if p.state.Mode != ModeClosed {
			t.Errorf("at closing time %s ends in %s", m, p.state.Mode)
		}
	}
}

// returning is how a student gets past the bin's screen, which has no student's actions.
func returning(m Mode) string {
	if m == ModeReturn {
		return "> scan 4001\n"
	}
	return ""
}

func TestTheClosedSetsAreClosed(t *testing.T) {
	seen := map[string]bool{}
	code := func(s string) {
		if s == "" || len(s) > 5 || seen[s] {
			t.Errorf("code %q is missing, too long or used twice", s)
		}
		seen[s] = true
	}
	for f := range Faults() {
		code(f.Code())
	}
	for _, a := range Alarms() {
		code(string(a))
	}
	modes := map[Mode]bool{}
	for _, m := range Modes() {
		if modes[m] || ways[m] == "" {
			t.Errorf("%s is on the list twice, or no way leads there", m)
		}
		modes[m] = true
	}
	if Fault("").Code() != "" {
		t.Error("no fault has a code")
	}
}
