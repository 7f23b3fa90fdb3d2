package rfid

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// A Notation is how some reader writes a card's number into a school's files.
type Notation string

// The notations. The reversed ones take the last byte first.
const (
	Hex             Notation = "hex" // the bytes as the card sends them
	HexReversed     Notation = "hex_reversed"
	Decimal         Notation = "decimal" // all bytes as one number, with zeros before it or without
	DecimalReversed Notation = "decimal_reversed"
	Wiegand         Notation = "wiegand" // FACILITY,CARD: the last three bytes
	WiegandReversed Notation = "wiegand_reversed"
	// Cascade is the number of those who take the first four bytes on the air for
	// the whole: of a longer UID, 88 and three bytes, read in decimal from the end.
	Cascade Notation = "cascade"
)

// Notations returns all of them, the usual ones first.
func Notations() []Notation {
	return []Notation{Hex, HexReversed, Decimal, DecimalReversed, Wiegand, WiegandReversed, Cascade}
}

// errRandom is the error for a number that a card draws anew each time.
var errRandom = errors.New("is a random UID, which changes at every touch")

// Of returns what n keeps of a card's number, in the order in which the card sends
// it: all of it but for Wiegand and Cascade.
func (n Notation) Of(uid []byte) []byte {
	switch {
	case len(uid) < 4:
		return nil
	case n == Wiegand:
		return slices.Clone(uid[len(uid)-3:])
	case n == WiegandReversed:
		return slices.Clone(uid[:3])
	case n == Cascade && len(uid) > 4:
		return append([]byte{cascadeTag}, uid[:3]...)
	}
	return slices.Clone(uid)
}

const cascadeTag = 0x88

// Kept returns what a list in n may know a card by beside its whole number; nil if that is the same.
func (n Notation) Kept(uid []byte) []byte {
	if kept := n.Of(uid); !slices.Equal(kept, uid) {
		return kept
	}
	return nil
}

// ParseCard reads a card's number as a file has it, in the first of the notations that it may be written in,
// and returns what Of would return for that card. The errors do not show the number.
func ParseCard(s string, order ...Notation) ([]byte, error) {
	s = strings.TrimSpace(s)
	for _, n := range order {
		b, err := n.parse(s)
		if err != nil {
			continue
		}
		if n == DecimalReversed && slices.Contains(order, Cascade) {
			n = Cascade // which reads as much, and knows that it may be a part
		}
		if err := n.check(b); err != nil {
			return nil, err
		}
		return b, nil
	}
	return nil, fmt.Errorf("has %d characters and is no card's number in the notation %v", min(len(s), 9999), order)
}

// check says why no card can be known by what was read in n (facts: hardware 3.4). That a number of four bytes
// that begins with 80 is random, only the card can tell.
func (n Notation) check(b []byte) error {
	switch {
	case len(b) == 4 && b[0] == cascadeTag && n != Cascade:
		return errors.New("is only the first part of a longer UID")
	case len(b) == 4 && b[0] == 0x08:
		return errRandom
	case len(bytes.Trim(b, "\x00")) == 0:
		return errors.New("is zero")
	}
	return nil
}

func (n Notation) parse(s string) ([]byte, error) {
	switch n {
	case Hex:
		return parseHex(s)
	case HexReversed:
		return reversed(parseHex(s))
	case Decimal:
		return parseDecimal(s)
	case DecimalReversed:
		return reversed(parseDecimal(s))
	case Wiegand:
		return parseWiegand(s)
	case WiegandReversed:
		return reversed(parseWiegand(s))
	case Cascade:
		b, err := reversed(parseDecimal(s))
		if err == nil && len(b) != 4 {
			err = errors.New("more than four bytes")
		}
		return b, err
	}
	return nil, errors.New("no such notation")
}

// reversed turns what was read round.
func reversed(b []byte, err error) ([]byte, error) {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b, err
}

// parseHex reads bytes, which may be set apart.
func parseHex(s string) ([]byte, error) {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "", " ", "").Replace(s))
	if err != nil {
		return nil, errors.New("not hexadecimal")
	}
	if len(b) != 4 && len(b) != 7 && len(b) != 10 {
		return nil, fmt.Errorf("%d bytes are not 4, 7 or 10", len(b))
	}
	return b, nil
}

// parseDecimal reads one number, whose size says how many bytes it has. One between two sizes is another
// number, like a patron's.
func parseDecimal(s string) ([]byte, error) {
	number, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > 25 || strings.Trim(s, "0123456789") != "" {
		return nil, errors.New("not decimal")
	}
	digits := len(strings.TrimLeft(s, "0"))
	for _, of := range []struct{ bytes, least int }{{4, 0}, {7, 15}, {10, 20}} {
		if number.BitLen() <= 8*of.bytes && digits >= of.least {
			return number.FillBytes(make([]byte, of.bytes)), nil
		}
	}
	return nil, fmt.Errorf("%d digits are not of 4, 7 or 10 bytes", digits)
}

// parseWiegand reads FACILITY,CARD: one byte and two.
func parseWiegand(s string) ([]byte, error) {
	left, right, _ := strings.Cut(s, ",")
	facility, err1 := strconv.ParseUint(strings.TrimSpace(left), 10, 8)
	card, err2 := strconv.ParseUint(strings.TrimSpace(right), 10, 16)
	if err1 != nil || err2 != nil {
		return nil, errors.New("not FACILITY,CARD")
	}
	return []byte{byte(facility), byte(card >> 8), byte(card)}, nil
}

// Digest returns what is kept instead of a card's number: 16 bytes in hexadecimal
// of HMAC-SHA-256 under the site's key. It refuses numbers that are nobody's.
func Digest(key, uid []byte) (string, error) {
	switch {
	case len(key) < 16:
		return "", fmt.Errorf("digest of a card: a key of %d bytes is too short", len(key))
	case len(uid) < 3 || len(uid) > 10:
		return "", fmt.Errorf("digest of a card: %d bytes are no number", len(uid))
	case len(uid) == 4 && uid[0] == 0x08:
		return "", fmt.Errorf("digest of a card: %w", errRandom)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(uid)
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}
