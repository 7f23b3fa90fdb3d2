#!/bin/sh
# Runs every fuzz test of the module for a time, 10s or 1m, one after the other. What one finds is in the
# package's testdata/fuzz, to be committed with the mending.
set -eu
time=${1:-10s}
n=0
for file in $(git ls-files --cached --others --exclude-standard '*_test.go' | xargs grep -l '^func Fuzz'); do
	folder=$(dirname "$file")
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
		echo "fuzz: $folder $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "./$folder" >/tmp/fuzz.$$ 2>&1 ||
			{ cat /tmp/fuzz.$$; rm -f /tmp/fuzz.$$; exit 1; }
		n=$((n + 1))
	done
done
rm -f /tmp/fuzz.$$
echo "fuzz: $n tests, $time each, nothing found"
