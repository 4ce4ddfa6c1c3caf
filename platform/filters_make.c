/*
 * A program of the build: makes the seccomp programs of filters.def by libseccomp and prints them as C, for filters.c.
 * Made anew in each sandbox, by five threads, they took a twentieth of its start.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/filters.h"

static int add_rules(scmp_filter_ctx context, unsigned role, bool host_network)
{
	int error = 0;

	for (size_t i = 0; i < FILTERS && error == 0; i++) {
		const struct filter *f = &filters[i];
		if (!(roles_of(f, host_network) & 1u << role))
			continue;
		if (f->argument < 0)
			error = seccomp_rule_add(context, SCMP_ACT_ALLOW, f->call, 0);
		else
			error = seccomp_rule_add(context, SCMP_ACT_ALLOW, f->call, 1,
				((struct scmp_arg_cmp){(unsigned)f->argument, SCMP_CMP_EQ, f->value, 0}));
	}
	return error;
}

/* The program into `fd`. 0 or -errno. */
static int make(unsigned role, bool host_network, int fd)
{
	scmp_filter_ctx context = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error = context ? add_rules(context, role, host_network) : -ENOMEM;

	if (error == 0) /* x32 and 32-bit calls: the whole process too, or the sandbox would hang with a thread less */
		error = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree: the hot calls are few */
	if (error == 0)
		error = seccomp_export_bpf(context, fd);
	if (context)
		seccomp_release(context);
	return error;
}

static int print(unsigned role, bool host_network)
{
	int fd = memfd_create("program", MFD_CLOEXEC), error = fd < 0 ? -errno : make(role, host_network, fd);
	struct sock_filter line;

	if (error) {
		fprintf(stderr, "filters_make: role %u: %s\n", role, strerror(-error));
		return 1;
	}
	lseek(fd, 0, SEEK_SET);
	printf("static const struct sock_filter program_%u_%d[] = {\n", role, host_network);
	while (read(fd, &line, sizeof(line)) == (ssize_t)sizeof(line))
		printf("\t{%#x, %u, %u, %#x},\n", line.code, line.jt, line.jf, line.k);
	puts("};");
	close(fd);
	return 0;
}

int main(void)
{
	puts("/* By platform/filters_make.c. */");
	for (unsigned role = 0; role < JAIL_ROLES; role++) {
		if (print(role, false) || print(role, true))
			return 1;
	}
	printf("#define FILTERS_MADE %zuu\n", FILTERS);
	puts("static const struct sock_fprog programs[JAIL_ROLES][2] = {");
	for (unsigned role = 0; role < JAIL_ROLES; role++) {
		puts("\t{");
		for (int host = 0; host < 2; host++)
			printf("\t\t{sizeof(program_%u_%d) / sizeof(struct sock_filter), (struct sock_filter *)program_%u_%d},\n", role, host,
				role, host);
		puts("\t},");
	}
	puts("};");
	return fflush(stdout) != 0;
}
