#!/bin/bash
# Starts one of each server, prints "ready" when all listen, and ends when its input does. It runs in a sandbox and on
# Linux alike; what servers write lies in /tmp. Usage: start.sh [all]: with PostgreSQL, too.
set -u
t=/tmp/servers
mkdir -p $t/www $t/nginx /run/sshd 2>/dev/null
printf 'small page\n' >$t/www/small
python3 -c 'print(end="".join("%07d\n" % i for i in range(131072)))' >$t/www/large # 1 MiB
cat >$t/nginx.conf <<END
daemon off; pid $t/nginx.pid; error_log $t/nginx.log; user root; worker_processes 1;
events {}
http {
	access_log off;
	client_body_temp_path $t/nginx; proxy_temp_path $t/nginx; fastcgi_temp_path $t/nginx; uwsgi_temp_path $t/nginx; scgi_temp_path $t/nginx;
	server { listen 8080; listen [::]:8080; root $t/www; }
}
END
nginx -c $t/nginx.conf 2>/dev/null &
redis-server --port 6379 --bind 0.0.0.0 :: --protected-mode no --save '' --dir $t --logfile $t/redis.log &
memcached -u root -p 11211 -l 0.0.0.0 2>/dev/null &
node -e 'require("http").createServer((q, a) => a.end("node " + q.url + "\n")).listen(8081, "0.0.0.0")' &
python3 -m http.server 8082 -d $t/www >/dev/null 2>&1 &
iperf3 -s -p 5201 >/dev/null 2>&1 &
dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --port=5353 --address=/name.test/10.9.8.7 2>/dev/null &
ssh-keygen -q -t ed25519 -N '' -f $t/host
mkdir -p $t/keys
cp /mnt/servers/key.pub $t/keys/authorized 2>/dev/null
chmod 700 $t/keys
/usr/sbin/sshd -f /dev/null -p 2222 -h $t/host -o AuthorizedKeysFile=$t/keys/authorized -o StrictModes=no -o UsePAM=no \
	-o PidFile=$t/sshd.pid -o PermitRootLogin=yes -E $t/sshd.log -D &
ports="8080 6379 11211 8081 8082 5201 5353 2222"
if [ "${1:-}" = all ]; then
	bin=$(echo /usr/lib/postgresql/*/bin)
	install -d -o postgres $t/pg
	as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
	as $bin/initdb -D $t/pg -A trust --no-sync >$t/initdb.log 2>&1
	echo "host all all all trust" >>$t/pg/pg_hba.conf
	as $bin/postgres -D $t/pg -k $t/pg -h 0.0.0.0 -c fsync=off >$t/pg.log 2>&1 &
	ports="$ports 5432"
fi
for port in $ports; do
	for _ in $(seq 300); do
		(: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null && continue 2
		sleep 0.1
	done
	echo "nobody listens at $port"
	tail -3 $t/*.log
done
echo ready
while read -r line; do
	bash -c "$line" 2>&1
	echo "done"
done
kill $(jobs -p)
