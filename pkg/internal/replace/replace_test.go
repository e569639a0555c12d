package replace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	secret = "sk-live-0123456789" // 18 bytes
	mask   = "PLACEHOLDER"
)

var one = []Pair{{secret, mask}}

// cases are texts in pieces, as they come in reads, and what becomes of them.
var cases = []struct {
	name     string
	pairs    []Pair
	pieces   []string
	want     string
	scrubbed string // by a scrubber with a window of 8, "" if that is want too
}{
	{name: "nothing to find changes nothing", pieces: []string{"ab", "c"}, want: "abc"},
	{name: "an empty text is not looked for", pairs: []Pair{{"", "x"}}, pieces: []string{"ab"}, want: "ab"},
	{name: "an empty stream is empty", pairs: one},
	{name: "a text alone", pairs: one, pieces: []string{secret}, want: mask},
	{name: "a text in the middle", pairs: one, pieces: []string{"a" + secret + "b"}, want: "a" + mask + "b"},
	{name: "a text across three reads", pairs: one, pieces: []string{"a" + secret[:3], secret[3:9], secret[9:] + "b"}, want: "a" + mask + "b"},
	{name: "texts side by side", pairs: one, pieces: []string{secret + secret, secret}, want: mask + mask + mask},
	{name: "a beginning that comes to nothing", pairs: one, pieces: []string{secret[:17], "!"}, want: secret[:17] + "!"},
	{name: "a beginning inside a beginning", pairs: []Pair{{"aab", "X"}}, pieces: []string{"aa", "ab"}, want: "aX"},
	{name: "the longest of those that begin at one place", pairs: []Pair{{"abc", "3"}, {"abcde", "5"}}, pieces: []string{"abcde abcd"}, want: "5 3d"},
	{name: "the longest, although the shorter is there first", pairs: []Pair{{"abc", "3"}, {"abcde", "5"}}, pieces: []string{"abc", "d", "e"}, want: "5"},
	{name: "the shorter, where the longer comes to nothing", pairs: []Pair{{"abc", "3"}, {"abcde", "5"}}, pieces: []string{"abc", "d", "f"}, want: "3df"},
	{name: "the first of pairs that find the same", pairs: []Pair{{"abc", "1"}, {"abc", "2"}}, pieces: []string{"abc"}, want: "1"},
	{name: "texts of one byte", pairs: []Pair{{"a", "1"}, {"b", ""}}, pieces: []string{"ab", "ca"}, want: "1c1"},
	{name: "texts of two and of many bytes", pairs: []Pair{{"ab", "2"}, {secret, mask}}, pieces: []string{"ab" + secret + "a", "b"}, want: "2" + mask + "2"},
	{name: "what is put in is not searched", pairs: []Pair{{"abcd", "xabcdx"}}, pieces: []string{"abcd"}, want: "xabcdx"},
	{name: "nothing in the place of a text", pairs: []Pair{{secret, ""}}, pieces: []string{secret, "a", secret}, want: "a"},
	{
		name: "texts that overlap", pairs: []Pair{{"abcXabc", "1"}}, pieces: []string{"abcXabcXabc"},
		want: "1Xabc", scrubbed: "11",
	},
	{
		name: "texts that overlap across reads", pairs: []Pair{{"abcXabc", "1"}}, pieces: []string{"abcXabc", "Xa", "bcXabc", "!"},
		want: "1X1!", scrubbed: "111!",
	},
	{
		name: "different texts that overlap", pairs: []Pair{{"aaabbb", "1"}, {"bbbccc", "2"}}, pieces: []string{"aaab", "bbccc"},
		want: "1ccc", scrubbed: "12",
	},
	{
		name: "a cut in the middle of a text, a window long", pairs: one, pieces: []string{"x" + secret[:8]},
		want: "x" + secret[:8], scrubbed: "x" + mask,
	},
	{name: "a cut that leaves less than a window", pairs: one, pieces: []string{"x" + secret[:7]}, want: "x" + secret[:7]},
	{
		name: "a cut that leaves what the placeholder begins with", pairs: []Pair{{"github_pat_11A", "github_pat_MOAT"}},
		pieces: []string{"see github_pat_"}, want: "see github_pat_",
	},
	{
		name: "a cut after an overlap", pairs: []Pair{{"abcdefgh--abcdefgh", "1"}}, pieces: []string{"abcdefgh--abcdefgh--abc"},
		want: "1--abc", scrubbed: "11",
	},
	{
		name: "a cut where a text ends that begins as it ends", pairs: []Pair{{"abcdefgh--abcdefgh", "1"}}, pieces: []string{"abcdefgh--abcdefgh"},
		want: "1",
	},
}

// pieces is a stream that comes in these pieces, and is closed.
type pieces struct {
	left   []string
	err    error
	closed bool
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, p.err
	}
	n := copy(b, p.left[0])
	if p.left[0] = p.left[0][n:]; p.left[0] == "" {
		p.left = p.left[1:]
	}
	return n, nil
}

func (p *pieces) Close() error {
	p.closed = true
	return errors.New("closed")
}

