package sshguest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
)

// encryptPEM writes a key in the format of OpenSSH before 7.8 ("Proc-Type: 4,ENCRYPTED").
func encryptPEM(key *rsa.PrivateKey, passphrase string) (*pem.Block, error) {
	//nolint:staticcheck // the weak format is the point
	return x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte(passphrase), x509.PEMCipherAES128)
}
