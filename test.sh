#!/usr/bin/env bash
# Runs every check and test of the project, on a fresh machine with Go and git.
# Installs what is missing. Ends with a plain verdict.
set -uo pipefail
cd "$(dirname "$0")"

fuzztime=${FUZZTIME:-5s}
failed=()
log=$(mktemp)
trap 'rm -f "$log" "$log.failed"' EXIT
# What a line begins with that says what failed.
faults='^ *(--- FAIL|FAIL|panic:|fatal error:|WARNING: DATA RACE|-- fuzz )'

# step NAME COMMAND...: what a failed one said is repeated before the verdict,
# since servers of continuous integration show the end of a log.
step() {
	local name=$1
	shift
	echo "== $name"
	if ! "$@" 2>&1 | tee "$log"; then
		failed+=("$name")
		echo "-- $name failed"
		{ echo "-- $name:"; grep -E -A 15 "$faults" "$log" || tail -n 30 "$log"; } | head -n 80 >>"$log.failed"
	fi
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need COMMAND PACKAGE: installs the package that has the command.
need() {
	command -v "$1" >/dev/null && return
	echo "installing $2"
	if command -v apt-get >/dev/null; then
		as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
	elif command -v dnf >/dev/null; then
		as_root dnf install -y -q "$2"
	elif command -v apk >/dev/null; then
		as_root apk add --quiet "$2" musl-dev
	elif command -v brew >/dev/null; then
		brew install --quiet "$2"
	fi
	command -v "$1" >/dev/null
}

# need_chromium installs the browser, whose command has two names.
need_chromium() { command -v chromium-browser >/dev/null || need chromium chromium; }

# need_node installs Node.js 20 or newer and its package manager, for a provider that
# tests start.
need_node() {
	need node nodejs && need npm npm || return
	node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' && return
	echo "Node.js $(node --version) is older than 20"
	return 1
}

# need_redis installs the server, whose package has two names. No service is
# needed: tests start servers of their own.
need_redis() {
	if command -v apt-get >/dev/null; then
		need redis-server redis-server
	else
		need redis-server redis
	fi
}

formatted() {
	local files
	files=$(gofmt -l .)
	[ -z "$files" ] || { echo "$files"; return 1; }
}

# modules lists the folders that hold a go.mod.
modules() { git ls-files --cached --others --exclude-standard '*go.mod' | xargs -n1 dirname; }

in_modules() { # in_modules COMMAND...: runs it in every module
	local status=0 dir
	for dir in $(modules); do
		(cd "$dir" && "$@") || status=1
	done
	return $status
}

lint() { go run "honnef.co/go/tools/cmd/staticcheck@v0.8.2" -checks all ./...; }

# fuzz runs every fuzz target of a module for a short time.
fuzz() {
	local status=0 package target
	for package in $(go list ./...); do
		for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz'); do
			fuzz_one "$target" "$package" || status=1
		done
	done
	return $status
}

# late reports whether a fuzzer says nothing but that its time is over.
late() {
	local out
	out=$(cat)
	! grep -q 'testdata/fuzz/\|seed corpus' <<<"$out" && grep -q '^ *context deadline exceeded$' <<<"$out"
}

# fuzz_one TARGET PACKAGE: a finding names its input. A failure that names none
# is the fuzzer's own: a deadline, when the time ends while an input is
# shortened, says nothing; another, such as a worker that the system killed, gets
# one more try.
fuzz_one() {
	local out written
	for _ in 1 2; do
		if out=$(go test -run '^$' -fuzz "^$1\$" -fuzztime "$fuzztime" -fuzzminimizetime 1s "$2" 2>&1) || late <<<"$out"; then
			tail -n 3 <<<"$out"
			return
		fi
		echo "-- fuzz $1 of $2 failed"
		tail -n 50 <<<"$out"
		if written=$(grep -o 'testdata/fuzz/[^ ]*$' <<<"$out"); then
			cat "$(go list -f '{{.Dir}}' "$2")/$(head -n 1 <<<"$written")"
			break
		fi
	done
	return 1
}

# vulnerable asks the database of known vulnerabilities, where it answers.
vulnerable() {
	if ! curl -fsS -m 10 -o /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; then
		echo "the database of vulnerabilities cannot be reached: not asked"
		return
	fi
	go run golang.org/x/vuln/cmd/govulncheck@latest ./...
}

step "go" command -v go
step "C compiler" need gcc gcc
step "curl" need curl curl
step "Chromium" need_chromium
step "Redis" need_redis
step "Node.js" need_node
export CGO_ENABLED=1 RINGWALL_REQUIRE_SERVERS=1
step "gofmt" formatted
step "go vet" in_modules go vet ./...
step "staticcheck" in_modules lint
step "go mod tidy" in_modules go mod tidy -diff
step "tests" in_modules go test -race -shuffle=on -count=1 ./...
# Under the race detector these play a tenth of them.
step "a million tokens" go test -count=1 -run '^TestMutated' ./auth/token
step "fuzz" in_modules fuzz
step "govulncheck" in_modules vulnerable

echo
if [ ${#failed[@]} -gt 0 ]; then
	cat "$log.failed"
	echo "FAIL: ${failed[*]}"
	exit 1
fi
echo "PASS"
