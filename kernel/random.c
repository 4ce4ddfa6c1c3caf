/*
 * The sentry's random generator: ChaCha20 (RFC 8439) with fast key erasure: each refill
 * makes a new key out of the first bytes of its own output, so that what was handed out
 * cannot be computed again. Keyed from the boot block's seed and, from the first use on
 * and every MiB of output, from the host's entropy call. Under the kernel lock.
 */
#include "kernel/random.h"
#include "kernel/mm.h"
#include "ring0/lib.h"

#define POOL_BLOCKS 8u
#define RESEED_BYTES (1ull << 20)

static uint32_t key[8];
static uint64_t counter;
static uint8_t pool[64 * POOL_BLOCKS];
static size_t pool_left;
static uint64_t until_reseed;

static inline uint32_t rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

#define QUARTER(a, b, c, d)                             \
	do {                                            \
		a += b, d = rotl(d ^ a, 16);            \
		c += d, b = rotl(b ^ c, 12);            \
		a += b, d = rotl(d ^ a, 8);             \
		c += d, b = rotl(b ^ c, 7);             \
	} while (0)

static void chacha_block(uint8_t out[64])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, x[16];

	memcpy(in + 4, key, sizeof(key));
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	counter++;
	memcpy(x, in, sizeof(x));
	for (unsigned i = 0; i < 10; i++) {
		QUARTER(x[0], x[4], x[8], x[12]);
		QUARTER(x[1], x[5], x[9], x[13]);
		QUARTER(x[2], x[6], x[10], x[14]);
		QUARTER(x[3], x[7], x[11], x[15]);
		QUARTER(x[0], x[5], x[10], x[15]);
		QUARTER(x[1], x[6], x[11], x[12]);
		QUARTER(x[2], x[7], x[8], x[13]);
		QUARTER(x[3], x[4], x[9], x[14]);
	}
	for (unsigned i = 0; i < 16; i++)
		x[i] += in[i];
	memcpy(out, x, 64);
}

static void random_reseed(void)
{
	uint64_t *fresh = kzalloc(sizeof(key)); /* the host writes there, so not on the stack */

	if (until_reseed == 0 && counter == 0)
		memcpy(key, boot_info->seed, sizeof(key));
	if (fresh && machine->host_call(ABI_CALL_entropy, va_to_pa(fresh), sizeof(key), 0, 0) >= 0)
		for (unsigned i = 0; i < 8; i++)
			key[i] ^= ((uint32_t *)fresh)[i];
	kfree(fresh);
	until_reseed = RESEED_BYTES;
}

static void random_refill(void)
{
	if (until_reseed < sizeof(pool))
		random_reseed();
	until_reseed -= sizeof(pool);
	for (unsigned i = 0; i < POOL_BLOCKS; i++)
		chacha_block(pool + 64 * i);
	memcpy(key, pool, sizeof(key));
	memset(pool, 0, sizeof(key));
	pool_left = sizeof(pool) - sizeof(key);
}

void random_bytes(void *to, size_t n)
{
	uint8_t *at = to;

	while (n > 0) {
		size_t part;

		if (pool_left == 0)
			random_refill();
		part = MIN(n, pool_left);
		memcpy(at, pool + sizeof(pool) - pool_left, part);
		memset(pool + sizeof(pool) - pool_left, 0, part);
		pool_left -= part;
		at += part;
		n -= part;
	}
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}
