package routing

import "testing"

func TestPrefersHTML(t *testing.T) {
	for _, tt := range []struct {
		name, accept    string
		otherwise, want bool
	}{
		{"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", false, true},
		{"a client of JSON", "application/json", true, false},
		{"a script that takes both, JSON first", "application/json, text/html;q=0.5, */*;q=0.1", true, false},
		{"curl gets JSON of an error", "*/*", false, false},
		{"curl gets HTML of a page", "*/*", true, true},
		{"no header, no preference", "", true, true},
		{"no header, no preference, of an error", "", false, false},
		{"any text", "text/*", false, true},
		{"anything but HTML", "*/*, text/html;q=0", true, false},
		{"the most specific range counts, not the first", "*/*;q=1, text/html;q=0.1", true, false},
		{"capitals and spaces", " Text/HTML ; Q=0.9 , application/json;q=0.8", false, true},
		{"parameters that are not the weight", "text/html;level=1;q=0.3, application/json;q=0.2", false, true},
		{"a weight that is none", "text/html;q=x, application/json;q=0.1", true, false},
		{"a weight beyond 1", "text/html;q=7, application/json;q=0.1", true, false},
		{"a weight that is no number", "text/html;q=NaN, application/json;q=0.1", true, false},
		{"a fetch of an image", "image/avif,image/webp", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := prefersHTML(tt.accept, tt.otherwise); got != tt.want {
				t.Errorf("prefersHTML(%q, %t) = %t, want %t", tt.accept, tt.otherwise, got, tt.want)
			}
		})
	}
}

// Properties: a weight is one, and what is neither text nor application does not
// change the choice.
func FuzzAccept(f *testing.F) {
	for _, accept := range []string{"", "*/*", "text/html;q=0.5,application/json", ";;q=,=;", "text/html;q=1e-400", "a/b;q=-0"} {
		f.Add(accept)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		for _, media := range []string{"text/html", "application/json"} {
			if q := quality(accept, media); !(q >= 0 && q <= 1) {
				t.Errorf("quality(%q, %s) = %v", accept, media, q)
			}
		}
		if a, b := prefersHTML(accept, true), prefersHTML(accept+",image/png;q=0.7", true); a != b {
			t.Errorf("prefersHTML(%q, true) = %t, and %t with an image beside it", accept, a, b)
		}
	})
}