func stream(err error, text ...string) *pieces { return &pieces{left: slices.Clone(text), err: err} }

func TestReader(t *testing.T) {
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got, err := io.ReadAll(New(tt.pairs).Reader(stream(io.EOF, tt.pieces...)))
			if string(got) != tt.want || err != nil {
				t.Errorf("New: %q became %q, %v, want %q", tt.pieces, got, err, tt.want)
			}
			if tt.scrubbed == "" {
				tt.scrubbed = tt.want
			}
			got, err = io.ReadAll(NewScrubber(tt.pairs, 8).Reader(stream(io.EOF, tt.pieces...)))
			if string(got) != tt.scrubbed || err != nil {
				t.Errorf("NewScrubber: %q became %q, %v, want %q", tt.pieces, got, err, tt.scrubbed)
			}
		})
	}
}

func TestBytesDoesWhatReaderDoes(t *testing.T) {
	for _, tt := range cases {
		whole := strings.Join(tt.pieces, "")
		if got := New(tt.pairs).String(whole); got != tt.want {
			t.Errorf("%s: String(%q) = %q, want %q", tt.name, whole, got, tt.want)
		}
	}
}

func TestAnErrorComesAfterAllThatWasReadBeforeIt(t *testing.T) {
	broken := errors.New("connection reset")
	for _, tt := range []struct {
		name, text, want string
	}{
		{"a whole text is replaced", "a" + secret, "a" + mask},
		{"a short beginning of one comes through", "a" + secret[:7], "a" + secret[:7]},
		{"a long beginning of one is replaced", "a" + secret[:17], "a" + mask},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := io.ReadAll(NewScrubber(one, 8).Reader(stream(broken, tt.text)))
			if string(got) != tt.want || !errors.Is(err, broken) {
				t.Errorf("ReadAll = %q, %v, want %q, %v", got, err, tt.want, broken)
			}
		})
	}
}

func TestBytesThatComeTogetherWithAnErrorAreNotLost(t *testing.T) {
	r := New(one).Reader(io.NopCloser(iotest.DataErrReader(strings.NewReader("a" + secret))))
	if got, err := io.ReadAll(r); string(got) != "a"+mask || err != nil {
		t.Errorf("ReadAll = %q, %v, want %q", got, err, "a"+mask)
	}
}

func TestASourceThatGivesNothingIsAnError(t *testing.T) {
	r := New(one).Reader(stream(nil))
	if _, err := io.ReadAll(r); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("ReadAll = %v, want %v", err, io.ErrNoProgress)
	}
}

func TestCloseClosesTheSource(t *testing.T) {
	src := stream(io.EOF)
	if err := New(one).Reader(src).Close(); !src.closed || err == nil {
		t.Errorf("Close = %v, closed %t, want the error of the source", err, src.closed)
	}
}

// TestNoByteIsHeldBackThatCannotBeOfAText reads each piece before the next is
// there to be read.
func TestNoByteIsHeldBackThatCannotBeOfAText(t *testing.T) {
	for _, tt := range []struct {
		name, sent, want string
	}{
		{"all of an event", "data: 1\n\n", "data: 1\n\n"},
		{"a text that nothing can make longer", "data: " + secret, "data: " + mask},
		{"what stands before a beginning", "data: " + secret[:5], "data: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewScrubber(one, 8).Reader(stream(io.EOF, tt.sent, "and more"))
			got := make([]byte, 100)
			n, err := r.Read(got)
			if string(got[:n]) != tt.want || err != nil {
				t.Errorf("Read = %q, %v, want %q", got[:n], err, tt.want)
			}
		})
	}
}

func TestKeepsLength(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pairs []Pair
		want  bool
	}{
		{"nothing to find", nil, true},
		{"all alike", []Pair{{"abc", "123"}, {"d", "4"}}, true},
		{"one differs", []Pair{{"abc", "123"}, {"d", "45"}}, false},
	} {
		if got := New(tt.pairs).KeepsLength(); got != tt.want {
			t.Errorf("%s: KeepsLength = %t, want %t", tt.name, got, tt.want)
		}
		if got := New(tt.pairs).Empty(); got != (tt.pairs == nil) {
			t.Errorf("%s: Empty = %t", tt.name, got)
		}
	}
}

// slow does what a Replacer does, by trying each text at each place. A text that
// is cut off at the end counts as one that reaches up to there.
func slow(text string, pairs []Pair, window int) string {
	var out strings.Builder
	var done int
	for i := range len(text) {
		var found Pair
		for _, p := range pairs {
			cut := window > 0 && len(text)-i >= window && strings.HasPrefix(p.Find, text[i:]) && !strings.HasPrefix(p.Put, text[i:])
			if cut && len(p.Find) > len(text)-i {
				found = Pair{text[i:], p.Put}
				break
			}
			if len(p.Find) > len(found.Find) && strings.HasPrefix(text[i:], p.Find) {
				found = p
			}
		}
		end := i + len(found.Find)
		if found.Find == "" || end <= done || window == 0 && i < done {
			continue
		}
		out.WriteString(text[done:max(done, i)])
		out.WriteString(found.Put)
		done = end
	}
	return out.String() + text[done:]
}

