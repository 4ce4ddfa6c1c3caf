/*
 * Names for the addresses of the sentry that `debug ID stacks` prints: "sentry+0xOFFSET" becomes "function+0xOFFSET", if
 * sentry.elf is the image that the sandbox runs (by its build-id, in the text's line "image HEX") and has symbols.
 */
#ifndef CLI_SYMBOLS_H
#define CLI_SYMBOLS_H

#include <stdbool.h>
#include <stdio.h>

struct symbols;

/* NULL: there are none (no message). */
struct symbols *symbols_open(const char *build_id);
/* Prints a text whose addresses are named as far as `symbols` (may be NULL) knows them. */
void symbols_print(FILE *to, const struct symbols *symbols, const char *text);
/* The build-id that a text names, in hexadecimal. False: it does not. */
bool symbols_image(const char *text, char id[64]);

#endif
