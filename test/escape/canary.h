/* What canary.c and memory.c agree on: canaries are never written down as they are, not even in argument lists. */
#define CANARY_MASK 0x5aa5c33c96690ff0ull
