#!/bin/bash
# Asks each server of start.sh at an address, with the client that people use; a line for each that answers wrongly. It
# runs in a sandbox and on Linux alike. Usage: ask.sh ADDRESS [all]: with PostgreSQL, and for longer.
set -u
a=$1 all=${2:-}
t=$(mktemp -d)
failed=0
# want WHAT PATTERN COMMAND…: its output matches
want() {
	local what=$1 pattern=$2 out
	shift 2
	out=$(timeout -k 1 60 "$@" 2>&1)
	[[ $out =~ $pattern ]] && return
	failed=1
	printf '%s at %s: wanted %s, got:\n%s\n' "$what" "$a" "$pattern" "$(tail -5 <<<"$out" | tail -c 1000)"
}

want ping '2 received' ping -n -c 2 -i 0.2 "$a"
want nginx '^small page$' curl -sS "http://$a:8080/small"
want "nginx, 1 MiB" '^86d164183ec152a4fce54c9d05520036' sh -c "curl -sS http://$a:8080/large | md5sum"
want node '^node /path$' curl -sS "http://$a:8081/path"
want "node's client" '200 11$' node -e "require('http').get('http://$a:8082/small', r => { let n = 0; r.on('data', d => n += d.length).on('end', () => console.log(r.statusCode, n)) })"
want "Python's client" '^1048576$' python3 -c "import urllib.request; print(len(urllib.request.urlopen('http://$a:8082/large').read()))"
want "redis" '^OK.*"value"' sh -c "redis-cli -h $a set key value && redis-cli --no-raw -h $a get key"
want "redis-benchmark" 'GET: [0-9.]+ requests' redis-benchmark -h "$a" -q -c 20 -n "1000${all:+0}" -t set,get
want memcached '^STORED.VALUE k 0 5.hello.END' bash -c "exec 3<>/dev/tcp/$a/11211; printf 'set k 0 60 5\r\nhello\r\nget k\r\nquit\r\n' >&3; tr -d '\r' <&3"
want dig '^10\.9\.8\.7$' dig +short +tries=2 -p 5353 "@$a" name.test
want "dig by TCP" '^10\.9\.8\.7$' dig +short +tcp -p 5353 "@$a" name.test
install -m 600 /mnt/servers/key "$t/key"
ssh=(ssh -F /dev/null -i "$t/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p 2222 "root@$a")
want ssh '^there 1048576$' sh -c 'head -c 1048576 /dev/zero | "$0" "$@" "echo there \$(wc -c)"' "${ssh[@]}"
# Its server listens anew for each client: one that is too quick finds nobody.
iperf='for i in 1 2 3 4 5; do sleep 0.2; iperf3 "$@" && break; done'
want iperf3 'receiver' sh -c "$iperf" - -c "$a" -t "${all:+1}1"
want "iperf3, the other way" 'receiver' sh -c "$iperf" - -c "$a" -t "${all:+1}1" -R
want "iperf3 by UDP" 'receiver' sh -c "$iperf" - -c "$a" -t 1 -u -b 10M
# A busy machine may leave a server without a core for longer than wrk's own two seconds; a lost connection never answers.
out=$(wrk -t 1 -c 20 --timeout 20s -d "${all:+1}1" "http://$a:8080/small" 2>&1)
[[ $out =~ Requests/sec && ! $out =~ Socket\ errors && ! $out =~ Non-2xx ]] || { failed=1; echo "wrk at $a: $out"; }
want nmap '6379/tcp +open.*8080/tcp +open.*9999/tcp +closed' nmap -n -Pn -p 6379,8080,9999 "$a"
if [ -n "$all" ]; then
	want psql '^ 42$' psql -h "$a" -U postgres -Atc "select ' ' || 6 * 7"
	want "pgbench -i" 'done in' pgbench -h "$a" -U postgres -i -q postgres
	want pgbench 'actually processed: 400/400' pgbench -h "$a" -U postgres -c 4 -t 100 postgres
fi
rm -rf "$t"
exit $failed
