package web

import (
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// pictures are the scenes of the README, by file name.
func pictures() []struct {
	scene, lang string
	large       bool
} {
	return []struct {
		scene, lang string
		large       bool
	}{
		{"attract", "en", false}, {"borrow-three", "en", false}, {"borrow-refused-on_hold", "en", false}, {"account-first", "en", false},
		{"return-cart", "en", false}, {"finish", "en", false}, {"still-there", "en", false}, {"bin-hold", "en", false}, {"aside", "en", false},
		{"pin", "en", false}, {"closed", "en", false}, {"borrow-refused-on_hold", "es", false}, {"attract", "es", true}, {"borrow-three", "en", true},
	}
}

// TestPictures looks whether the main screens are drawn at all; with CIRCDESK_SCREENSHOTS it writes
// them into screens/ for the README.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("CIRCDESK_SCREENSHOTS") != "" {
		dir = "screens"
	}
	g := open(t)
	g.StillLife()
	for _, p := range pictures() {
		panel := panels()[0]
		if p.large {
			panel = panels()[1]
		}
		g.SetSize(panel.width, panel.height)
		g.show(sceneOf(t, p.scene), p.lang)
		file := filepath.Join(dir, p.scene+"-"+p.lang+"-"+panel.name+".png")
		g.Screenshot(file)
		if share, colours := judge(t, file, panel); share > 0.9 || colours < 20 {
			t.Errorf("%s is blank: %d colours, one fills %.0f %%", file, colours, share*100)
		}
	}
	g.Navigate("about:blank") // the control of this test
	g.Ready()
	file := filepath.Join(t.TempDir(), "blank.png")
	g.Screenshot(file)
	if share, colours := judge(t, file, panels()[1]); share <= 0.9 && colours >= 20 {
		t.Errorf("an empty page passes: %d colours, one fills %.0f %%", colours, share*100)
	}
}

// judge gives the share of the commonest colour of a picture, and how many colours it has.
func judge(t *testing.T, file string, p panel) (share float64, colours int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	size := m.Bounds().Size()
	if size.X != p.width || size.Y != p.height {
		t.Errorf("%s is %v", file, size)
	}
	count := map[color.Color]int{}
	most := 0
	for y := range size.Y {
		for x := range size.X {
			c := m.At(x, y)
			count[c]++
			most = max(most, count[c])
		}
	}
	return float64(most) / float64(size.X*size.Y), len(count)
}
