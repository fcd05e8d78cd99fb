package browser

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// Files writes the server's certificate and its key to a folder, for another
// server that the same browser shall take.
func (s *Server) Files(dir string) (certificate, key string, err error) {
	pair := s.servers[1].TLSConfig.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", "", err
	}
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return "", "", err
		}
	}
	return certificate, key, nil
}
