module github.com/ringwall/ringwall/internal/bench

go 1.26.0

replace github.com/ringwall/ringwall => ../..

require (
	github.com/go-chi/chi/v5 v5.5.0
	github.com/go-chi/cors v1.2.2
	github.com/jub0bs/cors v1.0.1
	github.com/ringwall/ringwall v0.0.0-00010101000000-000000000000
	github.com/rs/cors v1.11.1
	github.com/stretchr/testify v1.12.1
	github.com/unrolled/secure v1.17.0
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
