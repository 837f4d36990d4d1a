package proxytest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"strings"
)

// readRequest reads a request to its end and no further. It is no reader of net/http, which
// has an opinion on targets, and which the sidecar is made of. The error says why the message
// has no end.
func readRequest(c io.Writer, in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	if words := strings.Split(strings.TrimRight(line, "\r\n"), " "); len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/1.") {
		return fmt.Errorf("no request line: %q", line)
	}
	text := textproto.NewReader(in)
	fields, err := text.ReadMIMEHeader()
	if err != nil {
		return err
	}
	for name := range fields {
		if strings.ContainsAny(name, " \t") { // to others it may be a field of framing
			return fmt.Errorf("no name of a field: %q", name)
		}
	}
	if fields.Get("Expect") != "" {
		_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n") // a failed write shows at the answer
	}
	codings, lengths := fields.Values("Transfer-Encoding"), fields.Values("Content-Length")
	switch {
	case len(codings)+len(lengths) == 0:
		return nil
	case len(codings)+len(lengths) > 1:
		return errors.New("framed twice")
	case len(lengths) == 1:
		size, err := strconv.ParseUint(lengths[0], 10, 31)
		if err != nil {
			return err
		}
		_, err = io.CopyN(io.Discard, in, int64(size))
		return err
	case !strings.EqualFold(codings[0], "chunked"):
		return fmt.Errorf("transfer coding %q", codings[0])
	}
	return readChunks(text)
}

// readChunks reads a chunked body with its trailer.
func readChunks(text *textproto.Reader) error {
	for {
		line, err := text.ReadLine()
		if err != nil {
			return err
		}
		digits, _, _ := strings.Cut(line, ";")
		size, err := strconv.ParseUint(digits, 16, 31)
		if err != nil {
			return err
		}
		if size == 0 {
			_, err = text.ReadMIMEHeader()
			return err
		}
		if _, err := io.CopyN(io.Discard, text.R, int64(size)); err != nil {
			return err
		}
		if end, err := text.ReadLine(); err != nil || end != "" {
			return errors.Join(err, errors.New("no end of a chunk"))
		}
	}
}
