// Package migrating builds the programs of the MIGRATING.md pages, those with
// the libraries that people come from too, and holds what the pages say of
// those libraries against them.
package migrating
