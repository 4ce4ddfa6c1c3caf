/* Symbols of the sentry's image: see symbols.h. The file is read as if it were not ours: every offset is checked. */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/symbols.h"

struct symbols {
	const char *file;
	size_t size;
	const Elf64_Sym *table;
	size_t count;
	const char *names;
	size_t names_size;
};

/* `count` things of `each` bytes at `offset`, if they are in the file. */
static const void *at(const struct symbols *s, uint64_t offset, uint64_t count, uint64_t each)
{
	uint64_t bytes, end;

	if (__builtin_mul_overflow(count, each, &bytes) || __builtin_add_overflow(offset, bytes, &end) || end > s->size ||
	    offset % 4)
		return NULL;
	return s->file + offset;
}

static bool has_build_id(const struct symbols *s, const Elf64_Shdr *section, const char *want)
{
	const Elf64_Nhdr *note = at(s, section->sh_offset, section->sh_size, 1);
	char text[64] = "";

	if (!note || section->sh_size < sizeof(*note) + 4 || note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 ||
	    note->n_descsz > section->sh_size - sizeof(*note) - 4 || note->n_descsz * 2 >= sizeof(text))
		return false;
	const unsigned char *id = (const unsigned char *)(note + 1) + 4;
	for (unsigned i = 0; i < note->n_descsz; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", id[i]);
	return strcmp(text, want) == 0;
}

static bool find_tables(struct symbols *s, const char *build_id)
{
	const Elf64_Ehdr *head = at(s, 0, 1, sizeof(*head));
	const Elf64_Shdr *sections = head ? at(s, head->e_shoff, head->e_shnum, sizeof(*sections)) : NULL;
	bool same = false;

	for (unsigned i = 0; sections && i < head->e_shnum; i++) {
		if (sections[i].sh_type == SHT_NOTE)
			same |= has_build_id(s, &sections[i], build_id);
		if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= head->e_shnum)
			continue;
		const Elf64_Shdr *strings = &sections[sections[i].sh_link];
		s->count = sections[i].sh_size / sizeof(*s->table);
		s->table = at(s, sections[i].sh_offset, s->count, sizeof(*s->table));
		s->names_size = strings->sh_size;
		s->names = s->file + strings->sh_offset;
		if (strings->sh_offset > s->size || strings->sh_size > s->size - strings->sh_offset || !strings->sh_size ||
		    s->names[strings->sh_size - 1])
			s->table = NULL;
	}
	return same && s->table;
}

struct symbols *symbols_open(const char *build_id)
{
	AUTO_FD int fd = sandbox_open_image();
	struct symbols *s = calloc(1, sizeof(*s));
	struct stat st;

	if (s && fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
		s->size = (size_t)st.st_size;
		s->file = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (s->file != MAP_FAILED && find_tables(s, build_id))
			return s;
	}
	free(s);
	return NULL;
}

/* The function that has this address; NULL: none. */
static const Elf64_Sym *find(const struct symbols *s, uint64_t address)
{
	for (size_t i = 0; s && i < s->count; i++) {
		const Elf64_Sym *symbol = &s->table[i];
		if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && address >= symbol->st_value &&
		    address - symbol->st_value < symbol->st_size && symbol->st_name < s->names_size)
			return symbol;
	}
	return NULL;
}

void symbols_print(FILE *to, const struct symbols *symbols, const char *text)
{
	static const char word[] = "sentry+0x";
	const char *next;

	while ((next = strstr(text, word))) {
		char *end;
		uint64_t address = strtoull(next + strlen(word), &end, 16);
		const Elf64_Sym *symbol = find(symbols, address);
		fwrite(text, 1, (size_t)(next - text), to);
		if (symbol)
			fprintf(to, "%s+0x%llx", symbols->names + symbol->st_name, (unsigned long long)(address - symbol->st_value));
		else
			fwrite(next, 1, (size_t)(end - next), to);
		text = end;
	}
	fputs(text, to);
}

bool symbols_image(const char *text, char id[64])
{
	return sscanf(text, "image %63[0-9a-f]", id) == 1;
}
