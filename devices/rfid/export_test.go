package rfid

// Deceive plants a defect: whatever Secure wrote is believed to be written.
func (r *Reader) Deceive() { r.gullible = true }
