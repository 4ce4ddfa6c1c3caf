#!/bin/sh
# Checks what sentry.elf must be: no undefined symbol, relative relocations only, no
# segment both writable and executable, no floating-point or vector instruction outside
# the FPU save code (functions named fpu_*). Usage: check-image.sh IMAGE NM OBJDUMP READELF
set -eu
image=$1 nm=${2:-nm} objdump=${3:-objdump} readelf=${4:-readelf}
fail() {
	echo "check-image: $image: $*" >&2
	exit 1
}
undefined=$("$nm" -u "$image" | awk '{print $NF}' | tr '\n' ' ')
[ -z "$undefined" ] || fail "undefined symbols: $undefined"
other=$("$readelf" -rW "$image" | awk '/R_X86_64_/ && !/R_X86_64_RELATIVE/' | head -3)
[ -z "$other" ] || fail "relocations other than R_X86_64_RELATIVE: $other"
wx=$("$readelf" -lW "$image" | awk '$1 == "LOAD" && /RWE/')
[ -z "$wx" ] || fail "a segment is writable and executable: $wx"
fp=$("$objdump" -d --no-show-raw-insn "$image" | awk '
	/^[0-9a-f]+ <.*>:$/ { name = $2; next }
	name !~ /^<fpu_/ && (/%[xyz]mm[0-9]/ || /%st/ || /\t(fxsave|fxrstor|xsave|xrstor|fninit|fldcw|ldmxcsr|stmxcsr|fn?st[a-z]*|fild|fist)/) { print name, $0; n++ }
	n >= 3 { exit }')
[ -z "$fp" ] || fail "floating-point instruction outside the FPU save code: $fp"
