/*
 * The hostile image: what its files share.
 *
 * The image boots where sentry.elf boots and attacks the host side with everything that a
 * sentry could do once a container has taken it over. One boot runs one case, named by the
 * container's first argument. A case returns if the property that it attacks holds; what it
 * must never reach calls reached(). Where holding means that the VMM kills the sandbox, the
 * case ends in reached() itself, and ../cases says which line the VMM must have written.
 */
#ifndef ESCAPE_IMAGE_H
#define ESCAPE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/abi/abi.h"
#include "platform/abi/config.h"
#include "platform/abi/control.h"
#include "platform/abi/hosted.h"

#define E_BADF 9
#define E_BUSY 16
#define E_FAULT 14
#define E_INVAL 22
#define E_NOTTY 25
#define E_SPIPE 29
#define E_NOSYS 38
#define E_MSGSIZE 90

#define SCRATCH_SIZE (4u << 20)

struct escape_case {
	const char *name;
	void (*run)(void);
	void (*second)(void); /* what CPU 1 does meanwhile, if it is started */
	bool alone;           /* it speaks with the command itself: nobody answered that the container was created */
};

extern const struct escape_case call_cases[], ring_cases[], race_cases[], guest_cases[], process_cases[],
	control_cases[];

/* The VMM's words as it left them: a copy, since some cases spoil the original. */
extern struct abi_boot boot;
extern struct abi_ring *ring;
extern uint64_t scratch; /* gpa of SCRATCH_SIZE bytes of the kernel zone that nobody uses, page aligned */
extern volatile uint32_t over; /* CPU 0 is done: CPU 1 stops its work */

static inline bool is_hosted(void)
{
	return boot.machine == ABI_MACHINE_HOSTED;
}

static inline void *at(uint64_t gpa)
{
	return (void *)(boot.direct_base + gpa);
}

/* control.c. The command's request, as it came: its number. An answer: 0 or -errno. */
uint32_t ask_control(struct control_header *head);
int64_t answer(struct control_header head, const void *payload, uint32_t len);

/* main.c. One host call from CPU 0; from `cpu`. */
int64_t call(uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
int64_t call_on(unsigned cpu, uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
void doorbell(void);
void relax(void);
/* A line for stderr: the text and a number. */
void say(const char *text, int64_t value);
/* Ends the sandbox with this exit status. */
void end(unsigned status) __attribute__((noreturn));
/* The attack got through. */
void reached(const char *what) __attribute__((noreturn));
void want_(const char *what, int line, int64_t got, int64_t expected);
#define WANT(expression, expected) want_(#expression, __LINE__, (int64_t)(expression), (int64_t)(expected))
/* The container's argument number `index`, 1 and up: as a string, as a number; NULL and 0 if there is none. */
const char *argument(unsigned index);
uint64_t argument_number(unsigned index);
/* Numbers that follow from a fixed seed. */
uint64_t random_number(void);
/* One of the addresses, lengths and numbers that break careless checks. */
uint64_t odd_number(void);
bool same(const char *a, const char *b);
void copy(void *to, const void *from, size_t n);
void fill(void *to, int byte, size_t n);
/* Let CPU 1 run its part of the case; false: there is only one CPU. */
bool start_second(void);

/* ring.c. Publish an entry; take the next completion (waits); both, for one entry. */
void submit(const struct abi_sqe *sqe);
struct abi_cqe complete(void);
int64_t ask(struct abi_sqe sqe);

#endif
