#!/bin/bash
# A host that gives few descriptors: programs that look at more files than the gofer can hold see each of them all the same.
# Usage: descriptors.sh BUILD
set -u
rf=$(realpath "$1")/ringfence
work=$(mktemp -d /var/tmp/rf-descriptors.XXXXXX)
trap 'rm -rf "$work"' EXIT
failed=0
mkdir "$work/tree"
for folder in $(seq 40); do
	mkdir "$work/tree/$folder"
	for file in $(seq 30); do echo "$folder $file" >"$work/tree/$folder/$file"; done
done
cd "$work/tree" || exit 1
for command in "grep -r 7" "for i in *; do ls -l \$i \$i/*; cat \$i/*; done"; do
	bash -c "$command" >"$work/expected" 2>&1
	(
		ulimit -n 300
		timeout -k 5 60 "$rf" --root "$work/state" --platform="${PLATFORM:-ptrace}" --network=none do -- bash -c "$command"
	) >"$work/out" 2>&1
	cmp -s <(sort "$work/expected") <(sort "$work/out") || {
		echo "FAIL $command"
		diff <(sort "$work/expected") <(sort "$work/out") | head -5
		failed=1
	}
done
exit $failed
