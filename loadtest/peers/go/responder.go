// An OCSP responder as one writes it in Go: x/crypto/ocsp, net/http, and nothing else.
//
//	responder memory|live ISSUER.pem SIGNER.pem SIGNER.key SERIALS.txt
//
// "memory" signs an answer for every serial number of the file before it listens and then looks them up;
// "live" signs each answer when it is asked for. Everything listed is good. It prints its URL and serves
// until it is ended. Built and run by loadtest/peers/run.
package main

import (
	"bufio"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"
)

type responder struct {
	issuer, signer *x509.Certificate
	key            crypto.Signer
	issued         map[string][]byte // by serial: its answer, or nil where answers are signed live
	live           bool
}

func block(file string) []byte {
	text, err := os.ReadFile(file)
	stop(err)
	found, _ := pem.Decode(text)
	if found == nil {
		stop(errors.New(file + ": no PEM in it"))
	}
	return found.Bytes
}

func stop(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: go responder:", err)
		os.Exit(1)
	}
}

func (r *responder) sign(serial *big.Int, hash crypto.Hash) ([]byte, error) {
	now := time.Now().UTC().Truncate(time.Second)
	template := ocsp.Response{
		Status:       ocsp.Good,
		SerialNumber: serial,
		ThisUpdate:   now,
		NextUpdate:   now.Add(24 * time.Hour),
		Certificate:  r.signer,
		IssuerHash:   hash,
	}
	return ocsp.CreateResponse(r.issuer, r.signer, template, r.key)
}

func (r *responder) answer(der []byte) []byte {
	request, err := ocsp.ParseRequest(der)
	if err != nil {
		return ocsp.MalformedRequestErrorResponse
	}
	known, listed := r.issued[string(request.SerialNumber.Bytes())]
	if !listed {
		return ocsp.UnauthorizedErrorResponse
	}
	if !r.live {
		return known
	}
	signed, err := r.sign(request.SerialNumber, request.HashAlgorithm)
	if err != nil {
		return ocsp.InternalErrorErrorResponse
	}
	return signed
}

func (r *responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var der []byte
	var err error
	if request.Method == http.MethodGet {
		var text string
		if text, err = url.PathUnescape(strings.TrimPrefix(request.URL.EscapedPath(), "/")); err == nil {
			der, err = base64.StdEncoding.DecodeString(text)
		}
	} else {
		der, err = io.ReadAll(io.LimitReader(request.Body, 8192))
	}
	answer := ocsp.MalformedRequestErrorResponse
	if err == nil {
		answer = r.answer(der)
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	w.Write(answer)
}

func main() {
	if len(os.Args) != 6 || (os.Args[1] != "memory" && os.Args[1] != "live") {
		stop(errors.New("usage: responder memory|live ISSUER.pem SIGNER.pem SIGNER.key SERIALS.txt"))
	}
	r := &responder{issued: map[string][]byte{}, live: os.Args[1] == "live"}
	var err error
	r.issuer, err = x509.ParseCertificate(block(os.Args[2]))
	stop(err)
	r.signer, err = x509.ParseCertificate(block(os.Args[3]))
	stop(err)
	key, err := x509.ParsePKCS8PrivateKey(block(os.Args[4]))
	stop(err)
	r.key = key.(crypto.Signer)

	file, err := os.Open(os.Args[5])
	stop(err)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		serial, ok := new(big.Int).SetString(words[0], 16)
		if !ok {
			stop(errors.New("a line of the serials is no hexadecimal number"))
		}
		var answer []byte
		if !r.live {
			answer, err = r.sign(serial, crypto.SHA1)
			stop(err)
		}
		r.issued[string(serial.Bytes())] = answer
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	stop(err)
	fmt.Printf("http://%s\n", listener.Addr())
	stop(http.Serve(listener, r))
}
