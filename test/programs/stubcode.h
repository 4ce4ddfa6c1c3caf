/*
 * For programs that attack systrap's stub from inside: where things are in its code and in the frame that user code
 * begins from. Found by bytes, as an attacker would; on Linux, and where no such stub is, there is nothing.
 */
#ifndef PROGRAMS_STUBCODE_H
#define PROGRAMS_STUBCODE_H

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

#include "../../platform/systrap/layout.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* gregs of the frame at rcx, as REG_… of sys/ucontext.h, and its signal mask. */
#define FRAME(register) TEXT(8 + 40 + 8 * register) "(%%rcx)"
#define FRAME_MASK "304(%%rcx)"

static sigjmp_buf stubcode_back;

static void stubcode_jump_back(int signo)
{
	siglongjmp(stubcode_back, signo);
}

/* NULL: no such code here. */
static const uint8_t *stubcode_find(const uint8_t *bytes, size_t size)
{
	const uint8_t *volatile at = (const uint8_t *)ST_CODE;

	signal(SIGSEGV, stubcode_jump_back);
	if (sigsetjmp(stubcode_back, 1))
		at = NULL;
	while (at && at < (const uint8_t *)ST_CODE + ST_CODE_SIZE - size && memcmp(at, bytes, size) != 0)
		at++;
	signal(SIGSEGV, SIG_DFL);
	return at == (const uint8_t *)ST_CODE + ST_CODE_SIZE - size ? NULL : at;
}

/* A call from a place that never becomes a jump, however often it is made: it comes by a signal and leaves a frame. */
static inline void stubcode_signal_call(long number, long argument)
{
	__asm__ volatile("nop\n\tsyscall\n\tnop\n\tnop" : "+a"(number) : "D"(argument) : "rcx", "r11", "memory");
}

/* Where the stub says that it has handed over: mov $1,%eax; xchg %eax,(%rbp). */
static inline const uint8_t *stubcode_hand_over(void)
{
	static const uint8_t bytes[] = {0xb8, 1, 0, 0, 0, 0x87, 0x45, 0};

	return stubcode_find(bytes, sizeof(bytes));
}

#endif
