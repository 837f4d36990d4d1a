// Package message judges the head of an HTTP request: whether its framing is
// unambiguous (in.frame), whether its target can be read in one way only (in.path),
// and whether its header fields may say what they say (in.hdr). Its checks judge facts
// of a policy.Request; the bytes of a connection are read by proxy/frame.
package message
