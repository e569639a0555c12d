package logging

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
)

// redactHook is the one place through which every entry goes: it redacts the
// message and the fields, which become strings unless they are numbers or
// booleans.
type redactHook struct{ redactor *Redactor }

// Levels implements [logrus.Hook].
func (*redactHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements [logrus.Hook]. The entry is logrus's own copy for this output.
func (h *redactHook) Fire(e *logrus.Entry) error {
	e.Message = h.redactor.Redact(e.Message)
	e.Data = h.redactor.fields(e.Data)
	return nil
}

func (r *Redactor) fields(in logrus.Fields) logrus.Fields {
	out := make(logrus.Fields, len(in))
	for key, v := range in {
		name := r.Redact(key)
		if sensitive(key) {
			out[name] = Mask
			continue
		}
		text := render(reflect.ValueOf(v))
		clean := r.Redact(text)
		if clean == text && isScalar(reflect.ValueOf(v)) {
			out[name] = v
			continue
		}
		out[name] = clean
	}
	return out
}

// sensitive reports whether a field called key holds a secret, whatever it
// looks like.
func sensitive(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, end := range []string{"token", "secret", "password", "passwd", "api_key", "apikey", "private_key", "cookie", "authorization"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

// isScalar reports whether v has a form of its own in JSON and no secret place
// in it: nil, a boolean, or a finite number that is not a duration.
func isScalar(v reflect.Value) bool {
	switch {
	case !v.IsValid():
		return true
	case v.Type().NumMethod() > 0: // it may have a String of its own, as a duration has
		return false
	case v.CanFloat():
		return !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	}
	return v.Kind() == reflect.Bool || v.CanInt() || v.CanUint()
}

// render returns v as text. fmt recovers the panic of a String or Error method.
func render(v reflect.Value) string {
	if !v.IsValid() {
		return "<nil>"
	}
	switch x := v.Interface().(type) {
	case string:
		return x
	case time.Time:
		return x.Format(time.RFC3339Nano)
	case error:
		return fmt.Sprint(x)
	case fmt.Stringer:
		return fmt.Sprint(x)
	}
	if b, ok := byteText(v); ok {
		return b
	}
	return fmt.Sprintf("%+v", v.Interface())
}

// byteText returns the text in a byte slice or array.
func byteText(v reflect.Value) (string, bool) {
	if k := v.Kind(); k != reflect.Slice && k != reflect.Array || v.Type().Elem().Kind() != reflect.Uint8 {
		return "", false
	}
	settable := reflect.New(v.Type()).Elem() // Bytes wants to address an array
	settable.Set(v)
	return string(settable.Bytes()), true
}
