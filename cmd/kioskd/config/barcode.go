package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// aim are the letters of AIM's symbology identifiers (ISO/IEC 15424).
const aim = "ACEFGHILMQSXZdez"

func readBarcodes(tables []*table) []Barcode {
	var all []Barcode
	names := map[string]string{}
	for _, t := range tables {
		letters := strings.Split(aim, "")
		b := Barcode{
			Name:        value(t, "name", "", text),
			Pattern:     required(t, "pattern", pattern),
			Kind:        required(t, "kind", oneOf("patron", "item", "isbn", "command", "foreign")),
			Symbologies: strings.Join(list(t, "symbology", oneOf(letters...)), ""),
			Roles:       list(t, "roles", oneOf("student", "bin", "staff")),
			Check:       value(t, "check", "none", oneOf("none", "luhn", "mod10", "mod43", "mod16")),
			Strict:      value(t, "strict", false, boolean),
			Strip:       value(t, "strip", false, boolean),
			Rewrite:     value(t, "rewrite", "", line),
			Fallback:    value(t, "fallback", false, boolean),
		}
		unique(t, "name", b.Name, names)
		for key, on := range map[string]bool{"strict": b.Strict, "strip": b.Strip} {
			if on && b.Check == "none" {
				t.complain(join(t.path, key), "is about a check digit, but there is no check")
			}
		}
		checkGroups(t, b)
		t.end()
		all = append(all, b)
	}
	return all
}

// pattern reads a regular expression for whole codes.
func pattern(raw any) (string, error) {
	s, err := line(raw)
	if err != nil {
		return "", err
	}
	for _, expr := range []string{s, `\A(?:` + s + `)\z`} {
		if _, err := regexp.Compile(expr); err != nil {
			return "", fmt.Errorf("is not a pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	return s, nil
}

// checkGroups complains unless it is clear which part of a code is the number.
func checkGroups(t *table, b Barcode) {
	if b.Pattern == "" {
		return
	}
	re := regexp.MustCompile(b.Pattern)
	if !t.has("rewrite") && re.NumSubexp() > 1 {
		t.complain(join(t.path, "pattern"), "%#q has %d groups; without a rewrite it may have one", b.Pattern, re.NumSubexp())
	}
	for _, group := range groups(b.Rewrite) {
		if n, err := strconv.Atoi(group); err == nil && n <= re.NumSubexp() {
			continue
		}
		if !slices.Contains(re.SubexpNames(), group) {
			t.complain(join(t.path, "rewrite"), "$%s is not a group of the pattern %#q", group, b.Pattern)
		}
	}
}

// groups are the names and numbers that a rewrite uses.
func groups(rewrite string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`\$\$|\$(?:(\w+)|\{(\w+)\})`).FindAllStringSubmatch(rewrite, -1) {
		if name := m[1] + m[2]; name != "" {
			names = append(names, name)
		}
	}
	return names
}
