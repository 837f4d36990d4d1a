package compile

import (
	"errors"
	"io"
	"os"
)

// ReadUpTo reads a file up to one byte more than it may have. The error says why it can
// not be read, and does not name the file.
func ReadUpTo(path string, most int64) (data []byte, err error) {
	f, err := os.Open(path)
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, most+1))
		_ = f.Close() // it was only read
	}
	if err != nil {
		return nil, errors.New("the file can not be read: " + cause(err))
	}
	return data, nil
}
