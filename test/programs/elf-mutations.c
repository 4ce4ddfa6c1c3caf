/*
 * Programs whose ELF headers were changed at random: execve may refuse them or start
 * them, and what then happens to the process is its own affair; but the system must live
 * on, and the same file unchanged must run afterwards. The seed is fixed.
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

#define ROUNDS 400

static unsigned char *image;
static size_t size;

static int run(const char *path)
{
	char *argv[] = {(char *)path, "x", NULL}, *envp[] = {NULL};
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit small = {64ul << 20, 64ul << 20}, brief = {1, 1};

		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		setrlimit(RLIMIT_AS, &small);
		setrlimit(RLIMIT_CPU, &brief);
		execve(path, argv, envp);
		_exit(100);
	}
	alarm(5);
	while (waitpid(child, &status, 0) != child)
		kill(child, SIGKILL);
	alarm(0);
	return status;
}

static unsigned long interesting(unsigned *seed)
{
	static const unsigned long values[] = {0, 1, 7, 8, 0xfff, 0x1000, 0x1001, 0x7ffffffff000, 0x7ffffffff001,
		0x800000000000, 0xffff800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffff000,
		0xffffffffffffffff, 0x10000, 0x400000, 1ul << 40};

	return values[(unsigned)rand_r(seed) % (sizeof(values) / sizeof(values[0]))];
}

static void mutate(unsigned char *to, unsigned *seed)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)to;
	Elf64_Phdr *segments = (Elf64_Phdr *)(to + header->e_phoff);
	unsigned count = header->e_phnum;

	for (int i = rand_r(seed) % 3; i >= 0; i--) {
		Elf64_Phdr *segment = &segments[(unsigned)rand_r(seed) % count];

		switch (rand_r(seed) % 12) {
		case 0: header->e_phoff = interesting(seed); break;
		case 1: header->e_entry = interesting(seed); break;
		case 2: header->e_phnum = (Elf64_Half)interesting(seed); break;
		case 3: header->e_type = (Elf64_Half)(rand_r(seed) % 5); break;
		case 4: segment->p_vaddr = interesting(seed); break;
		case 5: segment->p_offset = interesting(seed); break;
		case 6: segment->p_filesz = interesting(seed); break;
		case 7: segment->p_memsz = interesting(seed); break;
		case 8: segment->p_align = interesting(seed); break;
		case 9: segment->p_flags = (Elf64_Word)rand_r(seed) & 7; break;
		case 10: segment->p_type = (Elf64_Word)(rand_r(seed) % 8); break;
		default: to[(unsigned)rand_r(seed) % (sizeof(*header) + count * sizeof(*segment))] ^=
			(unsigned char)(1 << rand_r(seed) % 8);
		}
	}
}

static void nothing(int signo)
{
}

static int put(const char *path, const unsigned char *data)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	unsigned seed = 4711;
	struct stat st;
	int fd = open(argv[0], O_RDONLY | O_CLOEXEC);

	if (argc > 1)
		return 0;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, NULL);
	if (fd < 0 || fstat(fd, &st) != 0)
		return SKIP;
	size = (size_t)st.st_size;
	image = malloc(size);
	unsigned char *changed = malloc(size);

	CHECK(read(fd, image, size) == (ssize_t)size);
	for (int i = 0; i < ROUNDS; i++) {
		memcpy(changed, image, size);
		mutate(changed, &seed);
		CHECK(put("/tmp/elf-mutation", changed) == 0);
		run("/tmp/elf-mutation");
	}
	CHECK(put("/tmp/elf-mutation", image) == 0);
	CHECK(run("/tmp/elf-mutation") == 0);
	unlink("/tmp/elf-mutation");
	return CHECK_RESULT();
}
