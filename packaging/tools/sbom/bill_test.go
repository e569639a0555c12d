package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// encoded is the bill of p as the command writes it.
func encoded(t *testing.T, p ...program) []byte {
	t.Helper()
	var b bytes.Buffer
	bom := bill("1.2.3", time.Unix(1795573130, 0).UTC(), p)
	if err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decoded(t *testing.T, data []byte) *cdx.BOM {
	t.Helper()
	bom := new(cdx.BOM)
	if err := cdx.NewBOMDecoder(bytes.NewReader(data), cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	return bom
}

// ourselves is a program that has a module and the standard library in it.
func ourselves(t *testing.T) program {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sbom")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", file, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	p, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBill_hasEveryModuleOfTheProgram(t *testing.T) {
	p := ourselves(t)
	bom := decoded(t, encoded(t, p))
	var names []string
	for _, c := range *bom.Components {
		names = append(names, c.Name+"@"+c.Version)
	}
	for _, m := range p.info.Deps {
		if want := m.Path + "@" + m.Version; !slices.Contains(names, want) {
			t.Errorf("components %q: want %s", names, want)
		}
	}
	if want := "std@" + p.info.GoVersion[2:]; !slices.Contains(names, want) {
		t.Errorf("components %q: want %s", names, want)
	}
	if got := bom.Metadata.Timestamp; got != "2026-11-25T02:18:50Z" {
		t.Errorf("timestamp: %s, want the commit's", got)
	}
}

func TestBill_refersOnlyToWhatIsThere(t *testing.T) {
	bom := decoded(t, encoded(t, ourselves(t)))
	known := map[string]bool{bom.Metadata.Component.BOMRef: true}
	for _, c := range *bom.Components {
		if known[c.BOMRef] {
			t.Errorf("two components are called %s", c.BOMRef)
		}
		known[c.BOMRef] = true
	}
	reached := 0
	for _, d := range *bom.Dependencies {
		for _, on := range *d.Dependencies {
			if reached++; !known[on] {
				t.Errorf("%s needs %s, which is not in the bill", d.Ref, on)
			}
		}
	}
	if reached < len(*bom.Components) {
		t.Errorf("%d dependencies for %d components: something is in no program", reached, len(*bom.Components))
	}
}

func TestBill_isTheSameTwice(t *testing.T) {
	p := ourselves(t)
	if a, b := encoded(t, p), encoded(t, p); !bytes.Equal(a, b) {
		t.Errorf("two bills of one program differ:\n%s\n%s", a, b)
	}
	other := p
	other.sha256 = "00"
	if decoded(t, encoded(t, p)).SerialNumber == decoded(t, encoded(t, other)).SerialNumber {
		t.Error("bills of two programs have one serial number")
	}
}

func TestOpen_refusesWhatIsNoProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(file); err == nil {
		t.Error("a shell script passed for a Go program")
	}
}
