# A generated C program of 2,000 lines: compiled with and without optimization, run, and taken apart.
set -e
mkdir -p /tmp/c && cd /tmp/c
python3 /srv/big.py 330 >big.c
wc -l <big.c
for level in 0 2; do
	gcc -Wall -Wextra -O$level -g big.c -o big$level
	status=0
	./big$level >out$level || status=$?
	echo "-O$level: status $status"
done
cmp out0 out2 && md5sum <out0
gcc -O2 -static big.c -o static && ./static | md5sum || true
gcc -O1 -c big.c && nm big.o | grep -c ' t f'
gcc -E big.c | grep -c 'static uint32_t'
echo 'int main(void) { return undeclared; }' >bad.c
status=0
gcc bad.c -o bad 2>errors || status=$?
echo "bad source: status $status"
cat errors
ar rc libbig.a big.o && ranlib libbig.a && ar t libbig.a
objdump -d big2 | grep -c ret | awk '$1 > 300 { print "disassembled" }'
strip big2 && ./big2 | tail -1
