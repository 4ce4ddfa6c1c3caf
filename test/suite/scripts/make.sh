# A small C project: eight sources, a library, a program, a test; built twice with -j2, then touched.
set -e
mkdir -p /tmp/m/src && cd /tmp/m
for i in 1 2 3 4 5 6 7 8; do
	cat >src/part$i.c <<END
#include "parts.h"
int part$i(int x)
{
	return x * $i + $i;
}
END
done
for i in 1 2 3 4 5 6 7 8; do echo "int part$i(int x);"; done >src/parts.h
cat >src/main.c <<'END'
#include <stdio.h>
#include "parts.h"
int main(void)
{
	printf("%d\n", part1(part2(part3(part4(part5(part6(part7(part8(1)))))))));
	return 0;
}
END
cat >Makefile <<'END'
PARTS := $(patsubst src/%.c,obj/%.o,$(wildcard src/part*.c))
CFLAGS := -O1 -Wall -MMD
all: prog
prog: obj/main.o libparts.a
	$(CC) -o $@ $^
libparts.a: $(PARTS)
	ar rc $@ $^
obj/%.o: src/%.c | obj
	@echo CC $<
	@$(CC) $(CFLAGS) -c -o $@ $<
obj:
	mkdir -p $@
check: prog
	test "$$(./prog)" = 86553
clean:
	rm -rf obj prog libparts.a
fail:
	exit 3
.PHONY: all check clean fail
-include obj/*.d
END
make -j2 2>&1 | sort
./prog
make check 2>&1 | tail -2 || true
make -j2
touch src/part3.c && make -j2 2>&1 | sort
touch src/parts.h && make -j2 2>&1 | sort | uniq -c | wc -l
make -j2 -k fail check 2>&1 | sort || true
make fail >/dev/null 2>&1 || echo "status $?"
make clean && ls
