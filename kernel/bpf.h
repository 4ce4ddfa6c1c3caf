/*
 * Classic BPF (the kernel's filter.rst; linux/filter.h): checking a program and running it.
 *
 * bpf_check() once, when a program comes in; bpf_run() as often as needed on what it let
 * through. What a program looks at is behind struct bpf_data, so seccomp and socket filters share the interpreter.
 * No loops are possible: every jump goes forward. Neither function sleeps or touches user memory.
 */
#ifndef KERNEL_BPF_H
#define KERNEL_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* The data of one run. load: size (1, 2, 4) bytes at offset; false: outside, the program then ends with 0. */
struct bpf_data {
	bool (*load)(const struct bpf_data *data, uint32_t offset, unsigned size, uint32_t *value);
	uint32_t len;
};

/* 0, or -EINVAL: an instruction that does not exist, a jump or a memory word out of range, no return at the end. */
int bpf_check(const struct sock_filter *program, unsigned count);
/* REQUIRES a checked program. The value that it returned. */
uint32_t bpf_run(const struct sock_filter *program, const struct bpf_data *data);

#endif
