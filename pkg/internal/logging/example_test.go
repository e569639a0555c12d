package logging_test

import (
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/moatd/moatd/pkg/internal/logging"
	"github.com/sirupsen/logrus"
)

func ExampleNew() {
	redactor := logging.NewRedactor()
	redactor.Add("correct horse battery")
	log, err := logging.New(logging.Options{Format: logging.Text, Out: os.Stdout, Redactor: redactor})
	if err != nil {
		fmt.Println(err)
		return
	}
	log.WithTime(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)).WithFields(logrus.Fields{
		"run_id": "run_7f3a",
		"url":    "https://h/?q=correct+horse+battery",
	}).Warn("request refused")
	// Output: time="2026-11-23T10:00:00.000Z" level=warning msg="request refused" run_id=run_7f3a url="https://h/?q=[redacted]"
}

func ExampleRedactor() {
	r := logging.NewRedactor()
	r.Add("correct horse battery")
	fmt.Println(r.Redact("as base64: dXNlcjpjb3JyZWN0IGhvcnNlIGJhdHRlcnk="))
	fmt.Println(r.Redact("never told: ghp_16C7e42F292c6912E7710c838347Ae178B4a"))
	// Output:
	// as base64: dXNlcjp[redacted]k=
	// never told: [redacted]
}

func ExampleStd() {
	log, err := logging.New(logging.Options{Format: logging.JSON, Out: os.Stderr})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := http.Server{ErrorLog: logging.Std(log, logrus.WarnLevel), ReadHeaderTimeout: time.Minute}
	fmt.Println(srv.ErrorLog.Prefix() == "")
	// Output: true
}
