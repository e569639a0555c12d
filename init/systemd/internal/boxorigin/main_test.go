package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHandler_remembersWhatItWasAsked(t *testing.T) {
	h := newHandler()
	r := httptest.NewRequest("POST", "/a/b?c=d", nil)
	r.Header.Set("Authorization", "Bearer x")
	ask(h, r)
	ask(h, httptest.NewRequest("GET", "/seen", nil))

	got := ask(h, httptest.NewRequest("GET", "/seen", nil)).Body.String()
	const want = `[{"method":"POST","path":"/a/b","authorization":"Bearer x"}]` + "\n"
	if got != want {
		t.Errorf("GET /seen: %s, want %s", got, want)
	}
}

func TestHandler_slowTakesThreeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		body := ask(newHandler(), httptest.NewRequest("GET", "/slow", nil)).Body.String()
		if took := time.Since(start); took != 3*time.Second || strings.Count(body, "\n") != 6 {
			t.Errorf("GET /slow: %q after %v, want six lines after 3s", body, took)
		}
	})
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
