/* `ringfence list [-f table|json] [-q]`: the containers under --root. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/state.h"

#define COLUMNS 6u

struct row {
	char *columns[COLUMNS], *json;
};

struct table {
	struct row *rows;
	size_t count;
};

static void set_row(struct row *row, const struct state *state)
{
	enum state_status status = state_status(state);
	char pid[16], name[64];
	bool named;

	snprintf(pid, sizeof(pid), "%d", status == STATE_STOPPED ? 0 : (int)state->pid);
	row->columns[0] = state->id;
	row->columns[1] = container_copy(pid);
	row->columns[2] = container_copy(state_status_name(status));
	row->columns[3] = state->bundle;
	row->columns[4] = state->created;
	named = user_name((uid_t)strtoul(state->owner, NULL, 10), name, sizeof(name));
	row->columns[5] = container_copy(named ? name : state->owner);
	row->json = state_json(state, status);
}

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && state_is_container(entry->d_name);
}

/* Containers that come or go meanwhile are left out. One whose file is damaged is said and left out. */
static int load(struct table *table)
{
	struct dirent **entries;
	char root[4096];

	if (state_root(root, sizeof(root)))
		return 1;
	int count = scandir(root, &entries, is_name, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 : cli_error("%s: %s", root, strerror(errno));
	table->rows = calloc((size_t)count + 1, sizeof(*table->rows));
	for (int i = 0; i < count && table->rows; i++) {
		static struct state state;
		if (state_open(&state, entries[i]->d_name, STATE_LOOK) == 0)
			set_row(&table->rows[table->count++], &state);
	}
	return 0;
}

static void print_table(const struct table *table)
{
	static const char *const heads[COLUMNS] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"};
	int width[COLUMNS];

	for (unsigned c = 0; c < COLUMNS; c++) {
		width[c] = (int)strlen(heads[c]) + 3;
		for (size_t i = 0; i < table->count; i++) {
			int length = (int)strlen(table->rows[i].columns[c]) + 3;
			width[c] = length > width[c] ? length : width[c];
		}
		width[c] = c == COLUMNS - 1 ? 0 : width[c] < 12 ? 12 : width[c];
	}
	for (unsigned c = 0; c < COLUMNS; c++)
		printf("%-*s", width[c], heads[c]);
	putchar('\n');
	for (size_t i = 0; i < table->count; i++) {
		for (unsigned c = 0; c < COLUMNS; c++)
			printf("%-*s", width[c], table->rows[i].columns[c]);
		putchar('\n');
	}
}

static void print_json(const struct table *table)
{
	if (table->count == 0)
		fputs("null", stdout); /* as runc prints it */
	for (size_t i = 0; i < table->count; i++) {
		printf("%s%s", i ? "," : "[", table->rows[i].json);
	}
	if (table->count)
		putchar(']');
}

int command_list(int argc, char **argv)
{
	const char *format = "table";
	bool quiet = false;
	const struct option_entry options[] = {
		{"format", 'f', "table|json", "how it is printed (table)", .value = &format},
		{"quiet", 'q', .help = "only the IDs", .flag = &quiet}, {0}};
	struct table table = {0};
	char **words;

	if (options_parse(argc, argv, options, 0, 0, &words))
		return 1;
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0)
		return cli_error("invalid format option: %s", format);
	if (load(&table))
		return 1;
	if (quiet) {
		for (size_t i = 0; i < table.count; i++)
			puts(table.rows[i].columns[0]);
	} else if (strcmp(format, "json") == 0) {
		print_json(&table);
	} else {
		print_table(&table);
	}
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
