/*
 * Fuzz target: the gofer against a hostile VMM. An input is a sequence of messages, each a
 * length byte, a type byte and that many bytes of body, sent after an honest Tversion and
 * Tattach, so that what is tried are the handlers and not the framing. The tree is a fresh
 * directory under /tmp with a sentinel outside it that must not change.
 *
 * Run as: fuzz_p9_server -max_total_time=60 CORPUS-DIRECTORY
 */
#include <signal.h>
#include <sys/time.h>

#include "gofer/main.c" /* for answer(): the dispatch of one message */

static struct gofer *g;
static char sandbox[64] = "/tmp/gofer-fuzz-XXXXXX";

static void write_text(const char *directory, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, "text", 4) != 4)
		abort();
	close(fd);
}

static void start(void)
{
	static struct gofer_options options;
	static struct gofer_tree trees[2];
	struct rlimit limit = {1 << 20, 1 << 20};
	char tree[128];
	int pair[2];

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit); /* or Tallocate fills the disk */
	if (!mkdtemp(sandbox))
		abort();
	snprintf(tree, sizeof(tree), "%s/tree", sandbox);
	mkdir(tree, 0755);
	write_text(sandbox, "sentinel");
	write_text(tree, "a");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		abort();
	trees[0] = (struct gofer_tree){.name = "0", .fd = open(tree, O_PATH)};
	trees[1] = (struct gofer_tree){.name = "1", .fd = open(tree, O_PATH), .readonly = true};
	options = (struct gofer_options){.socket_fd = pair[0], .trees = trees, .tree_count = 2, .no_jail = true};
	g = calloc(1, sizeof(*g));
	if (!g || set_up(g, &options) || gofer_jail_prepare(g, &options))
		abort();
}

static uint32_t send_body(uint8_t type, const uint8_t *body, size_t n)
{
	uint8_t message[512];
	uint32_t size = (uint32_t)(P9_HEADER + n);
	uint32_t length;

	memcpy(message, &size, 4);
	message[4] = type;
	message[5] = message[6] = 1;
	memcpy(message + P9_HEADER, body, n);
	length = answer(g, message, size);
	while (g->donated_count) {
		int fd = g->donated[--g->donated_count];
		struct stat st;

		if (fstat(fd, &st) || !S_ISREG(st.st_mode))
			abort();
		close(fd);
	}
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* libFuzzer calls it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t version[] = "\0\0\1\0\22\0009P2000.L.ringfence";
	static const uint8_t attach[] = "\0\0\0\0\1\0000", attach_readonly[] = "\1\0\0\0\1\0001";
	char path[128];
	struct stat st;

	if (!g)
		start();
	send_body(P9_tversion, version, sizeof(version) - 1);
	send_body(P9_tattachattr, attach, sizeof(attach) - 1);
	send_body(P9_tattachattr, attach_readonly, sizeof(attach_readonly) - 1);
	while (size >= 2) {
		size_t n = data[0];
		uint8_t type = data[1];

		data += 2;
		size -= 2;
		if (n > size)
			n = size;
		if (type != P9_tversion && !send_body(type, data, n))
			abort(); /* the frame was whole: an answer is due */
		data += n;
		size -= n;
	}
	gofer_fid_clunk_all(g);
	snprintf(path, sizeof(path), "%s/sentinel", sandbox);
	if (stat(path, &st) || st.st_size != 4 || st.st_nlink != 1)
		abort(); /* it reached outside its tree */
	return 0;
}
