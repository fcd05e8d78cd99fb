// Package migrating builds the programs of the MIGRATING.md pages, also those
// with the other libraries, and checks the statements about those libraries.
package migrating
