package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"

	"github.com/sidewarden/sidewarden/config"
	"github.com/sidewarden/sidewarden/policy/compile"
)

// maxKeyFile bounds a file of certificates or of a key, in bytes.
const maxKeyFile = 4 << 20

// keyFiles reads PEM files of a configuration, and collects what is wrong with them. No
// problem holds a part of a file.
type keyFiles struct {
	config   *config.Config
	digest   hash.Hash
	problems []error
}

func (f *keyFiles) problem(field, path, cause, fix string) {
	f.problems = append(f.problems, f.config.At(field, fmt.Sprintf("%s (%s)", cause, path), fix))
}

func (f *keyFiles) sum() [sha256.Size]byte { return [sha256.Size]byte(f.digest.Sum(nil)) }

// read returns the content of a file, nil with a problem.
func (f *keyFiles) read(field, path, fix string) []byte {
	data, err := compile.ReadUpTo(path, maxKeyFile)
	switch {
	case err != nil:
		f.problem(field, path, err.Error(), fix)
		return nil
	case len(data) > maxKeyFile:
		f.problem(field, path, fmt.Sprintf("the file has more than %d bytes", maxKeyFile), fix)
		return nil
	case len(bytes.TrimSpace(data)) == 0:
		f.problem(field, path, "the file holds no certificate or key: it is empty", fix)
		return nil
	}
	_, _ = fmt.Fprintf(f.digest, "%s %d:", field, len(data)) // a hash takes everything
	_, _ = f.digest.Write(data)
	return data
}

// pair reads a certificate chain and its key from the fields cert_file and key_file
// under at.
func (f *keyFiles) pair(at, certFile, keyFile string) tls.Certificate {
	const fixCert, fixKey = "give a PEM file with the certificate chain, leaf first", "give the PEM file with the key of the certificate"
	cert, key := f.read(at+".cert_file", certFile, fixCert), f.read(at+".key_file", keyFile, fixKey)
	if cert == nil || key == nil {
		return tls.Certificate{}
	}
	if _, err := certificatesIn(cert); err != nil {
		f.problem(at+".cert_file", certFile, err.Error(), fixCert)
		return tls.Certificate{}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		f.problem(at+".key_file", keyFile, fmt.Sprintf("the key can not be used with %s.cert_file: %v", at, err), fixKey)
	}
	return pair
}

// authorities reads a pool of certificates; nil with a problem.
func (f *keyFiles) authorities(field, path string) *x509.CertPool {
	const fix = "give a PEM file with at least one certificate"
	data := f.read(field, path, fix)
	if data == nil {
		return nil
	}
	all, err := certificatesIn(data)
	if err != nil {
		f.problem(field, path, err.Error(), fix)
		return nil
	}
	pool := x509.NewCertPool()
	for _, c := range all {
		pool.AddCert(c)
	}
	return pool
}

// certificatesIn returns the certificates of a PEM file. One that can not be read is an
// error: a file of which only a part counts is not the one that somebody wrote.
func certificatesIn(data []byte) ([]*x509.Certificate, error) {
	const begin = "-----BEGIN CERTIFICATE-----"
	want := bytes.Count(data, []byte(begin))
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file can not be read: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	switch {
	case want == 0:
		return nil, errors.New("the file holds no certificate")
	case len(all) < want:
		return nil, fmt.Errorf("the file holds %d certificates of which only %d can be read", want, len(all))
	}
	return all, nil
}

// keyFilesOf lists the files that openings reads.
func keyFilesOf(c *config.Config) []string {
	var all []string
	if t := c.Listen.TLS; t != nil {
		all = append(all, t.CertFile, t.KeyFile, t.ClientCAFile)
	}
	if t := c.Backend.TLS; t != nil {
		all = append(all, t.CAFile, t.CertFile, t.KeyFile)
	}
	files := all[:0]
	for _, path := range all {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}
