// Package schema tests the JSON Schemas that validate exports: another validator must
// accept and refuse the same inputs as validate.
package schema
