package web

import "circdesk/kiosk"

// Sentence says in English what an alarm is, for whoever types at a terminal.
func Sentence(a kiosk.Alarm) string {
	c, err := loadCatalogue("en")
	if err != nil {
		return string(a) // embedded: cannot happen
	}
	return c.show(sentence{id: "alarm." + string(a)})
}
