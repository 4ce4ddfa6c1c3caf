/* The command's own terminal: see terminal.h and termios(3). */
#include <stdbool.h>
#include <termios.h>
#include <unistd.h>

#include "cli/terminal.h"

static struct termios saved;
static bool raw;

void terminal_raw(void)
{
	struct termios ios;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	ios = saved;
	cfmakeraw(&ios);
	raw = tcsetattr(STDIN_FILENO, TCSANOW, &ios) == 0;
}

void terminal_restore(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
	raw = false;
}
