/* The command's messages and its global options' defaults. */
#include <stdarg.h>

#include "cli/cli.h"

struct global_options global = {.platform = "auto", .operation = "ringfence"};

int cli_error(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *c = line; *c; c++) {
		if (*c == '\n' || *c == '\r' || *c == '\033')
			*c = ' ';
	}
	fprintf(stderr, "ringfence: %s: %s\n", global.operation, line);
	return 1;
}
