/*
 * Growing text for generated files, see vfs/proc/pseudo.h. Does not sleep.
 */
#include <linux/errno.h>

#include "vfs/proc/pseudo.h"

#define SEQ_FIRST_SIZE 1024u
#define SEQ_LIMIT (64u << 20)

static bool seq_grow(struct seq *seq, size_t room)
{
	size_t size = seq->size ? seq->size : SEQ_FIRST_SIZE;
	char *text;

	while (size - seq->used < room && size < SEQ_LIMIT)
		size *= 2;
	text = size - seq->used < room ? NULL : krealloc(seq->text, size);
	if (!text) {
		seq->error = -ENOMEM;
		return false;
	}
	seq->text = text;
	seq->size = size;
	return true;
}

void seq_printf(struct seq *seq, const char *format, ...)
{
	va_list args;
	int n;

	for (;;) {
		size_t room = seq->size - seq->used;

		if (seq->error)
			return;
		va_start(args, format);
		n = vsnprintf(seq->text ? seq->text + seq->used : NULL, room, format, args);
		va_end(args);
		if (n >= 0 && (size_t)n < room)
			break;
		if (!seq_grow(seq, (size_t)n + 1))
			return;
	}
	seq->used += (size_t)n;
}

void seq_write(struct seq *seq, const char *bytes, size_t n)
{
	if (seq->error || !n)
		return;
	if (seq->size - seq->used < n && !seq_grow(seq, n))
		return;
	memcpy(seq->text + seq->used, bytes, n);
	seq->used += n;
}

void seq_puts(struct seq *seq, const char *text)
{
	seq_write(seq, text, strlen(text));
}

void seq_escaped(struct seq *seq, const char *text, const char *escape)
{
	for (; *text; text++) {
		if (strchr(escape, *text))
			seq_printf(seq, "\\%03o", (unsigned)(uint8_t)*text);
		else
			seq_write(seq, text, 1);
	}
}

void seq_free(struct seq *seq)
{
	kfree(seq->text);
	kfree(seq);
}
