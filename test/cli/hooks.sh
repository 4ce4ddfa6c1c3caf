#!/bin/bash
# Hooks: each at its point, in order, with the state on standard input, its own environment, and its timeout.
# Also the seccomp profile, which fails or ends calls as it says. Usage: hooks.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
trap 'rm -rf "$work"' EXIT
cat >"$work/hook" <<'END'
#!/bin/bash
echo "$1 $(jq -r '.status + " " + .id + " " + (.pid > 0 | tostring)') $X $(env | grep -c HOME)" >>"$(dirname "$0")/log"
[ "$1" != "$FAIL" ] || { echo "it failed" >&2; exit 3; }
[ "$1" != "$HANG" ] || sleep 100
END
chmod +x "$work/hook"
sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sh -c 'echo program >>/mnt/log'
hooks() { # FAIL HANG
	jq --arg h "$work/hook" --arg fail "$1" --arg hang "$2" '(.mounts[] | select(.destination == "/mnt")).options = ["bind", "rw"] |
		.hooks = ([["prestart", "createRuntime", "createContainer", "poststart", "poststop"][] |
		{key: ., value: [{path: $h, args: ["hook", .], env: ["PATH=/usr/bin:/bin", "X=y", "FAIL=" + $fail, "HANG=" + $hang], timeout: (if . == $hang then 2 else 60 end)}]}] |
		from_entries)' "$work/b/config.json" >"$work/new"
	mv "$work/new" "$work/b/config.json"
	rm -f "$work/log"
}
hooks none none
$rf run -b "$work/b" one </dev/null; check "run with hooks" 0 $?
# The program and the poststart hook run side by side.
check "hooks" "prestart creating one true y 0,createRuntime creating one true y 0,createContainer creating one true y 0,poststop stopped one false y 0," \
	"$(grep -v -e program -e poststart "$work/log" | tr '\n' ,)"
check "the program" 1 "$(grep -c program "$work/log")"
check "poststart" "poststart running one true y 0" "$(grep poststart "$work/log")"
hooks createRuntime none
$rf run -b "$work/b" one </dev/null 2>"$work/err"; check "a hook that fails" 1 $?
grep -q 'error running createRuntime hook #0: .*exit status 3: it failed' "$work/err" || { cat "$work/err"; failed=1; }
check "what ran then" "prestart createRuntime poststop" "$(awk '{ printf "%s%s", s, $1; s = " " }' "$work/log")"
hooks none createContainer
$rf run -b "$work/b" one </dev/null 2>"$work/err"; check "a hook that hangs" 1 $?
grep -q 'createContainer hook #0: .*took longer than its 2 s' "$work/err" || { cat "$work/err"; failed=1; }
hooks poststart none
$rf run -b "$work/b" one </dev/null 2>"$work/err"; check "a poststart hook that fails only warns" 0 $?
grep -q 'warning: poststart hook' "$work/err" || { cat "$work/err"; failed=1; }
jq '.hooks = {prestart: [{path: "relative"}]}' "$work/b/config.json" >"$work/new" && mv "$work/new" "$work/b/config.json"
$rf run -b "$work/b" one </dev/null 2>"$work/err"; check "a relative path" 1 $?
grep -q 'hooks.prestart\[0\]: path: not an absolute path' "$work/err" || { cat "$work/err"; failed=1; }
[ -z "$(ls -I kvm-self-test "$work/root")" ] || { echo "left: $(ls -I kvm-self-test "$work/root")"; failed=1; }

seccomp() { # FILTER COMMAND…
	sh "$here/suite/bundle.sh" "$work/s" "$debian" "$work" "${@:2}"
	jq ".linux.seccomp = $1" "$work/s/config.json" >"$work/new" && mv "$work/new" "$work/s/config.json"
	timeout -k 5 60 $rf run -b "$work/s" two </dev/null 2>&1
}
profile='{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], syscalls: [
	{names: ["mkdir", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 28},
	{names: ["fchmodat", "chmod"], action: "SCMP_ACT_ERRNO", args: [{index: 2, value: 448, op: "SCMP_CMP_EQ"}]},
	{names: ["sync"], action: "SCMP_ACT_KILL_PROCESS"}]}'
check "seccomp: an error of one's own" 1 "$(seccomp "$profile" mkdir /tmp/x | grep -c 'No space left')"
check "seccomp: by an argument" 1 "$(seccomp "$profile" sh -c 'chmod 700 /tmp; chmod 711 /tmp' | grep -c 'not permitted')"
check "seccomp: killed" 159 "$(seccomp "$profile" sh -c sync >/dev/null; echo $?)"
check "seccomp: a mode in proc" 2 "$(seccomp "$profile" sed -n 's/^Seccomp:.//p' /proc/self/status)"
for bad in '{}' '{defaultAction: "SCMP_ACT_BOGUS"}' '{defaultAction: "SCMP_ACT_NOTIFY"}' '{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{}]}' \
	'{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["read"], action: "SCMP_ACT_ERRNO", args: [{index: 9, op: "SCMP_CMP_EQ"}]}]}' \
	'{defaultAction: "SCMP_ACT_ALLOW", flags: ["BOGUS"]}' '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x"}'; do
	check "seccomp: $bad" 1 "$(seccomp "$bad" true | grep -c 'config.json.*linux.seccomp')"
done
exit $failed
