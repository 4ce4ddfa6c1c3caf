/* Names and messages of error numbers, from errno.def (errno(3)). */
#include "kernel/errno_names.h"

const char *errno_name(int error)
{
	switch (error) {
#define ERRNO(number, name, text) \
	case number:              \
		return #name;
#include "kernel/errno.def"
#undef ERRNO
	case 512:
		return "ERESTARTSYS";
	case 513:
		return "ERESTARTNOINTR";
	case 514:
		return "ERESTARTNOHAND";
	case 516:
		return "ERESTART_RESTARTBLOCK";
	}
	return "E?";
}

const char *errno_text(int error)
{
	switch (error) {
#define ERRNO(number, name, text) \
	case number:              \
		return text;
#include "kernel/errno.def"
#undef ERRNO
	}
	return "unknown error";
}
