#!/bin/bash
# Mount propagation: the same commands on Linux and inside, and what mountinfo shows after each. Usage: propagation.sh BUILD
set -u
rf=$1/ringfence
work=$(mktemp -d /var/tmp/rf-propagation.XXXXXX)
trap 'rm -rf "$work"' EXIT
cat >"$work/cases" <<'END'
cd "$1" || exit 1
# What is mounted below this folder, with the optional fields but their numbers.
show() {
	echo "== $1"
	awk -v w="$PWD/" 'index($5, w) == 1 { f = ""; for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); f = f " " $i }; print substr($5, length(w) + 1) f }' \
		/proc/self/mountinfo | sort
}
mount -t tmpfs none . && cd "$PWD" && mount --make-private .
mkdir a b c d e
mount -t tmpfs a a && mount --make-shared a && mkdir a/x a/y a/z
mount --bind a b; mount --bind a c; mount --make-slave c; mount --bind a d; mount --make-private d
mount -t tmpfs x a/x; show "a peer, a slave, a private one"
mount -t tmpfs y c/y; show "in the slave"
mkdir b/x/in; mount -t tmpfs in b/x/in; show "deeper, in a peer"
umount a/x; echo "busy $?"
umount a/x/in && umount a/x; show "unmounted"
mount --make-unbindable d; mount --bind d e; echo "unbindable $?"
mount --rbind . e; show "recursive, without it"
umount -l e; mount --make-slave c; mount --make-shared c; mount -t tmpfs z a/z; show "slave and shared"
mount --rbind a e; show "recursive"
unshare -m --propagation unchanged sh -c 'mount -t tmpfs n a/y'; show "from another namespace"
unshare -m --propagation slave sh -c 'mount -t tmpfs n a/x; grep -c "/a/x " /proc/self/mountinfo; grep -c "/b/x " /proc/self/mountinfo'; show "from one that is a slave"
mount --move e/z c/x; echo "move $?"
mount --make-shared --make-private a; echo "one after the other $?"
mount --make-shared a/nothing; echo "no mount $?"
mount --make-rshared .; mkdir f; mount -t tmpfs f f; show "all shared"
umount -l a; show "lazily"
mount --make-rprivate .; show "all private"
END
unshare -m sh -c 'mkdir "$1/linux" && exec sh "$1/cases" "$1/linux"' sh "$work" >"$work/want" 2>&1
timeout -k 5 60 "$rf" --root "$work/state" do -- sh -c 'mkdir /tmp/here && exec sh "$0" /tmp/here' "$work/cases" >"$work/got" 2>&1
sed -i "s#$work/linux#HERE#g" "$work/want"
sed -i 's#/tmp/here#HERE#g' "$work/got"
diff "$work/want" "$work/got" || { echo "Linux (<) and the sandbox (>) differ"; exit 1; }
[ "$(wc -l <"$work/want")" -gt 100 ]