// FuzzReader checks a Reader against slow, whatever the texts and the reads.
func FuzzReader(f *testing.F) {
	f.Add("xabcXabcXabcy", "abcXabc", "abc", uint64(3))
	f.Add("aaaaaaaaaaaaaaaaaaaaa", "aaaa", "aa", uint64(1))
	f.Add("aababaabababbaabab", "abababab", "baab", uint64(7))
	f.Fuzz(func(t *testing.T, text, find1, find2 string, seed uint64) {
		if len(text) > 1<<12 {
			t.Skip("slow is too slow for it")
		}
		pairs := []Pair{{find1, "<1>"}, {find2, "<2>"}}
		for _, window := range []int{0, 3} {
			r := New(pairs)
			if window > 0 {
				r = NewScrubber(pairs, window)
			}
			src := &ragged{text: text, random: rand.New(rand.NewPCG(seed, 0))}
			got, err := io.ReadAll(iotest.HalfReader(r.Reader(io.NopCloser(src))))
			if want := slow(text, pairs, window); string(got) != want || err != nil {
				t.Errorf("window %d: %q with %q became %q, %v, want %q", window, text, pairs, got, err, want)
			}
		}
	})
}

// ragged is a stream in pieces of random length, some of none.
type ragged struct {
	text   string
	random *rand.Rand
}

func (r *ragged) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.random.IntN(5))], r.text)
	r.text = r.text[n:]
	return n, nil
}

// TestRandomStreams has few letters, so that texts begin, overlap and come to
// nothing all the time.
func TestRandomStreams(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[random.IntN(2)]
		}
		return string(b)
	}
	for range 20_000 {
		pairs := []Pair{{letters(1 + random.IntN(9)), "<1>"}, {letters(4 + random.IntN(9)), "<2>"}, {letters(random.IntN(20)), ""}}
		text := letters(random.IntN(60))
		for _, window := range []int{0, 4} {
			r := New(pairs)
			if window > 0 {
				r = NewScrubber(pairs, window)
			}
			got, err := io.ReadAll(r.Reader(io.NopCloser(&ragged{text, random})))
			if want := slow(text, pairs, window); string(got) != want || err != nil {
				t.Fatalf("window %d: %q with %q became %q, %v, want %q", window, text, pairs, got, err, want)
			}
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const size = 64 << 20
	r := NewScrubber(one, 8).Reader(io.NopCloser(io.LimitReader(repeat(secret+secret[:17]), size)))
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); err != nil {
		t.Fatal(err)
	}
	if got, want := cap(r.buf), chunk+len(secret); got != want {
		t.Errorf("the buffer has %d bytes after %d, want %d", got, size, want)
	}
}

// repeat is a stream that never ends.
type repeat string

func (s repeat) Read(p []byte) (int, error) {
	for i := 0; i < len(p); i += len(s) {
		copy(p[i:], s)
	}
	return len(p), nil
}

func ExampleReplacer_Reader() {
	r := New([]Pair{{"moat-stub-linear", "lin_api_real"}})
	body := io.NopCloser(io.MultiReader(strings.NewReader(`{"key":"moat-st`), strings.NewReader(`ub-linear"}`)))
	out, _ := io.ReadAll(r.Reader(body))
	fmt.Println(string(out))
	// Output: {"key":"lin_api_real"}
}

func ExampleNewScrubber() {
	s := NewScrubber([]Pair{{"sk-live-0123456789", "moat-redacted"}}, 8)
	cut := io.NopCloser(strings.NewReader("key sk-live-0123456789, again sk-live-01234"))
	out, _ := io.ReadAll(s.Reader(cut))
	fmt.Println(string(out))
	// Output: key moat-redacted, again moat-redacted
}

// BenchmarkReader has streams without a text, of noise and of prose, and one
// that has a text each 4 KiB.
func BenchmarkReader(b *testing.B) {
	const size = 1 << 20
	noise := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	prose := []byte(strings.Repeat("data: {\"type\":\"content_block_delta\",\"text\":\"sk-ant, so to speak\"}\n\n", size/70))
	many := append([]byte(strings.Repeat(strings.Repeat("x", 4096-len(secret))+secret, size/4096)), prose[:1]...)
	twelve := make([]Pair, 12)
	for i := range twelve {
		twelve[i] = Pair{fmt.Sprintf("%02d%s", i, strings.Repeat(secret, 3)), mask}
	}
	for _, bb := range []struct {
		name string
		body []byte
		r    *Replacer
	}{
		{"noise", noise, New(one)},
		{"prose", prose, New(one)},
		{"prose, twelve texts", prose, NewScrubber(twelve, 8)},
		{"a text each 4 KiB", many, New(one)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.body)))
			buf := make([]byte, chunk)
			for b.Loop() {
				r := bb.r.Reader(io.NopCloser(bytes.NewReader(bb.body)))
				if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(one)
	}
}
