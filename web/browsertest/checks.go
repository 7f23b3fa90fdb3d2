package browsertest

import (
	_ "embed"
	"encoding/json"
)

//go:embed testdata/axe.min.js
var axe string

//go:embed geometry.js
var geometry string

// Axe runs axe-core over the page and returns its violations, each as rule, impact and element.
// axe is the floor and never the proof: it sees no cut-off text.
func (p *Page) Axe() []string {
	p.t.Helper()
	var there bool
	p.Eval("typeof axe === 'object'", &there)
	if !there {
		p.Eval(axe, nil)
	}
	var found []string
	p.Eval(`axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.flatMap(v =>
		v.nodes.map(n => v.id + ' (' + v.impact + '): ' + n.html.slice(0, 160) + ' ' + (n.failureSummary ?? '').slice(0, 300))))`, &found)
	return found
}

// A Ruler says how large things must be. Sizes are in millimetres of the panel.
type Ruler struct {
	PxPerMM float64 `json:"pxPerMM"`
	Capital float64 `json:"capital"` // least height of a capital letter
	Target  float64 `json:"target"`  // least width and height of what can be tapped
}

// Geometry measures the page: text that is clipped, covered or too small, targets that are too small
// or overlap, content that runs out of the screen. It returns what it finds.
func (p *Page) Geometry(r Ruler) []string {
	p.t.Helper()
	rules, err := json.Marshal(r)
	if err != nil {
		p.t.Fatal(err)
	}
	var found []string
	p.Eval("("+geometry+")("+string(rules)+")", &found)
	return found
}
