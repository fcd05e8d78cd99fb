package main

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ringwall/ringwall/auth/apikey"
	"github.com/ringwall/ringwall/errors"
)

// upkeep runs the tasks in the background until ctx ends. It follows the revocations of
// other shops. Once an hour, it loads the signing keys of the coming days, and rotates API
// keys that are due. Any number of shops may run it.
func (s *service) upkeep(ctx context.Context) {
	go func() { _ = s.revoked.Run(ctx) }()
	for every := time.NewTicker(time.Hour); ; {
		select {
		case <-ctx.Done():
			every.Stop()
			return
		case <-every.C:
		}
		if err := errors.Join(s.readSigningKeys(ctx), s.partners.RotateDue(ctx, s.deliver)); err != nil {
			s.logger.LogAttrs(ctx, slog.LevelError, "upkeep", slog.Any("error", err))
		}
	}
}

// readSigningKeys loads the keys of the days around now. Signed tokens stay valid, because
// a key is accepted for a day after it stops signing.
func (s *service) readSigningKeys(ctx context.Context) error {
	keys, err := s.secrets.signingKeys(time.Now())
	if err != nil {
		return err
	}
	if err := s.keys.Replace(keys...); err != nil {
		return err
	}
	if newest := keys[len(keys)-1].ID(); newest != s.newestKey {
		s.newestKey = newest
		s.logger.LogAttrs(ctx, slog.LevelInfo, "signing key made, to be published a day before it signs", slog.String("kid", newest))
	}
	return nil
}

// deliver writes an API key's new text to the folder of secrets, where its owner can read
// it.
func (s *service) deliver(_ context.Context, k apikey.Key, text string) error {
	if s.secrets.dir == "" {
		return errors.New("an API key is due, and there is no folder for its new secret; did you mean -keys?")
	}
	return s.secrets.write("partner-"+k.Name+".txt", []byte(text+"\n"), os.Rename)
}

// demoKey returns an API key to try. Shops that share a Redis share the key. Its text is
// only in the folder of secrets.
func (s *service) demoKey(ctx context.Context) (string, error) {
	if s.shared {
		known, err := s.partners.List(ctx)
		if err != nil {
			return "", err
		}
		content, _ := s.secrets.read("partner-demo.txt")
		text := strings.TrimSpace(string(content))
		if slices.ContainsFunc(known, func(k apikey.Key) bool { return strings.HasPrefix(text, "shop_"+k.ID+"_") }) {
			return text, nil
		}
	}
	key, text, err := s.partners.Create(ctx, apikey.Key{
		Name: "demo", Subject: "warehouse", Scope: []string{"stock:read"},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")},
	})
	if err == nil && s.shared {
		err = s.deliver(ctx, key, text)
	}
	return text, err
}

// partnerEvent logs the events of API keys. No event has a secret.
func (s *service) partnerEvent(ctx context.Context, e apikey.Event) {
	level := slog.LevelInfo
	if e.Reason == apikey.NetworkDenied || e.Reason == apikey.RotationOverdue {
		level = slog.LevelWarn
	}
	s.logger.LogAttrs(ctx, level, "API key", slog.String("reason", string(e.Reason)), slog.Any("key", e.Key))
}
