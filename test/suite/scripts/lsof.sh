# The open files of a process and of everyone, by lsof, fuser-like questions and /proc/*/fd.
cd /tmp
echo data >file

exec 7<file 8>>file
python3 -c '
import os, socket, time
a, b = socket.socketpair()
r, w = os.pipe()
s = socket.socket(socket.AF_UNIX); s.bind("/tmp/sock"); s.listen()
f = open("/tmp/file"); d = os.open("/usr", os.O_RDONLY)
os.eventfd(0)
print("ready", flush=True); time.sleep(100)' >out 2>/dev/null &
pid=$!
until grep -qs ready out; do sleep 0.1; done
lsof -w -p $pid -F ftn | sed -e 's/^p.*/pPID/' -e 's/\[[0-9]*\]/[N]/' -e 's/0x[0-9a-f]*/ADDRESS/' -e 's/eventfd:[0-9]*/eventfd/'  -e '/^f\(mem\|DEL\)/,/^n/d'
echo "== one file"
lsof -w -t /tmp/file >tasks; wc -l <tasks
lsof -w -a -p $pid /tmp/file | awk '{ print $1, $3, $4, $5, $NF }'
lsof -w -c python3 -a -d cwd | awk '{ print $1, $4, $5, $NF }'
lsof -w -U | awk '{ print $1, $4, $5 }' | sort
lsof -w -a -p $pid +D /tmp | awk '{ print $1, $4, $5, $NF }' | sort
lsof -w -p 99999; echo "status $?"
rm file && lsof -w -a -p $pid +L1 | awk '{ print $1, $4, $5, $NF }'
kill $pid
