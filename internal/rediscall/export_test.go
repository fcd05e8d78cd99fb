package rediscall

// Bracketed is bracketed.
var Bracketed = bracketed
