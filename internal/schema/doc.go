// Package schema lets another program's validator judge the schemas that
// validate exports: for the same inputs, its verdict is ours.
package schema
