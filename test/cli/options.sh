#!/bin/bash
# Global options from the command line, the configuration file and annotations; help, man pages and completion have every option.
# Usage: options.sh BUILD
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
rf="$1/ringfence --platform=${PLATFORM:-ptrace}"
. "$(dirname "$0")/../check.sh"
trap 'rm -rf "$work"' EXIT
refused() { # NAME PATTERN COMMAND…: exit status 1 and one line that matches
	local name=$1 pattern=$2
	shift 2
	timeout -k 5 60 "$@" >"$work/out" 2>"$work/err" </dev/null
	check "$name: exit status" 1 $?
	check "$name: lines" 1 "$(wc -l <"$work/err")"
	grep -Eq -- "$pattern" "$work/err" || { echo "$name: wanted '$pattern', got: $(cat "$work/err")"; failed=1; }
}
config() { # JSON: a configuration file
	printf '%s' "$1" >"$work/config"
	echo "--config=$work/config"
}
bundle() { # NAME FILTER COMMAND…
	sh "$here/suite/bundle.sh" "$work/$1" "$debian" "$work" "${@:3}"
	jq "$2" "$work/$1/config.json" >"$work/new" && mv "$work/new" "$work/$1/config.json"
}

# The configuration file: every key at its place, the command line first
check "root by the file" "$work/state/one" "$(bundle true . true; $rf "$(config "{\"root\": \"$work/state\"}")" run --keep -b "$work/true" one </dev/null; echo "$work"/state/one)"
check "and gone again" "" "$($rf --root="$work/state" delete one; ls -I kvm-self-test "$work/state")"
mkdir "$work/other"
check "the command line wins" null "$($rf "$(config "{\"root\": \"$work/state\"}")" --root="$work/other" list -f json)"
$rf "$(config "{\"strace\": true, \"debug-log\": \"$work/%COMMAND%-%ID%-%TIMESTAMP%.log\"}")" --root="$work/state" run -b "$work/true" two </dev/null
grep -q exit_group "$work"/run-two-[0-9]*.log || { echo "strace and debug-log by the file: $(ls "$work")"; failed=1; }
check "a flag turned off" "" "$($rf "$(config '{"strace": true}')" --strace=false --root="$work/state" run -b "$work/true" two </dev/null 2>&1)"
refused "an unknown key" "configuration: $work/config: colour: no such option" $rf "$(config '{"colour": "red"}')" list
refused "a wrong type" "$work/config: debug: not true or false" $rf "$(config '{"debug": "yes"}')" list
refused "another wrong type" "$work/config: root: not a string" $rf "$(config '{"root": 7}')" list
refused "a wrong value" "$work/config: platform: xen: not a platform" "$1/ringfence" "$(config '{"platform": "xen"}')" list
refused "config in the file" "$work/config: config: not in a configuration file" $rf "$(config '{"config": "x"}')" list
refused "no JSON" "configuration: $work/config: " $rf "$(config '{"debug"')" list
refused "no object" "$work/config: not a JSON object" $rf "$(config '[]')" list
refused "no file" "configuration: $work/none: No such file" $rf --config="$work/none" list

# Annotations tighten, and nothing else
note() { # OPTION VALUE: a bundle with that annotation
	bundle "note" ".annotations = {\"dev.ringfence.flag.$1\": \"$2\"} | .root.readonly = false" "${@:3}"
	echo "$work/note"
}
rf="$rf --root=$work/state"
check "network none" "1" "$($rf run -b "$(note network none sh -c 'tail -n +3 /proc/net/dev | wc -l')" n </dev/null)"
check "the same is no change" 0 "$($rf run -b "$(note network sandbox true)" n </dev/null; echo $?)"
check "an overlay" "made" "$(rm -f "$debian/annotation-test"; $rf run -b "$(note overlay true sh -c 'echo made >/annotation-test && cat /annotation-test')" n </dev/null)"
check "stays in memory" no "$([ -e "$debian/annotation-test" ] && echo yes || echo no)"
refused "a wider network" 'config.json: .*annotations: dev.ringfence.flag.network: sandbox: an annotation may only tighten' $rf --network=none run -b "$(note network sandbox true)" n
other=$([ "${PLATFORM:-ptrace}" = systrap ] && echo ptrace || echo systrap)
refused "another platform" "flag.platform: $other: an annotation may only tighten" $rf run -b "$(note platform $other true)" n
refused "no overlay" 'flag.overlay: false: an annotation may only tighten' $rf --overlay run -b "$(note overlay false true)" n
refused "strace" 'flag.strace: true: an annotation may not set this option' $rf run -b "$(note strace true true)" n
refused "another root" 'flag.root: /x: an annotation may not set this option' $rf run -b "$(note root /x true)" n
refused "no such option" 'flag.colour: red: no such option' $rf run -b "$(note colour red true)" n
check "nothing left" "" "$(ls -I kvm-self-test "$work/state")"

# Refused by name
refused "checkpoint" 'checkpoint: not supported' $rf checkpoint x
refused "restore" 'restore: not supported' $rf restore --image-path /x y
refused "criu" '--criu: x: not supported' $rf --criu=x list
refused "file access" '--file-access: shared: not supported' $rf --file-access=shared list
refused "no such command" 'bogus: no such command' $rf bogus
refused "apparmor" '--apparmor: profiles are not supported' $rf exec --apparmor x y true
refused "no keyring" '--no-new-keyring: ' $rf create --no-new-keyring x
refused "blkio" '--blkio-weight: 9: not from 10 to 1000' $rf update --blkio-weight=9 x

# Help: of each command, without doing it
commands=$($rf help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | sort -u)
check "many commands" yes "$([ "$(echo "$commands" | wc -w)" -ge 24 ] && echo yes)"
for command in $commands; do
	check "help of $command" "Usage: ringfence [GLOBAL OPTION]... $command" "$($rf "$command" --help | head -1 | cut -d' ' -f1-5)"
	check "the other help of $command" "$($rf "$command" --help)" "$($rf help "$command")"
done

# The man page and the completion have each command and option
top=$here/..
page=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$top/cli/man/ringfence.1")
complete_line() { # WORD…: what bash would offer for the last one
	(
		ringfence() { $rf "$@"; }
		compopt() { :; }
		. "$top/cli/completion/ringfence"
		COMP_WORDS=(ringfence "$@") COMP_CWORD=$#
		_ringfence
		printf '%s\n' "${COMPREPLY[@]}"
	)
}
options_of() { # [COMMAND]: the names in its help
	$rf $1 --help | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p'
}
for command in "" $commands; do
	[ -z "$command" ] || grep -Eq "^\.SS .*\b$command\b" <<<"$page" || { echo "man page: no $command"; failed=1; }
	offered=$(complete_line $command -- | tr -d =)
	for option in $(options_of "$command"); do
		grep -q -- "$option" <<<"$page" || { echo "man page: no $option of ${command:-ringfence}"; failed=1; }
		grep -qx -- "$option" <<<"$offered" || { echo "completion: no $option of ${command:-ringfence}"; failed=1; }
	done
done
check "completion of commands" "$commands" "$(complete_line "" | sort)"
check "completion of a word" "kvm" "$(complete_line --platform = k)"
check "completion of a command's word" "json" "$(complete_line list --format = j)"
for key in $($rf help | sed -n '/^Options/,$s/^  \(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' | grep -Ev '^(help|version|config)$'); do
	grep -q -- "\b$key\b" "$top/cli/man/ringfence-config.5" || { echo "ringfence-config.5: no $key"; failed=1; }
done
exit $failed
