#!/bin/sh
# Runs one program of the list inside the sandbox (or natively in the same root), its files
# made first and not timed; micro's `time` prints "NAME nanoseconds".
#
#   programs.sh NAME SHARED     SHARED: a folder of the host's; without NAME: the list
set -eu
here=$(dirname "$0")
work=${TMPDIR:-/tmp}/bench-$$

make_files() { # 5,000 small files in 50 folders
	for d in $(seq 50); do
		mkdir -p "$work/tree/$d"
		for f in $(seq 100); do echo "file $f of folder $d" >"$work/tree/$d/$f"; done
	done
}
case ${1:-list} in
list) echo "python tar find grep rm compile sqlite" ;;
python) exec "$here/micro" time python python3 -c 'import json, subprocess' ;;
tar) make_files && "$here/micro" time tar tar -C "$work" -cf "$work/out.tar" tree ;;
rm) make_files && "$here/micro" time rm rm -r "$work/tree" ;;
find) exec "$here/micro" time find find /usr/share /usr/lib/python3.11 -newer /etc/passwd ;;
grep) exec "$here/micro" time grep sh -c 'grep -rc no-such-word /usr/lib/python3.11 || true' ;;
compile)
	mkdir -p "$work"
	{
		echo '#include <stdio.h>'
		for i in $(seq 300); do echo "int f$i(int x) { for (int i = 0; i < x; i++) x += i * $i % 7; return x; }"; done
		echo 'int main(void) { return printf("%d", f7(3)) < 0; }'
	} >"$work/a.c"
	"$here/micro" time compile gcc -O1 -o "$work/a" "$work/a.c"
	;;
sqlite)
	mkdir -p "$work"
	cat >"$work/a.py" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("create table t (n integer primary key, word text)")
for start in range(0, 10000, 100):
    with db:
        db.executemany("insert into t values (?, ?)", ((n, "word %d" % n) for n in range(start, start + 100)))
print(db.execute("select count(*), sum(length(word)) from t where word like '%7%'").fetchall())
PY
	"$here/micro" time sqlite python3 "$work/a.py" "$work/a.db"
	;;
*)
	echo "programs.sh: no program $1" >&2
	exit 2
	;;
esac
rm -rf "$work"
