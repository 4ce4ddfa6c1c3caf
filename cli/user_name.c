/*
 * Names of users, for what `list` and `ps` print.
 *
 * By /etc/passwd alone: the command is linked statically, and the C library's other sources
 * of names are plug-ins that such a program cannot load reliably.
 */
#include <pwd.h>
#include <string.h>

#include "cli/cli.h"

bool user_name(uid_t uid, char *name, size_t size)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *user = NULL;

	while (file && (user = fgetpwent(file)) && user->pw_uid != uid)
		;
	if (user)
		snprintf(name, size, "%s", user->pw_name);
	if (file)
		fclose(file);
	return user != NULL;
}
