package web

import (
	"circdesk/kiosk"
)

// A Slip is a kiosk.Print in words.
type Slip struct {
	Title   string
	Rows    []SlipRow
	Barcode string // to be printed as one; empty: none
	Foot    string
}

// A SlipRow is one line: text, and what stands at its end.
type SlipRow struct {
	Left, Right string
	Bold        bool
}

// slipEms is how much of a title goes on paper.
const slipEms = 40

// Slip puts what is to be printed into words. No slip holds a name: who waits for a book is the last
// four characters of a card.
func (s *Server) Slip(p kiosk.Print) Slip {
	c, ok := s.catalogues[p.Lang]
	if !ok {
		c = s.catalogues[s.o.Languages[0]]
	}
	w := scribe{catalogue: c, today: kiosk.DateOf(p.At)}
	slip := Slip{Title: c.show(sentence{id: "slip." + string(p.Slip)}), Foot: s.o.Name + ", " + c.day(kiosk.DateOf(p.At), true) + ", " + c.time(p.At)}
	if p.For != "" {
		slip.Rows = append(slip.Rows, SlipRow{Left: clean(p.For, slipEms), Bold: true})
	}
	for _, l := range p.Lines {
		row := SlipRow{Left: clean(l.Title, slipEms), Right: lastFour(l.Tail)}
		switch p.Slip {
		case kiosk.SlipReceipt:
			row.Right = w.show(w.due("slip.due", l.Due))
		case kiosk.SlipShelving:
			row.Left, row.Right = clean(l.CallNumber, slipEms)+"  "+row.Left, lastFour(l.Tail)
		}
		slip.Rows = append(slip.Rows, row)
	}
	if p.Slip == kiosk.SlipReceipt {
		slip.Rows = append(slip.Rows, SlipRow{Left: c.show(sentence{id: "finish.all", n: p.All}), Bold: true})
	}
	if (p.Slip == kiosk.SlipHold || p.Slip == kiosk.SlipRouting) && len(p.Lines) == 1 {
		slip.Barcode = clean(string(p.Lines[0].Item), slipEms)
	}
	return slip
}
