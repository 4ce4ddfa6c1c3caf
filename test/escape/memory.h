/* Between memory.c (addresses, files, processes) and memory_left.c (what others left in pages, structures and registers). */
#include <stddef.h>
#include <stdint.h>

void memory_reached(const char *format, ...) __attribute__((format(printf, 1, 2)));
int memory_scan(const volatile void *from, size_t size, const char *what);

/* Registers at the program's first instruction, which are its own alone. */
void memory_check_start(void);
/* The same for a program started again by its own name with these arguments, with the canary in the registers before. */
void memory_check_exec(uint64_t masked, char **argv);
/* New pages of every kind after a process that filled its own has ended: all zero. How many. */
unsigned memory_left_pages(uint64_t masked);
/* What system calls answer with after others have left the canary on the kernel's stack and heap. How many. */
unsigned memory_left_structures(uint64_t masked);
