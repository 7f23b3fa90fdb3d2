package main

import (
	"strings"

	"circdesk/cmd/kioskd/config"
	"circdesk/devices/barcode"
	"circdesk/kiosk"
)

// rulesOf puts the config's rules into the words of barcode; without any, the built-in ones count.
func rulesOf(list []config.Barcode) []barcode.Rule {
	if list == nil {
		return barcode.DefaultRules()
	}
	var rules []barcode.Rule
	for _, b := range list {
		rules = append(rules, barcode.Rule{
			Name: b.Name, Pattern: b.Pattern, Rewrite: b.Rewrite, Symbologies: b.Symbologies, Roles: b.Roles,
			Fallback: b.Fallback, Check: barcode.Check(b.Check), Strict: b.Strict, Strip: b.Strip, Kind: barcode.Kind(b.Kind),
		})
	}
	return rules
}

// scanned puts what a scanner read into the core's words.
func scanned(r barcode.Reading, source string, role kiosk.Role) kiosk.Scanned {
	ev := kiosk.Scanned{Source: source, Role: role, Code: r.Text}
	switch r.Problem {
	case "":
	case barcode.ProblemISBN:
		ev.Problem = kiosk.FaultISBN
	default:
		ev.Problem = kiosk.FaultUnreadable
	}
	if ev.Problem != "" {
		return ev
	}
	foreign := true // and so is a code that no rule knows
	for _, m := range r.Meanings {
		switch {
		case m.Kind == barcode.Patron && ev.Patron == "":
			ev.Patron = kiosk.PatronID(m.ID)
		case m.Kind == barcode.Item && ev.Item == "":
			ev.Item = kiosk.ItemID(m.ID)
		case m.Kind == barcode.Command && ev.Command == "":
			ev.Command = strings.ToLower(m.ID)
		}
		foreign = foreign && m.Kind == barcode.Foreign
	}
	if foreign {
		ev.Problem = kiosk.FaultNotOurs
	}
	return ev
}
