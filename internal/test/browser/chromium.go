package browser

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/chromedp"
)

// ErrMissing means that Chromium is not installed.
var ErrMissing = errors.New("chromium is not installed")

// A Chromium is a running browser without a window.
type Chromium struct {
	ctx     context.Context
	cancel  []context.CancelFunc
	profile string
}

// Start starts Chromium. It accepts the certificate for every name, and resolves
// every name under example.test to a loopback address.
func Start(certificate *x509.Certificate) (*Chromium, error) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return nil, ErrMissing
	}
	profile, err := os.MkdirTemp("", "ringwall-chromium")
	if err != nil {
		return nil, err
	}
	pin := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(pin[:])),
		chromedp.Flag("disable-features", "LocalNetworkAccessChecks,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable"),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	c := &Chromium{profile: profile}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	c.cancel = append(c.cancel, cancel)
	c.ctx, cancel = chromedp.NewContext(allocator)
	c.cancel = append(c.cancel, cancel)
	if _, err := chromedp.Run(c.ctx, chromedp.Location()); err != nil {
		c.Stop()
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return c, nil
}

// Stop ends the browser and removes its profile.
func (c *Chromium) Stop() {
	for i := len(c.cancel) - 1; i >= 0; i-- {
		c.cancel[i]()
	}
	_ = os.RemoveAll(c.profile)
}

// A Tab is a tab of the browser.
type Tab struct{ ctx context.Context }

// Tab opens a tab for at most limit. The returned function closes it.
func (c *Chromium) Tab(limit time.Duration) (*Tab, context.CancelFunc, error) {
	ctx, cancel := chromedp.NewContext(c.ctx)
	if _, err := chromedp.Run(ctx, chromedp.Location()); err != nil {
		cancel()
		return nil, nil, fmt.Errorf("open a tab: %w", err)
	}
	limited, stop := context.WithTimeout(ctx, limit)
	return &Tab{limited}, func() { stop(); cancel() }, nil
}

// Open loads a page.
func (t *Tab) Open(url string) error {
	_, err := chromedp.Run(t.ctx, chromedp.Navigate(url))
	return err
}

// Ask evaluates a script, waits for its promise, and returns the result as a
// string.
func (t *Tab) Ask(script string) (string, error) {
	return chromedp.Run(t.ctx, chromedp.Evaluate[string]("(async () => "+script+")()", chromedp.EvalAwaitPromise))
}
