package renew

import (
	"errors"
	"fmt"
)

// An Error says why there is no next secret. Its text holds no secret, and says
// what to do where something can be done.
type Error struct {
	Class Class
	Text  string
}

// Error implements [error].
func (e *Error) Error() string { return e.Text }

// failed returns an error that may pass, final one that does not.
func failed(format string, args ...any) error { return &Error{Retry, fmt.Sprintf(format, args...)} }

func final(format string, args ...any) error { return &Error{Final, fmt.Sprintf(format, args...)} }

// classOf returns the class of any error: one that nobody has classed may pass.
func classOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return Retry
}
