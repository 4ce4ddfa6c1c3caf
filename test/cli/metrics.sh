#!/bin/bash
# metrics: the text that Prometheus reads, once and by HTTP on a unix socket; events are counted; a sandbox that is stuck holds up
# nothing. Usage: metrics.sh BUILD
set -u
. "$(dirname "$0")/../begin.sh" "$1"
server=
finish() {
	for id in one two three; do $rf delete --force $id 2>/dev/null; done
	[ -z "$server" ] || kill $server 2>/dev/null
	rm -rf "$work"
}
trap finish EXIT
scrape() { # [PATH]: the body; the status line goes to head
	python3 - "$work/socket" "${1:-/metrics}" "$work/head" <<-'END'
	import socket, sys
	s = socket.socket(socket.AF_UNIX)
	s.settimeout(20)
	s.connect(sys.argv[1])
	s.sendall(b"GET " + sys.argv[2].encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
	data = b""
	while part := s.recv(65536):
	    data += part
	head, body = data.split(b"\r\n\r\n", 1)
	open(sys.argv[3], "wb").write(head)
	assert int([l for l in head.split(b"\r\n") if l.startswith(b"Content-Length")][0].split()[1]) == len(body)
	sys.stdout.write(body.decode())
	END
}
value() { # SAMPLE, of the last text
	awk -v name="$1" '$1 == name { print $2; n++ } END { if (n != 1) print "samples: " n + 0 }' "$work/text"
}
above() { # NAME LEAST VALUE
	awk -v a="$3" -v b="$2" 'BEGIN { exit !(a + 0 > b + 0) }' || { echo "$1: $3 is not above $2"; failed=1; }
}
well_formed() { # NAME: each sample belongs to the family above it, none comes twice
	awk '/^# HELP / { family = $3; if (seen[family]++) { print "again: " family; bad = 1 } next }
	     /^# TYPE / { if ($3 != family) { print "type of another: " $0; bad = 1 } kind = $4; next }
	     { name = $1; sub(/\{.*/, "", name); base = name; if (kind == "histogram") sub(/_(bucket|sum|count)$/, "", base)
	       if (base != family || $2 !~ /^[0-9.e+-]+$/ || NF != 2 || samples[$1]++) { print "odd: " $0; bad = 1 } }
	     END { exit bad }' "$work/text" || { echo "$1: not well formed"; failed=1; }
}

sh "$here/suite/bundle.sh" "$work/b" "$debian" "$work" sh -c 'while :; do /bin/true; cat /etc/passwd >/dev/null; sleep 0.05; done'
sh "$here/suite/bundle.sh" "$work/seven" "$debian" "$work" sh -c 'exit 7'

# Nobody there; then one look
$rf metrics >"$work/text"; check "none" 0 $?
well_formed "none"
check "no container" 0 "$(value 'ringfence_containers{status="running"}')"
$rf run -d -b "$work/b" one </dev/null >/dev/null 2>&1
sleep 0.5
$rf metrics >"$work/text"; check "one" 0 $?
well_formed "one"
check "running" 1 "$(value 'ringfence_containers{status="running"}')"
check "answers" 1 "$(value 'ringfence_answers{id="one"}')"
above "CPU" 0 "$(value 'ringfence_cpu_seconds_total{id="one",mode="user"}')"
above "memory" 4096 "$(value 'ringfence_memory_bytes{id="one",kind="anonymous"}')"
above "tasks" 0 "$(value 'ringfence_tasks{id="one"}')"
above "ends" 0 "$(value 'ringfence_process_exits_total{id="one",reason="success"}')"
above "host calls" 0 "$(value 'ringfence_sandbox_host_calls_total{id="one"}')"
above "messages" 0 "$(value 'ringfence_sandbox_gofer_seconds_count{id="one"}')"
above "their time" 0 "$(value 'ringfence_sandbox_gofer_seconds_sum{id="one"}')"
check "the last bucket is all" "$(value 'ringfence_sandbox_gofer_seconds_count{id="one"}')" "$(value 'ringfence_sandbox_gofer_seconds_bucket{id="one",le="+Inf"}')"
grep -q container_exits "$work/text" && { echo "one look counts no events"; failed=1; }

# Served
$rf metrics --socket="$work/socket" & server=$!
for _ in $(seq 100); do [ -S "$work/socket" ] && break; sleep 0.05; done
check "the socket is for its owner" 600 "$(stat -c %a "$work/socket")"
$rf metrics --socket="$work/socket" 2>"$work/err"; check "a second server" 1 $?
grep -q 'in use' "$work/err" || { echo "a second server: $(cat "$work/err")"; failed=1; }
scrape >"$work/text"
well_formed "served"
grep -q '200 OK' "$work/head" || { echo "head: $(cat "$work/head")"; failed=1; }
check "another page" "only GET /metrics" "$(scrape /other)"
check "events so far" 0 "$(value 'ringfence_container_exits_total{reason="failure"}')"
$rf run --keep -b "$work/b" two </dev/null >/dev/null 2>&1 &
$rf create -b "$work/seven" three </dev/null >/dev/null 2>&1
sleep 1.5
scrape >"$work/text"
check "created" 1 "$(value 'ringfence_containers{status="created"}')"
check "two run" 2 "$(value 'ringfence_containers{status="running"}')"
$rf start three
$rf kill one KILL
kill -KILL "$($rf state two | jq .pid)"
sleep 1.5
scrape >"$work/text"
well_formed "after the ends"
check "one that failed" 1 "$(value 'ringfence_container_exits_total{reason="failure"}')"
check "one by a signal" 1 "$(value 'ringfence_container_exits_total{reason="signal"}')"
check "one whose sandbox went" 1 "$(value 'ringfence_container_exits_total{reason="lost"}')"
check "stopped" 3 "$(value 'ringfence_containers{status="stopped"}')"
for id in one two three; do $rf delete --force $id; done
scrape >"$work/text"
check "forgotten" 0 "$(value 'ringfence_containers{status="stopped"}')"

# A server that is asked often stays as small as it was
$rf run -d -b "$work/b" one </dev/null >/dev/null 2>&1
check "memory after many scrapes" "within 200 KiB" "$(python3 - "$work/socket" "$server" <<-'END'
	import socket, sys
	def rss():
	    return int(next(l for l in open(f"/proc/{sys.argv[2]}/status") if l.startswith("VmRSS")).split()[1])
	def scrape():
	    s = socket.socket(socket.AF_UNIX)
	    s.connect(sys.argv[1])
	    s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
	    while s.recv(65536):
	        pass
	for i in range(20):
	    scrape()
	before = rss()
	for i in range(400):
	    scrape()
	grown = rss() - before
	print("within 200 KiB" if grown < 200 else f"{grown} KiB more")
	END
)"

# A stuck sandbox, and clients that say nothing
$rf run -d -b "$work/b" two </dev/null >/dev/null 2>&1
pid=$($rf state one | jq .pid)
kill -STOP "$pid"
python3 -c 'import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); time.sleep(1)' "$work/socket" &
scrape >"$work/text"
check "a stuck one" 0 "$(value 'ringfence_answers{id="one"}')"
check "the other" 1 "$(value 'ringfence_answers{id="two"}')"
kill -CONT "$pid"
scrape >"$work/text"
scrape >"$work/text"
check "it goes on" 1 "$(value 'ringfence_answers{id="one"}')"
kill $server; wait $server; check "ended when asked" 0 $?
server=
check "its socket is gone" no "$([ -e "$work/socket" ] && echo yes || echo no)"
exit $failed
