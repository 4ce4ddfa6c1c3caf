# What net.sh runs in each container: sockets by themselves, then servers with their own load generators beside them.
python3 /mnt/network.py
cd /tmp && mkdir www
redis-server --save '' --appendonly no --port 6400 >/dev/null 2>&1 &
redis=$!
head -c 1024 /dev/zero >www/1k
head -c 1048576 /dev/zero >www/1m
cat >nginx.conf <<END
daemon off; master_process off; pid /tmp/nginx.pid; error_log /dev/null;
events { worker_connections 1024; }
http {
	access_log off; sendfile on;
	client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
	server { listen 127.0.0.1:8099; root /tmp/www; }
}
END
nginx -c /tmp/nginx.conf 2>/dev/null &
nginx=$!
sleep 2
redis-benchmark -p 6400 -t get -c 50 -n 10000 -q 2>/dev/null | tr '\r' '\n' |
	sed -n 's/^GET: \([0-9]*\).*requests per.*/redis-get-50-clients \1 \/s/p' | tail -1
for file in 1k 1m; do
	wrk -t1 -c20 -d3 http://127.0.0.1:8099/$file 2>&1 | sed -n "s/^Requests\/sec: *\([0-9]*\).*/nginx-$file \1 \/s/p"
done
kill $redis $nginx
