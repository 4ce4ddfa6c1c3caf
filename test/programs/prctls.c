/*
 * prctl(2): what is kept and told, what is inherited, and who may not move the marks of its memory.
 */
#include <linux/prctl.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "harness.h"

static void of_huge_pages(void)
{
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0);
	CHECK_ERRNO(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_GET_THP_DISABLE, 0, 0, 1, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1), EINVAL);
	CHECK(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1);
	fflush(stdout);
	CHECK(system("grep THP_enabled /proc/self/status") == 0); /* over fork and exec */
	CHECK(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0);
	fflush(stdout);
	CHECK(system("grep THP_enabled /proc/self/status") == 0);
}

static void of_memory(void)
{
	static char here[16];

	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_ARG_START, here, 0, 1), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_ARG_START, here, 1, 0), EINVAL);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_ARG_START, here, 0, 0), EPERM);
	CHECK_ERRNO(prctl(PR_SET_MM, PR_SET_MM_BRK, here, 0, 0), EPERM);
	CHECK_ERRNO(prctl(PR_SET_MM, 99, 0, 0, 0), EPERM);
}

static void of_the_clock(void)
{
	int mode = 0;

	CHECK(prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode == PR_TSC_ENABLE);
	CHECK(prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0) == 0);
	CHECK_ERRNO(prctl(PR_SET_TSC, 3, 0, 0, 0), EINVAL);
}

int main(void)
{
	RUN(of_huge_pages);
	RUN(of_memory);
	RUN(of_the_clock);
	return CHECK_RESULT();
}
