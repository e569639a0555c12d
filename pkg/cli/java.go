package cli

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format demands it; the file's owner is its protection
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"strings"
	"unicode/utf16"
)

// javaOptions returns the system properties of a Java program: its proxy, its
// roots, and that it may use Basic authentication for a tunnel, which Java since
// 8u111 does not by itself. Java has no property for the token: a program gets
// it from HTTPS_PROXY, or sets an Authenticator.
func javaOptions(home string, port int) []string {
	trust := javaTrustFile(home)
	if strings.ContainsAny(trust, " \t") {
		trust = `"` + trust + `"`
	}
	return []string{
		"-Dhttp.proxyHost=127.0.0.1", fmt.Sprintf("-Dhttp.proxyPort=%d", port),
		"-Dhttps.proxyHost=127.0.0.1", fmt.Sprintf("-Dhttps.proxyPort=%d", port),
		"-Dhttp.nonProxyHosts=", "-Djdk.http.auth.tunneling.disabledSchemes=",
		"-Djavax.net.ssl.trustStore=" + trust,
	}
}

// The numbers of a JKS file, as sun.security.provider.JavaKeyStore has them.
const (
	jksMagic   = 0xfeedfeed
	jksVersion = 2
	jksTrusted = 2 // the tag of a certificate without a key
	jksSalt    = "Mighty Aphrodite"
)

// javaPassword is Java's own default. The roots are no secret; Java wants one to
// check the digest, and reads the file without it as well.
const javaPassword = "changeit"

// javaTrust returns the certificates of a PEM file as a key store of the JKS
// format, the one that every Java reads without a password: older ones read no
// PEM. What is no certificate is left out.
func javaTrust(roots []byte) []byte {
	var ders [][]byte
	for block, rest := pem.Decode(roots); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			ders = append(ders, block.Bytes)
		}
	}
	data := be32(nil, jksMagic, jksVersion, len(ders))
	for i, der := range ders {
		data = be32(data, jksTrusted)
		data = javaUTF(data, fmt.Sprintf("root%d", i))
		data = binary.BigEndian.AppendUint64(data, 0) // when it was added; the same roots make the same file
		data = javaUTF(data, "X.509")
		data = append(be32(data, len(der)), der...)
	}
	digest := sha1.New() //nolint:gosec // see the import
	for _, c := range utf16.Encode([]rune(javaPassword)) {
		digest.Write(binary.BigEndian.AppendUint16(nil, c))
	}
	digest.Write([]byte(jksSalt))
	digest.Write(data)
	return digest.Sum(bytes.Clone(data))
}

func be32(b []byte, numbers ...int) []byte {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // counts and lengths in memory
	}
	return b
}

// javaUTF appends ASCII text as java.io.DataOutput.writeUTF does.
func javaUTF(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(text))) //nolint:gosec // a few characters
	return append(b, text...)
}
