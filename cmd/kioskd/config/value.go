package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"circdesk/kiosk"

	"github.com/pelletier/go-toml/v2"
)

// unlike says that a value is of the wrong sort.
func unlike(raw any, want string) error { return fmt.Errorf("%s is not %s", show(raw), want) }

// show is a value as a complaint names it.
func show(raw any) string {
	switch v := raw.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	return fmt.Sprint(raw)
}

// line reads printable text of one line, spaces at its ends included.
func line(raw any) (string, error) {
	s, ok := raw.(string)
	switch {
	case !ok:
		return "", unlike(raw, "text in quotes")
	case s == "":
		return "", errors.New("is empty")
	case len(s) > 1000:
		return "", fmt.Errorf("has %d bytes, more than 1000", len(s))
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", fmt.Errorf("%q has characters that cannot be printed", s)
	}
	return s, nil
}

// text reads printable text without spaces at its ends.
func text(raw any) (string, error) {
	s, err := line(raw)
	if err == nil && strings.TrimSpace(s) != s {
		return "", fmt.Errorf("%q has spaces at its ends", s)
	}
	return s, err
}

// name reads an identifier: of a kiosk, a scanner, a reader.
func name(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$`).MatchString(s) {
		return "", fmt.Errorf("%q is not 1 to 32 letters, digits, '-', '_' and '.'", s)
	}
	return s, err
}

// oneOf reads one of a few words.
func oneOf[T ~string](words ...T) reader[T] {
	return func(raw any) (T, error) {
		for _, w := range words {
			if raw == string(w) {
				return w, nil
			}
		}
		return "", unlike(raw, choice(words))
	}
}

// choice writes words as an English list: "student, bin or staff".
func choice[T ~string](words []T) string {
	var all strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			all.WriteString(" or ")
		case i > 0:
			all.WriteString(", ")
		}
		all.WriteString(strconv.Quote(string(w)))
	}
	return all.String()
}

// whole reads a whole number from low to high.
func whole(low, high int) reader[int] {
	return func(raw any) (int, error) {
		n, ok := raw.(int64)
		switch {
		case !ok:
			return 0, unlike(raw, "a whole number")
		case n < int64(low) || n > int64(high):
			return 0, fmt.Errorf("%d is not from %d to %d", n, low, high)
		}
		return int(n), nil
	}
}

func boolean(raw any) (bool, error) {
	b, ok := raw.(bool)
	if !ok {
		return false, unlike(raw, "true or false")
	}
	return b, nil
}

// span reads a duration as Go writes it, from low to high.
func span(low, high time.Duration) reader[time.Duration] {
	return func(raw any) (time.Duration, error) {
		s, ok := raw.(string)
		d, err := time.ParseDuration(s)
		switch {
		case !ok || err != nil:
			return 0, unlike(raw, `a time in quotes with its unit, like "40s"`)
		case d < low || d > high:
			return 0, fmt.Errorf("%q is not from %s to %s", s, brief(low), brief(high))
		}
		return d, nil
	}
}

// brief writes whole minutes without their seconds.
func brief(d time.Duration) string { return strings.Replace(d.String(), "m0s", "m", 1) }

// path reads the full name of a file or folder.
func path(raw any) (string, error) {
	s, err := text(raw)
	if err == nil && !filepath.IsAbs(s) {
		return "", fmt.Errorf("%q is not a full path, which begins with /", s)
	}
	return s, err
}

// zone reads the name of a time zone in the IANA database.
func zone(raw any) (*time.Location, error) {
	s, err := text(raw)
	if err != nil {
		return nil, err
	}
	z, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, fmt.Errorf(`%q is not a time zone, like "America/Los_Angeles"`, s)
	}
	return z, nil
}

// address reads host:port.
func address(raw any) (string, error) {
	s, err := text(raw)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(s)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return "", fmt.Errorf(`%q is not a host and a port, like "127.0.0.1:6001"`, s)
	}
	return s, nil
}

// listen reads the address that the page is served at: this machine's own. Port 0 is any free one.
func listen(raw any) (string, error) {
	s, err := text(raw)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(s)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return "", fmt.Errorf(`%q is not an IP address and a port, like "127.0.0.1:8080"`, s)
	}
	if host != "127.0.0.1" && host != "localhost" {
		return "", fmt.Errorf("%q is not this machine alone; the page is for the desk's own screen: 127.0.0.1 or localhost", s)
	}
	return s, nil
}

// date reads 2026-11-24, with or without quotes.
func date(raw any) (kiosk.Date, error) {
	if d, ok := raw.(toml.LocalDate); ok {
		raw = d.String()
	}
	s, ok := raw.(string)
	d, err := kiosk.ParseDate(s)
	if !ok || err != nil {
		return kiosk.Date{}, unlike(raw, `a date, like "2026-11-24"`)
	}
	return d, nil
}

// dates reads one date or a run of days, "2026-12-21..2027-01-08".
func dates(raw any) (kiosk.Span, error) {
	s, _ := raw.(string)
	from, to, isRun := strings.Cut(s, "..")
	if !isRun {
		d, err := date(raw)
		return kiosk.Span{First: d, Last: d}, err
	}
	first, err1 := kiosk.ParseDate(from)
	last, err2 := kiosk.ParseDate(to)
	switch {
	case err1 != nil || err2 != nil:
		return kiosk.Span{}, unlike(raw, `a run of days, like "2026-12-21..2027-01-08"`)
	case last.Before(first):
		return kiosk.Span{}, fmt.Errorf("%q ends before it begins", s)
	}
	return kiosk.Span{First: first, Last: last}, nil
}
