package main

import (
	"testing"

	"github.com/ringwall/ringwall/examples/internal/table"
)

func TestTable(t *testing.T) { table.Run(t, server()) }
