#!/bin/sh
# Checks who includes whom (the table of the design's "house"): a folder may include its
# own headers and those of the folders listed for it, and no cycles between folders can
# follow from that. Prints each offence; exit status 1 if there is one.
set -eu
cd "$(dirname "$0")/.."
bad=0
allowed() {
	case $1 in
	cli) echo "cli platform/platform.h platform/abi gofer/gofer.h" ;;
	cli/shim) echo "cli/shim cli/cli.h platform/abi/control.h" ;;
	cli/systemd) echo "cli/systemd" ;;
	platform) echo "platform" ;;
	gofer/p9) echo "gofer/p9" ;;
	gofer) echo "gofer" ;;
	ring0) echo "ring0 platform/abi" ;;
	kernel) echo "kernel ring0 platform/abi" ;;
	vfs) echo "vfs kernel ring0 gofer/p9 platform/abi" ;;
	syscalls) echo "syscalls kernel vfs ring0 platform/abi" ;;
	esac
}
for folder in cli cli/shim cli/systemd platform gofer gofer/p9 ring0 kernel vfs syscalls; do
	list=$(allowed $folder)
	for file in $(git ls-files --cached --others --exclude-standard "$folder" | grep -E '\.(c|h|S|def)$'); do
		case $folder/$file in gofer/gofer/p9/* | cli/cli/shim/* | cli/cli/systemd/*) continue ;; esac
		for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include "\([^"]*\)".*/\1/p' "$file"); do
			case $header in vdso.h | */*) ;; *) echo "$file: include \"$header\": write it from the top of the tree"; bad=1; continue ;; esac
			ok=0
			for prefix in $list; do
				case $header in "$prefix" | "$prefix"/*) ok=1 ;; esac
			done
			[ $ok = 1 ] || { echo "$file: must not include \"$header\" ($folder may include: $list)"; bad=1; }
		done
	done
done
exit $bad
