package store_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/internal/store"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	s, recovery, err := store.Open(filepath.Join(dir, "moatd.db"), store.Options{Writer: "1.4.0"})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	fmt.Println("recovered:", recovery)

	if err = s.PutRun("run_7f3a", []byte(`{"v":1,"grants":["github"]}`)); err != nil {
		log.Fatal(err)
	}
	runs, err := s.Runs()
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range runs {
		fmt.Printf("%s: %s\n", r.ID, r.Val)
	}
	// Output:
	// recovered: nothing
	// run_7f3a: {"v":1,"grants":["github"]}
}

func ExampleWriteRecord() {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "daemon.lock.db")

	before, err1 := store.ReadRecord(path)
	err2 := store.WriteRecord(path, []byte(`{"port":19080}`))
	after, err3 := store.ReadRecord(path)
	if err := errors.Join(err1, err2, err3); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q, then %s\n", before, after)
	// Output: "", then {"port":19080}
}
