package browser

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	logs "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Problems collects the warnings and errors in a tab's console, without the 4xx
// and 5xx responses that Chromium logs there.
type Problems struct {
	mu   sync.Mutex
	list []string
}

// List returns the problems so far.
func (p *Problems) List() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.list...)
}

func (p *Problems) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, fmt.Sprintf(format, args...))
}

// Watch collects the problems of a tab from now on.
func (t *Tab) Watch() (*Problems, error) {
	p := new(Problems)
	return p, chromedp.Listen(t.ctx, func(event any) {
		switch e := event.(type) {
		case *logs.EventEntryAdded:
			if e.Entry.Source != logs.EntrySourceNetwork && e.Entry.Level != logs.EntryLevelInfo && e.Entry.Level != logs.EntryLevelVerbose {
				p.add("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				p.add("console.%s", e.Type)
			}
		case *runtime.EventExceptionThrown:
			p.add("exception: %s", e.ExceptionDetails.Text)
		}
	})
}

// Look gives the tab a size in CSS pixels, and light or dark colours.
func (t *Tab) Look(width, height int64, dark bool) error {
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	if _, err := chromedp.Run(t.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		return err
	}
	_, err := chromedp.Run(t.ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
	return err
}

// Press types keys, as a keyboard does.
func (t *Tab) Press(keys string) error {
	_, err := chromedp.Run(t.ctx, chromedp.KeyEvent(keys))
	return err
}

// Photograph writes a picture of the whole page to a file, as PNG.
func (t *Tab) Photograph(file string) error {
	png, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o600)
}
