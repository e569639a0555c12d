// Command sbom writes the bill of materials of Go programs, as CycloneDX 1.6 in
// JSON, from what the linker put into them.
//
//	sbom VERSION TIME FILE... >bom.json
//
// VERSION is that of the programs and TIME that of their commit, in seconds
// since 1970. The same programs have the same bill, to the byte.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: sbom VERSION TIME FILE...")
	}
	seconds, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return fmt.Errorf("time of the commit: %w", err)
	}
	var programs []program
	for _, file := range args[2:] {
		p, err := open(file)
		if err != nil {
			return err
		}
		programs = append(programs, p)
	}
	encoder := cdx.NewBOMEncoder(os.Stdout, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false)
	return encoder.EncodeVersion(bill(args[0], time.Unix(seconds, 0).UTC(), programs), cdx.SpecVersion1_6)
}

// A program is a file with what it was built from.
type program struct {
	name   string
	sha256 string
	info   *buildinfo.BuildInfo
}

func open(file string) (program, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return program{}, err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return program{}, fmt.Errorf("read what %s was built from: %w", file, err)
	}
	sum := sha256.Sum256(data)
	return program{filepath.Base(file), hex.EncodeToString(sum[:]), info}, nil
}
