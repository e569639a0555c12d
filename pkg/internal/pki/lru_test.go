package pki

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestLRU(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   string // "+a" puts a, "a" gets a, "-a" removes a
		want string // what is there in the end
	}{
		{"what was put is there", "+a +b", "a b"},
		{"one too many drops the oldest", "+a +b +c +d", "b c d"},
		{"a get makes it the newest", "+a +b +c a +d", "a c d"},
		{"a second put makes it the newest", "+a +b +c +a +d", "a c d"},
		{"a get of what is not there changes nothing", "+a x +b +c", "a b c"},
		{"a remove makes room", "+a +b +c -b +d", "a c d"},
		{"a remove of what is not there changes nothing", "+a -x", "a"},
		{"the last one can be removed", "+a -a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newLRU[string](3)
			for op := range strings.FieldsSeq(tt.do) {
				apply(&c, op)
			}
			if got := strings.Join(order(&c), " "); got != tt.want {
				t.Errorf("after %q there is %q, want %q", tt.do, got, tt.want)
			}
		})
	}
}

func apply(c *lru[string], op string) {
	switch name := op[1:]; op[0] {
	case '+':
		c.put(name, "value of "+name)
	case '-':
		c.remove(name)
	default:
		c.get(op)
	}
}

// order returns the names that are there, sorted, after a walk along the ring.
func order(c *lru[string]) (names []string) {
	for n := c.used.next; n != c.used; n = n.next {
		names = append(names, n.name)
	}
	slices.Sort(names)
	return names
}

// The oracle is a slice, the last used at its end.
func TestLRUAgainstAnOracle(t *testing.T) {
	const limit = 4
	c, oracle := newLRU[string](limit), []string{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		name := string(rune('a' + rng.IntN(8)))
		at := slices.Index(oracle, name)
		switch op := rng.IntN(3); {
		case op == 0:
			c.remove(name)
			oracle = slices.DeleteFunc(oracle, func(s string) bool { return s == name })
		case op == 1 || at < 0:
			c.put(name, name)
			oracle = append(slices.DeleteFunc(oracle, func(s string) bool { return s == name }), name)
			oracle = oracle[max(0, len(oracle)-limit):]
		default:
			if v, ok := c.get(name); !ok || v != name {
				t.Fatalf("get(%s) = %q, %t; want it", name, v, ok)
			}
			oracle = append(slices.Delete(oracle, at, at+1), name)
		}
		if want := slices.Sorted(slices.Values(oracle)); !slices.Equal(order(&c), want) || len(c.nodes) != len(want) {
			t.Fatalf("the cache has %q, want %q", order(&c), want)
		}
	}
}
