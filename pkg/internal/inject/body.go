package inject

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/moatd/moatd/pkg/internal/replace"
)

// wholeBody is the length in bytes up to which a body of known length is read
// whole, so that it can go out with its new length.
const wholeBody = 256 << 10

// substituteBody replaces the placeholders in the body of a request. A body in
// a content coding goes out as it is.
//
// The length stays known where placeholder and secret have the same, and for a
// body of at most [wholeBody] whose client does not wait for a 100; any other
// body goes out in chunks, or what stands for them in HTTP/2.
func (r *Rules) substituteBody(out *http.Request) {
	if r == nil || len(r.Substitute) == 0 || out.Body == nil || out.Body == http.NoBody {
		return
	}
	if enc := out.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return
	}
	kind := mediaType(out.Header)
	s := replace.New(r.bodyPairs(kind))
	same := s.KeepsLength()
	switch {
	case !same && strings.HasPrefix(kind, "application/grpc"):
		return // its messages begin with their lengths
	case !same && out.ContentLength > 0 && out.ContentLength <= wholeBody && out.Header.Get("Expect") == "":
		substituteWhole(out, s)
	default:
		out.Body = s.Reader(out.Body)
		if !same {
			out.ContentLength = -1
		}
	}
	out.GetBody = nil // what was begun to be replaced cannot be sent again
}

// substituteWhole reads the body first.
func substituteWhole(out *http.Request, s *replace.Replacer) {
	b, err := io.ReadAll(io.LimitReader(out.Body, out.ContentLength))
	if err != nil { // the client has not sent all of it; the transport finds that too
		out.Body = &rest{io.MultiReader(bytes.NewReader(b), failed{err}), out.Body}
		return
	}
	b = s.Bytes(b)
	out.ContentLength = int64(len(b))
	// The end of the old body brings the trailers.
	out.Body = &rest{io.MultiReader(bytes.NewReader(b), out.Body), out.Body}
}

// rest is a body of which a part was read already.
type rest struct {
	io.Reader
	io.Closer
}

// failed is a reader that gives nothing but its error.
type failed struct{ err error }

// Read implements [io.Reader].
func (f failed) Read([]byte) (int, error) { return 0, f.err }

func mediaType(h http.Header) string {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return "" // such a body is taken as it is
	}
	return kind
}

// bodyPairs returns what is replaced in a body of the media type. The secret is
// escaped as the type asks; the placeholder is found as it is and escaped.
func (r *Rules) bodyPairs(kind string) []replace.Pair {
	same := func(text string) string { return text }
	escape, forms := same, []func(string) string{same}
	switch {
	case kind == "application/x-www-form-urlencoded":
		escape, forms = url.QueryEscape, append(forms, url.QueryEscape, url.PathEscape, lowerEscape)
	case strings.HasSuffix(kind, "json"):
		escape, forms = jsonText, append(forms, jsonText, jsonHTML)
	}
	var pairs []replace.Pair
	for _, s := range r.Substitute {
		for _, form := range forms {
			pairs = append(pairs, replace.Pair{Find: form(s.Placeholder), Put: escape(s.Secret)})
		}
	}
	return pairs
}

// lowerEscape is [url.QueryEscape] with the hex digits in lower case.
func lowerEscape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if one := url.QueryEscape(text[i : i+1]); len(one) > 1 {
			b.WriteString(strings.ToLower(one))
		} else {
			b.WriteString(one)
		}
	}
	return b.String()
}

// jsonText returns text as it stands between the quotes of a JSON string.
func jsonText(text string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		return text // not reached: strings always encode
	}
	return strings.TrimSuffix(b.String(), "\"\n")[1:]
}

// jsonHTML is jsonText with <, > and & escaped too, as some encoders do.
func jsonHTML(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return text // not reached: strings always encode
	}
	return string(b[1 : len(b)-1])
}
