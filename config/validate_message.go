package config

import "fmt"

// message checks the bounds of the head against each other.
func (v *validator) message() {
	most, taken := v.c.Message.MaxHeaderBytes, v.c.Listen.MaxHeadBytes
	if most > taken {
		v.add("message.max_header_bytes", fmt.Sprintf("is %s, and no head over %s (listen.max_head_bytes) is taken at all: nothing would be judged by it", most, taken),
			"lower it, or raise listen.max_head_bytes")
	}
}
