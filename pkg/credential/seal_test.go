package credential

import (
	"bytes"
	"errors"
	"strconv"
	"testing"
)

func testSealer(tb testing.TB) *Sealer {
	tb.Helper()
	key, err := decodeKey([]byte(goodKey), KeyInFile)
	if err != nil {
		tb.Fatal(err)
	}
	return NewSealer(key, "test")
}

func mustSeal(tb testing.TB, s *Sealer, name string, plain []byte) []byte {
	tb.Helper()
	sealed, err := s.Seal(name, plain)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

func TestSealThenOpen(t *testing.T) {
	s := testSealer(t)
	for _, plain := range []string{"", "a", "\x00\xff", string(make([]byte, 1<<20))} {
		sealed := mustSeal(t, s, "name", []byte(plain))
		if len(plain) > 1 && bytes.Contains(sealed, []byte(plain)) {
			t.Errorf("Seal of %d bytes holds them in clear", len(plain))
		}
		got, err := s.Open("name", sealed)
		if err != nil || string(got) != plain {
			t.Errorf("Open(Seal(%d bytes)) = %d bytes, %v", len(plain), len(got), err)
		}
	}
	if a, b := mustSeal(t, s, "n", []byte("x")), mustSeal(t, s, "n", []byte("x")); bytes.Equal(a, b) {
		t.Errorf("two Seals of one text are the same")
	}
}

func TestOpenRefuses(t *testing.T) {
	key, err := decodeKey([]byte(goodKey), KeyInFile)
	if err != nil {
		t.Fatal(err)
	}
	sealed := mustSeal(t, NewSealer(key, "test"), "name", []byte("text"))
	for _, tt := range []struct {
		name   string
		sealer *Sealer
		record string
		sealed []byte
		want   error
	}{
		{"another name", NewSealer(key, "test"), "names", sealed, ErrDamaged},
		{"no name", NewSealer(key, "test"), "", sealed, ErrDamaged},
		{"another purpose", NewSealer(key, "tests"), "name", sealed, ErrWrongKey},
		{"another key", NewSealer(newKey("memory"), "test"), "name", sealed, ErrWrongKey},
		{"nothing", NewSealer(key, "test"), "name", nil, ErrDamaged},
		{"more behind it", NewSealer(key, "test"), "name", append(bytes.Clone(sealed), 0), ErrDamaged},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := tt.sealer.Open(tt.record, tt.sealed); !errors.Is(err, tt.want) || got != nil {
				t.Errorf("Open = %q, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestSealerWithoutKey(t *testing.T) {
	s := NewSealer(Key{}, "test")
	if sealed, err := s.Seal("name", []byte("text")); err == nil {
		t.Errorf("Seal without a key = %q, want an error", sealed)
	}
	if plain, err := s.Open("name", make([]byte, 100)); err == nil {
		t.Errorf("Open without a key = %q, want an error", plain)
	}
}

func TestFingerprint(t *testing.T) {
	a, errA := newFingerprinter(newKey("memory"))
	b, errB := newFingerprinter(newKey("memory"))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if got := a("x"); len(got) != 8 || got != a("x") || got == a("y") || got == b("x") {
		t.Errorf("fingerprints of x, x, y, and x by another key = %s, %s, %s, %s; want two alike of 8 digits",
			got, a("x"), a("y"), b("x"))
	}
}

// Open never panics, and gives out nothing that was not sealed under that name.
func FuzzOpen(f *testing.F) {
	s := testSealer(f)
	f.Add("name", mustSeal(f, s, "name", []byte("text")))
	f.Add("name", []byte(nil))
	f.Add("", make([]byte, idSize+24+16))
	f.Add("x", append(mustSeal(f, s, "x", nil)[:idSize], make([]byte, 40)...))
	f.Fuzz(func(t *testing.T, name string, sealed []byte) {
		plain, err := s.Open(name, sealed)
		if err == nil && string(plain) != "text" {
			t.Errorf("Open(%q, %x) = %q, which nobody sealed", name, sealed, plain)
		}
		if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongKey) {
			t.Errorf("Open(%q, %x) = %v, want ErrDamaged or ErrWrongKey", name, sealed, err)
		}
		again, err := s.Open(name, mustSeal(t, s, name, sealed))
		if err != nil || !bytes.Equal(again, sealed) {
			t.Errorf("Open(Seal(%q, %x)) = %x, %v", name, sealed, again, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{40, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s, plain := testSealer(b), make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				mustSeal(b, s, "github", plain)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{40, 4096} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s := testSealer(b)
			sealed := mustSeal(b, s, "github", make([]byte, size))
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := s.Open("github", sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
