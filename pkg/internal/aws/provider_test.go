package aws

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeAWS is a provider whose source and STS are functions of the test.
type fakeAWS struct {
	*Provider
	asked int           // how often STS was
	keys  string        // what it is asked with
	fail  error         // what it says, nil for credentials
	takes time.Duration // how long it takes
	lasts time.Duration // how long they are good by the clock of STS
}

func newFake(t *testing.T) *fakeAWS {
	t.Helper()
	p, err := New(validRole(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeAWS{Provider: p, keys: "first", lasts: time.Hour}
	p.source = func(context.Context) (source, error) { return source{id: sha256.Sum256([]byte(f.keys))}, nil }
	p.assume = func(ctx context.Context, _ source) (Credentials, error) {
		f.asked++
		select {
		case <-time.After(f.takes):
		case <-ctx.Done():
			return Credentials{}, ctx.Err()
		}
		if f.fail != nil {
			return Credentials{}, f.fail
		}
		return Credentials{Version: 1, AccessKeyID: fmt.Sprint(f.asked), Expiration: time.Now().Add(f.lasts)}, nil
	}
	return f
}

// want fails the test unless the credentials are those of the n-th attempt.
func (f *fakeAWS) want(t *testing.T, n int) {
	t.Helper()
	if c, err := f.Credentials(t.Context()); err != nil || c.AccessKeyID != fmt.Sprint(n) || f.asked != n {
		t.Errorf("Credentials = %v, %v after %d attempts; want those of the %d.", c, err, f.asked, n)
	}
}

func TestCredentialsAreKept(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, f *fakeAWS)
	}{
		{"until 5 minutes before they end", func(t *testing.T, f *fakeAWS) {
			t.Helper()
			f.want(t, 1)
			time.Sleep(55*time.Minute - 1)
			f.want(t, 1)
			time.Sleep(time.Nanosecond)
			f.want(t, 2)
		}},
		{"no longer than was asked for, though the clock of AWS is ahead", func(t *testing.T, f *fakeAWS) {
			t.Helper()
			f.lasts = 3 * time.Hour
			f.want(t, 1)
			time.Sleep(55 * time.Minute)
			f.want(t, 2)
		}},
		{"no longer than AWS says", func(t *testing.T, f *fakeAWS) {
			t.Helper()
			f.lasts = 15 * time.Minute
			f.want(t, 1)
			time.Sleep(10 * time.Minute)
			f.want(t, 2)
		}},
		{"not where they end too soon", func(t *testing.T, f *fakeAWS) {
			t.Helper()
			f.lasts = 4 * time.Minute
			f.want(t, 1)
			f.want(t, 2)
		}},
		{"not where other keys are stored now", func(t *testing.T, f *fakeAWS) {
			t.Helper()
			f.want(t, 1)
			f.keys = "second"
			f.want(t, 2)
			f.want(t, 2)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tt.do(t, newFake(t)) })
		})
	}
}

func TestOneAttemptForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.takes = 3 * time.Second
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() { f.want(t, 1) })
		}
		callers.Wait()
	})
}

func TestErrorsStandForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.fail, f.takes = &Error{"r", "AccessDenied", "no"}, time.Second
		start := time.Now()
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if _, err := f.Credentials(t.Context()); !errors.Is(err, f.fail) {
					t.Errorf("Credentials: %v, want %v", err, f.fail)
				}
			})
		}
		callers.Wait()
		if f.asked != 1 || time.Since(start) != time.Second {
			t.Errorf("20 callers made %d attempts in %v, want one", f.asked, time.Since(start))
		}
		f.fail = nil
		time.Sleep(time.Second - 1)
		if _, err := f.Credentials(t.Context()); err == nil {
			t.Errorf("Credentials within the second: no error, want that of before")
		}
		time.Sleep(time.Nanosecond)
		f.want(t, 2)
	})
}

func TestErrorOfOtherKeysDoesNotStand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.fail = &Error{"r", "AccessDenied", "no"}
		if _, err := f.Credentials(t.Context()); err == nil {
			t.Errorf("Credentials: no error")
		}
		f.keys, f.fail = "second", nil
		f.want(t, 2)
	})
}

// TestWhoGoesTakesNothingAlong ends the context of the one who asks AWS, and
// that of one who waits for it.
func TestWhoGoesTakesNothingAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.takes = 10 * time.Second
		short := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			start := time.Now()
			if _, err := f.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != d {
				t.Errorf("Credentials: %v after %v, want the end of the context after %v", err, time.Since(start), d)
			}
		}
		var callers sync.WaitGroup
		callers.Go(func() { short(5 * time.Second) })
		synctest.Wait()
		callers.Go(func() { short(2 * time.Second) })
		callers.Go(func() { f.want(t, 2) })
		callers.Wait()
	})
}

func TestCredentialsDoNotPrint(t *testing.T) {
	c := Credentials{AccessKeyID: "ASIA1", SecretAccessKey: "hidden1", SessionToken: "hidden2"}
	if got := fmt.Sprintf("%v %+v %#v %s", c, c, c, c); got != "ASIA1 [secret] ASIA1 [secret] ASIA1 [secret] ASIA1 [secret]" {
		t.Errorf("printed: %s", got)
	}
}

func BenchmarkCredentials(b *testing.B) {
	p, err := New(validRole(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	p.assume = func(context.Context, source) (Credentials, error) {
		return Credentials{Expiration: time.Now().Add(time.Hour)}, nil
	}
	for b.Loop() {
		if _, err := p.Credentials(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
