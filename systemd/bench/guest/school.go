package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"circdesk/cmd/kioskd/sample"
)

var (
	//go:embed kiosk.toml
	kioskTOML string
	//go:embed policy.toml
	policyTOML string
)

// The configuration, and where the bench keeps what it must remember.
const (
	configFolder = "/etc/circdesk"
	usedBooks    = "/root/bench-books"
	promised     = "/root/bench-promised"
)

// writeConfig writes the desk's configuration. The twins' ports are known once their buses are there.
func writeConfig() error {
	if err := loadDrivers(); err != nil {
		return err
	}
	left, err := portOf(leftPort)
	if err != nil {
		return err
	}
	right, err := portOf(rightPort)
	if err != nil {
		return err
	}
	text := strings.NewReplacer("LEFT-PORT", left, "RIGHT-PORT", right).Replace(kioskTOML)
	return errors.Join(
		os.WriteFile(filepath.Join(configFolder, "kiosk.toml"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(configFolder, "policy.toml"), []byte(policyTOML), 0o644))
}

// school is the sample as it is today.
func school() sample.Files { return sample.School(time.Now().UTC().Format(time.DateOnly)) }

// importSchool loads it as a technician would.
func importSchool(ctx context.Context) error {
	files := school()
	for _, f := range []struct {
		kind string
		text []byte
	}{{"patrons", files.Patrons}, {"copies", files.Copies}} {
		c := exec.CommandContext(ctx, "kioskctl", "import", f.kind, "-")
		c.Stdin = bytes.NewReader(f.text)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("import %s: %w\n%s", f.kind, err, out)
		}
	}
	return nil
}

// A cast is who may borrow and what has not been borrowed yet.
type cast struct {
	people []person
	books  []string
	next   int // of people
}

// A person has a card with a bar code and a chip.
type person struct{ code, uid string }

// hire reads the school: students in good standing, and books that stand on the shelf.
func (c *cast) hire() error {
	files := school()
	people, err := rows(files.Patrons)
	if err != nil {
		return err
	}
	for _, p := range people {
		if p["patron_type"] == "student" && p["status"] == "A" && p["card_uid"] != "" && p["expires"] >= time.Now().Format(time.DateOnly) {
			c.people = append(c.people, person{p["barcode"], p["card_uid"]})
		}
	}
	books, err := rows(files.Copies)
	if err != nil {
		return err
	}
	used, err := os.ReadFile(usedBooks)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, p := range books {
		if p["circ_type"] == "regular" && p["site"] == sample.Site && p["status"] == "available" && !bytes.Contains(used, []byte(p["barcode"])) {
			c.books = append(c.books, p["barcode"])
		}
	}
	if len(c.people) < 20 || len(c.books) < 100 {
		return fmt.Errorf("the school has %d people and %d books for the stories", len(c.people), len(c.books))
	}
	return nil
}

// person is the next one's turn.
func (c *cast) person() person {
	p := c.people[c.next%len(c.people)]
	c.next++
	return p
}

// book is one that nobody has borrowed yet. That it is taken outlives this program.
func (c *cast) book() (string, error) {
	if len(c.books) == 0 {
		return "", errors.New("all books are out")
	}
	code := c.books[0]
	c.books = c.books[1:]
	f, err := os.OpenFile(usedBooks, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	_, err = fmt.Fprintln(f, code)
	return code, errors.Join(err, f.Sync(), f.Close()) // the power will be cut
}

// rows reads a CSV file by its header.
func rows(text []byte) ([]map[string]string, error) {
	all, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []map[string]string
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = r[i]
		}
		out = append(out, row)
	}
	return out, nil
}

// save and load keep a value over the power cut.
func save(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func load(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
