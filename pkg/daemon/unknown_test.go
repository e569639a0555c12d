package daemon

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFieldsOfANewerDaemonSurviveAnUpdate(t *testing.T) {
	s := newSealer(t)
	sealed, err := s.Seal(sealedName("a"), []byte(`{"credentials":{"h":{"name":"n","value":"v","grant":""}},"mirrors":["m"]}`))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]any{
		"v": 1, "auth_token": "ta", "run_id": "a", "registered_at": "2026-01-02T03:04:05Z", "sealed": sealed,
		"colour": "blue", "nested": map[string]any{"deep": []any{1.0, nil}},
	}
	val, err := json.Marshal(stored)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := decode(val)
	if err != nil {
		t.Fatal(err)
	}
	rc := rec.run(s)
	rc.setContainerID("c1")
	if val, err = encode(rc, s); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err = json.Unmarshal(val, &got); err != nil {
		t.Fatal(err)
	}
	if rec, err = decode(val); err != nil {
		t.Fatal(err)
	}
	plain, err := s.Open(sealedName("a"), rec.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(plain), `"mirrors":["m"]`) || !strings.Contains(string(plain), `"value":"v"`) {
		t.Errorf("the sealed rules are %s, want what a newer daemon put into them too", plain)
	}
	delete(got, "sealed")
	want := map[string]any{
		"v": 1.0, "auth_token": "ta", "run_id": "a", "container_id": "c1", "registered_at": "2026-01-02T03:04:05Z",
		"colour": "blue", "nested": map[string]any{"deep": []any{1.0, nil}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the record after an update (-want +got):\n%s", diff)
	}
}

func TestUnknownIn(t *testing.T) {
	for _, tt := range []struct {
		name, val string
		want      unknown
	}{
		{"only fields that are known", `{"v":1,"auth_token":"t","run_id":"a","sealed":"","unkept":true}`, nil},
		{"encoding/json takes a field in any case", `{"Auth_Token":"t"}`, nil},
		{"one that is not", `{"v":1,"x":{"y":2}}`, unknown{"x": json.RawMessage(`{"y":2}`)}},
		{"no object", `[1]`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, unknownIn[record]([]byte(tt.val))); diff != "" {
				t.Errorf("unknownIn[record](%s) (-want +got):\n%s", tt.val, diff)
			}
		})
	}
}

func FuzzFieldsOfANewerDaemon(f *testing.F) {
	f.Add("colour", `"blue"`)
	f.Add("V", `1`)
	f.Add("", `null`)
	f.Fuzz(func(t *testing.T, name, val string) {
		key, err := json.Marshal(name)
		if err != nil || !json.Valid([]byte(val)) || fieldsOf(reflect.TypeFor[record]())[strings.ToLower(name)] {
			t.Skip()
		}
		rec, err := decode([]byte(`{"v":1,"auth_token":"t","run_id":"a",` + string(key) + ":" + val + "}"))
		if err != nil {
			t.Skip() // a name that only differs from a known one in a way that JSON does not see
		}
		out, err := encode(rec.run(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		var before, after map[string]any
		if err := json.Unmarshal([]byte("{"+string(key)+":"+val+"}"), &before); err != nil {
			t.Skip()
		}
		if err := json.Unmarshal(out, &after); err != nil {
			t.Fatalf("the record is no JSON any more: %s", out)
		}
		for k, v := range before {
			if got, ok := after[k]; !ok || !cmp.Equal(got, v) {
				t.Errorf("the field %q is %v after an update, want %v", k, got, v)
			}
		}
	})
}
