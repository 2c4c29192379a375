// golang.org/x/crypto/ocsp asks: ask URL, questions on standard input as questions.py writes them.
// It knows neither several certificates in a request nor nonces; those are not asked here.
package main

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/crypto/ocsp"
)

func main() {
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		fields := strings.Split(questions.Text(), "\t")
		said, err := ask(os.Args[1], fields[1], fields[2], fields[4] == "1")
		if err != nil {
			said = err.Error()
		}
		fmt.Printf("%s\t%s\n", fields[0], said)
	}
}

func ask(responder, authority, hexadecimal string, get bool) (string, error) {
	text, err := os.ReadFile(authority)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	issuer, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	serial, _ := new(big.Int).SetString(hexadecimal, 16)
	card := &x509.Certificate{SerialNumber: serial}
	request, err := ocsp.CreateRequest(card, issuer, nil)
	if err != nil {
		return "", err
	}
	var answer *http.Response
	if get {
		answer, err = http.Get(responder + url.PathEscape(base64.StdEncoding.EncodeToString(request)))
	} else {
		answer, err = http.Post(responder, "application/ocsp-request", bytes.NewReader(request))
	}
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	octets, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	// Verifies the signature, the delegate and that the answer is about this card.
	response, err := ocsp.ParseResponseForCert(octets, card, issuer)
	if err != nil {
		return "", err
	}
	switch response.Status {
	case ocsp.Good:
		return "good", nil
	case ocsp.Revoked:
		return fmt.Sprintf("revoked:%d", response.RevocationReason), nil
	default:
		return "unknown", nil
	}
}
