package token

import "context"

// FetchNow fetches the keys, however recent the last fetch is, and waits.
func FetchNow(ctx context.Context, r *Remote) {
	r.mu.Lock()
	r.latest = nil
	r.mu.Unlock()
	<-r.fetch(ctx, r.now()).done
}
