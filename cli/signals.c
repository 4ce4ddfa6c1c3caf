/* Signals by name or number, as runc takes them: see signal(7). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"

#define KERNEL_RTMIN 34 /* as every C library counts them for programs */

int signal_parse(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end != text && !*end)
		return number >= 1 && number <= 64 ? (int)number : -1;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int i = 1; i < 32; i++) {
		const char *name = sigabbrev_np(i);
		if (name && strcasecmp(name, text) == 0)
			return i;
	}
	if (strcasecmp(text, "IOT") == 0)
		return SIGABRT;
	if (strncasecmp(text, "RTMIN", 5) != 0 && strncasecmp(text, "RTMAX", 5) != 0)
		return -1;
	int base = strncasecmp(text, "RTMIN", 5) == 0 ? KERNEL_RTMIN : 64;
	number = text[5] ? strtol(text + 5, &end, 10) : 0;
	if (text[5] && *end)
		return -1;
	number += base;
	return number >= KERNEL_RTMIN && number <= 64 ? (int)number : -1;
}
