/*
 * Programs of bpf(2) as files: nothing but a reference.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "kernel/ebpf.h"
#include "ring0/lib.h"
#include "vfs/anon/anon.h"

static void program_release(struct file *file)
{
	ebpf_program_put(file->private);
}

static void program_show_fdinfo(struct file *file, char *buf, size_t size)
{
	const struct ebpf_program *program = file->private;

	snprintf(buf, size, "prog_type:\t%u\nprog_jited:\t0\nprog_id:\t%u\n", program->type, program->id);
}

static const struct file_ops program_ops = {.release = program_release, .show_fdinfo = program_show_fdinfo};

int bpf_program_open(struct ebpf_program *program)
{
	struct file *file = file_create_anon("anon_inode:bpf-prog", &program_ops, O_RDWR, program);

	if (!file)
		return -ENOMEM;
	ebpf_program_get(program);
	return fd_install(file, true, 0);
}

struct ebpf_program *bpf_program_of(const struct file *file)
{
	return file->ops == &program_ops ? file->private : NULL;
}
