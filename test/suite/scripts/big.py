"""Writes a C program of about N functions (5 lines each) whose output checks every one of them. Usage: big.py N"""
import sys

n = int(sys.argv[1])
print("#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n")
value = 12345
for i in range(n):
	k, s, m = (i * 2654435761) % 4093 + 1, i % 13 + 1, i % 3
	body = [f"x * {k}u + {i}u", f"(x << {s}) ^ (x >> {s}) ^ {k}u", f"x % {k + 7}u * {i + 3}u + (x ^ {k}u)"][m]
	print(f"static uint32_t f{i}(uint32_t x)\n{{\n\tuint32_t r = {body};\n\treturn r ^ {i}u;\n}}")
print("\nstatic uint32_t (*const table[])(uint32_t) = {")
for i in range(n):
	print(f"\tf{i},")
print("};\n\nint main(void)\n{\n\tuint32_t x = 1;\n\tfor (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {\n\t\tx = table[i](x);")
print('\t\tif (i % 16 == 0)\n\t\t\tprintf("%u %u\\n", i, x);\n\t}\n\tchar *p = malloc(1 << 20);\n\tfree(p);\n\tprintf("%u\\n", x);\n\treturn x % 100;\n}')
