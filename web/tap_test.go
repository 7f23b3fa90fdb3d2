package web

import (
	"encoding/json"
	"strings"
	"testing"

	"circdesk/kiosk"
)

func TestWhatAPageMaySay(t *testing.T) {
	for msg, want := range map[string]said{
		`{"ack":0}`:                                    {},
		`{"ack":42}`:                                   {ack: 42},
		` { "ack" : 42 } `:                             {ack: 42},
		`{"ack":18446744073709551615}`:                 {ack: 1<<64 - 1},
		`{"tap":"ok","seq":1,"session":0}`:             {tap: &kiosk.Tapped{ID: "ok", Seq: 1}},
		`{"session":7,"seq":9,"tap":"language:es"}`:    {tap: &kiosk.Tapped{ID: "language:es", Seq: 9, Session: 7}},
		`{"tap":"renew:K-1-7f-2","seq":1,"session":1}`: {tap: &kiosk.Tapped{ID: "renew:K-1-7f-2", Seq: 1, Session: 1}},
	} {
		got, err := parseSaid([]byte(msg))
		if err != nil || got.ack != want.ack || (got.tap == nil) != (want.tap == nil) || got.tap != nil && *got.tap != *want.tap {
			t.Errorf("%s: %+v, %v", msg, got, err)
		}
	}
}

func TestWhatAPageMustNotSay(t *testing.T) {
	for _, msg := range []string{
		``, ` `, `null`, `[]`, `42`, `"ack"`, `{`, `{}`, `{"ack":1`, `{"ack":1}}`, `{"ack":1} {"ack":2}`, `{"ack":1}x`,
		`{"ack":-1}`, `{"ack":1.5}`, `{"ack":1e3}`, `{"ack":"1"}`, `{"ack":null}`, `{"ack":[1]}`, `{"ack":18446744073709551616}`, `{"ack":true}`,
		`{"Ack":1}`, `{"ACK":1}`, `{"ack ":1}`, `{"ack":1,"ack":1}`, `{"ack":1,"more":2}`, `{"ack":1,"seq":2,"session":3}`,
		`{"tap":"ok"}`, `{"tap":"ok","seq":1}`, `{"tap":"ok","session":1}`, `{"tap":"ok","seq":1,"session":1,"x":1}`, `{"tap":"ok","seq":1,"Session":1}`,
		`{"tap":"","seq":1,"session":1}`, `{"tap":null,"seq":1,"session":1}`, `{"tap":1,"seq":1,"session":1}`, `{"tap":"ok","seq":"1","session":1}`,
		`{"tap":"ok","seq":1,"session":-1}`, `{"tap":"a b","seq":1,"session":1}`, `{"tap":"a\u0000","seq":1,"session":1}`, `{"tap":"é","seq":1,"session":1}`,
		`{"tap":"a\"b","seq":1,"session":1}`, `{"tap":"a\\b","seq":1,"session":1}`, `{"tap":"\u202eok","seq":1,"session":1}`, `{"tap":"\ud800","seq":1,"session":1}`,
		`{"tap":"` + strings.Repeat("x", maxID+1) + `","seq":1,"session":1}`, `{"tap":"ok","tap":"finish","seq":1}`, "{\"tap\":\"\xff\",\"seq\":1,\"session\":1}",
		`{"ack":` + strings.Repeat("[", 4000) + `}`,
	} {
		if got, err := parseSaid([]byte(msg)); err == nil {
			t.Errorf("%.80s was taken for %+v", msg, got)
		}
	}
}

func FuzzSaid(f *testing.F) {
	for _, msg := range []string{`{"ack":42}`, `{"tap":"ok","seq":1,"session":7}`, `{"ack":1,"ack":2}`, `{"tap":null,"seq":1,"session":1}`, `{}`, `[`, "\xff"} {
		f.Add([]byte(msg))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := parseSaid(msg)
		if err != nil {
			return
		}
		// What was taken can be said again in the one right form, and means the same.
		again, _ := json.Marshal(map[string]uint64{"ack": got.ack})
		if got.tap != nil {
			again, _ = json.Marshal(map[string]any{"tap": got.tap.ID, "seq": got.tap.Seq, "session": got.tap.Session})
			if len(got.tap.ID) > maxID || strings.ContainsAny(got.tap.ID, " \"\\\x7f") {
				t.Errorf("%q was taken for the id %q", msg, got.tap.ID)
			}
		}
		twice, err := parseSaid(again)
		if err != nil || twice.ack != got.ack || got.tap != nil && *twice.tap != *got.tap {
			t.Errorf("%q was taken for %+v, which said again is %+v, %v", msg, got, twice, err)
		}
	})
}
