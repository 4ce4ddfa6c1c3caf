# What ps, top, free, vmstat, lsof and friends show, with the numbers that differ from machine to machine taken out.
cd /tmp
n() { sed -e 's/[0-9][0-9.,]*/N/g' -e 's/  */ /g' -e 's/^ //' -e 's/\([:,]\) *N/\1 N/g' -e 's/ *$//'; }
echo "== ps"
sleep 100 & one=$!
sleep 101 & two=$!
ps aux >list
head -1 list | n
awk '{ print $1, $11, $12, $13 }' list | sort | uniq -c | n
ps -ef >list
awk '{ print $1, $8, $9, $10 }' list | sort | uniq -c | n
ps -o user,pid,ppid,pgid,sid,tty,stat,ni,pri,comm,args -C sleep | n
ps -eLo pid=,tid=,nlwp=,cls=,rtprio=,comm= >list
awk '{ print NF, $4, $NF }' list | sort | uniq -c
ps -o %cpu= -o %mem= -o vsz= -o rss= -p $$ | awk '{ print NF, ($3 > $4) }'
ps -o lstart= -o etime= -o time= -p $$ | n
ps --forest -eo comm= >list; cat list | sed 's/^ *//'
echo "== top"
top -b -n1 | n | sed -e 's/up .* user/up N user/' -e 's/N+N/N/g' | awk 'NR <= 7 { gsub("MiB|KiB|GiB", "iB"); if (NR == 2) print "Tasks"; else print } NR > 7 { print $2, $NF }' |
	sort | uniq -c | sed -e 's/^ *//'
top -b -n1 -o PID -p $$ | tail -1 | awk '{ print NF, $2, $NF }'
echo "== free"
free | n
free -m -h -t | awk '{ print $1, NF }'
echo "== vmstat"
vmstat | n
vmstat -s | n
echo "== others"
pgrep -c sleep; pgrep -a sleep | n; pidof sleep | wc -w
pkill -f 'sleep 100'; wait $one; echo "status $?"
pmap $$ | awk 'NR == 1 || /total/ { print $2 != "" }'
pmap -x $$ | awk 'NR == 2' | n
pwdx $$ | n
uptime | n | sed 's/up .* user/up N user/'
w -h | wc -l
kill $two; wait $two 2>/dev/null
sysctl kernel.ostype kernel.hostname vm.overcommit_memory fs.file-max kernel.pid_max 2>&1 | n
