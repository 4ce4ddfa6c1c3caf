#!/bin/bash
# The OCI runtime specification field by field: for each line of `fields` a bundle that sets one and a program inside
# that prints what it sees; crun gets the same bundle, and output and exit status must be the same. Where the two are
# meant to differ, `exceptions` has what ours prints and why; it is an error for a listed one to agree.
# Usage: spec.sh BUILD [PATTERN]; environment: PLATFORM, ROOT, REFERENCE (a folder: crun's answers are kept there, or
# taken from it: where crun does not run).
set -u
here=$(cd "$(dirname "$0")" && pwd)
rf=$1/ringfence pattern=${2:-.}
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
kept=${REFERENCE:-$work/reference}
trap 'rm -rf "$work"' EXIT
failed=0 count=0
mkdir -p "$kept" "$work/base"

# The folder that the fields call $dir, as it was.
fill() {
	rm -rf "$work/dir"
	mkdir -p "$work/dir/dir" "$work/dir/mapped" "$work/dir/root-owned"
	echo plain >"$work/dir/plain"
	echo inner >"$work/dir/dir/inner"
	chown 100000:100000 "$work/dir/mapped"
	chmod 755 "$work" "$work/dir"
	cat >"$work/dir/hook" <<'END'
#!/bin/bash
PATH=/usr/bin:/bin
state=$(cat)
echo "$1 $A $(jq -r '[.ociVersion != null, .status, .id != "", .pid > 0, (.bundle | length) > 0] | join(" ")' <<<"$state") $(env | grep -c ^HOME=)" >>"${0%/*}/hooked"
END
	chmod +x "$work/dir/hook"
}
# One time in some hundred crun loses what a child says that cannot start the container: it ends with 255 and no word.
reference() { # NAME
	local try status
	for try in 1 2 3 4 5; do
		sh "$here/../suite/own-mounts.sh" sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"' sh \
			timeout -k 5 60 crun --cgroup-manager=disabled run -b "$work/b" "spec-$$-$1-$try" >"$kept/$1.out" 2>"$work/reference.err" </dev/null
		status=$?
		echo $status >"$kept/$1.status"
		crun --cgroup-manager=disabled delete -f "spec-$$-$1-$try" 2>/dev/null
		[ $status = 255 ] && [ ! -s "$kept/$1.out" ] && [ ! -s "$work/reference.err" ] || break
		[ $try = 5 ] || fill
	done
}
exception() { # NAME: the line of exceptions
	grep -F "$1 :: " "$here/exceptions" | awk -F ' :: ' -v n="$1" '$1 == n'
}

sh "$here/../suite/bundle.sh" "$work/base" "$debian" "$work/dir" true
while IFS= read -r line; do
	case $line in '#'* | '') continue ;; esac
	name=${line%% :: *} rest=${line#* :: }
	filter=${rest%% :: *} command=${rest#* :: }
	[[ $name =~ $pattern ]] || continue
	count=$((count + 1))
	mkdir -p "$work/b"
	jq --arg dir "$work/dir" --arg command "$command" '.process.args = ["/bin/sh", "-c", $command] |
		(.mounts[] | select(.destination == "/mnt")).options = ["bind", "rw"] | .process.noNewPrivileges = false | '"$filter" \
		"$work/base/config.json" >"$work/b/config.json" || { echo "FAIL $name: jq"; failed=1; continue; }
	[ -f "$kept/$name.status" ] || { fill; reference "$name"; }
	fill
	timeout -k 5 60 "$rf" --platform="${PLATFORM:-ptrace}" --network=none run -b "$work/b" "spec-$$-$name" >"$work/out" 2>"$work/err" </dev/null
	status=$? want=$(cat "$kept/$name.status") listed=$(exception "$name")
	same=no
	# Whoever does not start the container says so in its own words.
	[ "$status" = "$want" ] && cmp -s "$work/out" "$kept/$name.out" && same=yes
	if [ -n "$listed" ]; then
		wanted=$(awk -F ' :: ' '{ print $2 }' <<<"$listed")
		[ $same = no ] || { echo "FAIL $name: listed as an exception, but crun gives the same"; failed=1; }
		cat "$work/out" "$work/err" | tr '\n' ' ' | grep -Eq -e "$wanted" ||
			{ echo "FAIL $name: not what the list of exceptions says ('$wanted'): $(cat "$work/out" "$work/err" | head -5)"; failed=1; }
	elif [ $same = no ]; then
		echo "FAIL $name: exit status $status, crun $want"
		{ cat "$work/err"; diff "$kept/$name.out" "$work/out"; } | head -12 | sed 's/^/    /'
		failed=1
	fi
done <"$here/fields"
echo "$count fields"
exit $failed
