/*
 * Keys and keyrings: add_key, request_key, keyctl; permissions and possession, quotas, expiry; what fork, threads, execve
 * and other users see of them; /proc/keys and /proc/key-users.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "harness.h"

#define SESSION KEY_SPEC_SESSION_KEYRING
#define PROCESS KEY_SPEC_PROCESS_KEYRING
#define THREAD KEY_SPEC_THREAD_KEYRING
#define POS(bits) ((uint32_t)(bits) << 24)
#define USR(bits) ((uint32_t)(bits) << 16)
enum { VIEW = 1, READ = 2, WRITE = 4, SEARCH = 8, LINK = 16, SETATTR = 32, ALL = 63 };

static long control(int operation, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, operation, a, b, c, d);
}

static long add(const char *type, const char *description, const char *payload, int ring)
{
	return syscall(SYS_add_key, type, description, payload, payload ? strlen(payload) : 0, ring);
}

static long request(const char *type, const char *description, const char *callout, int ring)
{
	return syscall(SYS_request_key, type, description, callout, ring);
}

static long join(const char *name)
{
	return control(KEYCTL_JOIN_SESSION_KEYRING, (long)name, 0, 0, 0);
}

static long ring_of(int id, int create)
{
	return control(KEYCTL_GET_KEYRING_ID, id, create, 0, 0);
}

static int reads(long id, const char *text)
{
	char got[256] = "";
	long n = control(KEYCTL_READ, id, (long)got, sizeof(got), 0);

	return n == (long)strlen(text) && !memcmp(got, text, (size_t)n);
}

static int describes(long id, const char *text)
{
	char got[256] = "";
	long n = control(KEYCTL_DESCRIBE, id, (long)got, sizeof(got), 0);

	if (n != (long)strlen(text) + 1 || strcmp(got, text))
		printf("described as %s\n", got);
	return n == (long)strlen(text) + 1 && !strcmp(got, text);
}

/* How many links a keyring has; -1: it cannot be read. */
static int links_of(long ring)
{
	long n = control(KEYCTL_READ, ring, 0, 0, 0);

	return n < 0 ? -1 : (int)(n / 4);
}

/* What nothing refers to any more is gone; Linux may take a while over it. */
static int goes_away(long id)
{
	for (int i = 0; i < 200; i++) {
		if (control(KEYCTL_DESCRIBE, id, 0, 0, 0) == -1 && errno == ENOKEY)
			return 1;
		sleep_ms(20);
	}
	return 0;
}

static void basics(void)
{
	long ring = join(NULL), key, ring2;
	char got[64];
	int ids[4];

	CHECK(ring > 2 && ring_of(SESSION, 0) == ring);
	CHECK(describes(ring, "keyring;0;0;3f030000;_ses"));
	key = add("user", "one", "hello", SESSION);
	CHECK(key > 2 && describes(key, "user;0;0;3f010000;one") && reads(key, "hello"));
	/* The same again is the same key, with another content. */
	CHECK(add("user", "one", "good bye", SESSION) == key && reads(key, "good bye"));
	CHECK(control(KEYCTL_UPDATE, key, (long)"x", 1, 0) == 0 && reads(key, "x"));
	/* Too little room: the length alone. */
	CHECK(add("user", "one", "twelve bytes", SESSION) == key);
	memset(got, 'z', sizeof(got));
	CHECK(control(KEYCTL_READ, key, (long)got, 5, 0) == 12 && got[0] == 'z');
	CHECK(control(KEYCTL_DESCRIBE, key, (long)got, 5, 0) == 22 && got[0] == 'z');
	CHECK(control(KEYCTL_DESCRIBE, key, 0, 0, 0) == 22);
	CHECK_ERRNO(control(KEYCTL_READ, key, 8, 100, 0), EFAULT);
	CHECK_ERRNO(control(KEYCTL_DESCRIBE, key, 8, 100, 0), EFAULT);
	CHECK(control(KEYCTL_GET_SECURITY, key, (long)got, 10, 0) == 1 && got[0] == 0);
	/* A keyring of the same name displaces; its content are numbers. */
	ring2 = add("keyring", "below", NULL, SESSION);
	CHECK(ring2 > 2 && describes(ring2, "keyring;0;0;3f010000;below") && links_of(ring2) == 0 && links_of(ring) == 2);
	CHECK(control(KEYCTL_READ, ring, (long)ids, sizeof(ids), 0) == 8);
	CHECK((ids[0] == key && ids[1] == ring2) || (ids[1] == key && ids[0] == ring2));
	CHECK(add("keyring", "below", NULL, SESSION) != ring2 && links_of(ring) == 2);
	CHECK(goes_away(ring2));
	/* What logon holds is for the kernel. */
	key = add("logon", "service:name", "secret", SESSION);
	CHECK(describes(key, "logon;0;0;3d010000;service:name"));
	CHECK_ERRNO(control(KEYCTL_READ, key, (long)got, sizeof(got), 0), EOPNOTSUPP);
	CHECK(control(KEYCTL_CLEAR, SESSION, 0, 0, 0) == 0 && links_of(ring) == 0);
	CHECK(goes_away(key));
}

static void bad_arguments(void)
{
	char *big = malloc(1 << 20);
	long key;

	memset(big, 'a', 1 << 20);
	join(NULL);
	CHECK_ERRNO(add("nosuch", "d", "p", SESSION), ENODEV);
	CHECK_ERRNO(add("user", "", "p", SESSION), EINVAL);
	CHECK_ERRNO(add("user", NULL, "p", SESSION), EINVAL);
	CHECK_ERRNO(add("user", "d", NULL, SESSION), EINVAL);
	CHECK_ERRNO(add("", "d", "p", SESSION), EINVAL);
	CHECK_ERRNO(add(".user", "d", "p", SESSION), EPERM);
	CHECK_ERRNO(add("keyring", ".d", NULL, SESSION), EPERM);
	CHECK_ERRNO(add("keyring", "d", "p", SESSION), EINVAL);
	CHECK_ERRNO(add("logon", "d", "p", SESSION), EINVAL);
	CHECK_ERRNO(add("logon", ":d", "p", SESSION), EINVAL);
	CHECK_ERRNO(add("a type whose name is longer than any", "d", "p", SESSION), EINVAL);
	CHECK_ERRNO(add((char *)8, "d", "p", SESSION), EFAULT);
	CHECK_ERRNO(add("user", (char *)8, "p", SESSION), EFAULT);
	CHECK_ERRNO(syscall(SYS_add_key, "user", "d", 8, 10, SESSION), EFAULT);
	CHECK_ERRNO(syscall(SYS_add_key, "user", "d", big, 1 << 20, SESSION), EINVAL);
	CHECK_ERRNO(syscall(SYS_add_key, "user", "d", big, -1l, SESSION), EINVAL);
	CHECK_ERRNO(syscall(SYS_add_key, "user", "d", big, 32768, SESSION), EINVAL);
	big[4096] = 0;
	CHECK_ERRNO(add("user", big, "p", SESSION), EINVAL);
	big[4095] = 0;
	CHECK(add("user", big, "p", SESSION) > 0);
	for (int ring = -10; ring <= 2; ring++) {
		errno = 0;
		key = add("user", "into", "p", ring);
		printf("into %d: %d %d\n", ring, key > 0, errno);
	}
	CHECK_ERRNO(add("user", "d", "p", 0x7ffffff0), ENOKEY);
	key = add("user", "d", "p", SESSION);
	CHECK_ERRNO(add("user", "e", "p", (int)key), ENOTDIR);
	CHECK_ERRNO(control(KEYCTL_UPDATE, SESSION, (long)"p", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(control(KEYCTL_UPDATE, key, (long)big, 4097, 0), EINVAL);
	CHECK_ERRNO(control(KEYCTL_UPDATE, key, 8, 10, 0), EFAULT);
	CHECK_ERRNO(control(KEYCTL_CLEAR, key, 0, 0, 0), ENOTDIR);
	CHECK_ERRNO(control(KEYCTL_LINK, SESSION, key, 0, 0), ENOTDIR);
	CHECK_ERRNO(control(KEYCTL_UNLINK, SESSION, key, 0, 0), ENOTDIR);
	CHECK_ERRNO(control(KEYCTL_SEARCH, key, (long)"user", (long)"d", 0), ENOTDIR);
	CHECK_ERRNO(join(".x"), EPERM);
	CHECK_ERRNO(join((char *)8), EFAULT);
	CHECK_ERRNO(request("user", NULL, NULL, 0), EFAULT);
	CHECK_ERRNO(request("nosuch", "d", NULL, 0), ENOKEY);
	CHECK_ERRNO(request("user", "nosuch", NULL, 0), ENOKEY);
	CHECK_ERRNO(control(KEYCTL_SETPERM, key, 0x40, 0, 0), EINVAL);
	CHECK_ERRNO(control(KEYCTL_MOVE, key, SESSION, PROCESS, 2), EINVAL);
	for (int operation = 0; operation < 40; operation++) {
		errno = 0;
		if (operation != KEYCTL_SESSION_TO_PARENT && operation != KEYCTL_JOIN_SESSION_KEYRING &&
			operation != KEYCTL_DH_COMPUTE && (operation < 24 || operation > 28)) /* what needs options of the kernel */
			printf("%d: %d", operation, (int)(control(operation, 0, 0, 0, 0) > 0));
		printf(" %d\n", errno);
	}
	free(big);
}

static void links(void)
{
	long top = join(NULL), one = add("keyring", "one", NULL, SESSION), two = add("keyring", "two", NULL, (int)one);
	long key = add("user", "k", "1", (int)two), other, ring;

	CHECK(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"k", 0) == key);
	CHECK(control(KEYCTL_SEARCH, one, (long)"keyring", (long)"two", 0) == two);
	CHECK(request("user", "k", NULL, 0) == key);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"logon", (long)"k", 0), ENOKEY);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"nosuch", (long)"k", 0), ENOKEY);
	/* With a keyring for what is found. */
	CHECK(links_of(top) == 1);
	CHECK(control(KEYCTL_SEARCH, one, (long)"user", (long)"k", top) == key && links_of(top) == 2);
	CHECK(control(KEYCTL_UNLINK, key, top, 0, 0) == 0 && links_of(top) == 1);
	CHECK_ERRNO(control(KEYCTL_UNLINK, key, top, 0, 0), ENOENT);
	CHECK(request("user", "k", NULL, SESSION) == key && links_of(top) == 2);
	CHECK(control(KEYCTL_LINK, key, top, 0, 0) == 0 && links_of(top) == 2);
	/* No circles. */
	CHECK_ERRNO(control(KEYCTL_LINK, top, two, 0, 0), EDEADLK);
	CHECK_ERRNO(control(KEYCTL_LINK, two, two, 0, 0), EDEADLK);
	CHECK(control(KEYCTL_LINK, two, top, 0, 0) == 0);
	/* Moves. */
	other = add("keyring", "other", NULL, SESSION);
	CHECK(control(KEYCTL_MOVE, key, two, other, 0) == 0 && links_of(two) == 0 && links_of(other) == 1);
	CHECK_ERRNO(control(KEYCTL_MOVE, key, two, other, 0), ENOENT);
	CHECK_ERRNO(control(KEYCTL_MOVE, key, top, other, KEYCTL_MOVE_EXCL), EEXIST);
	CHECK(control(KEYCTL_MOVE, key, other, other, 0) == 0);
	CHECK(control(KEYCTL_MOVE, key, top, other, 0) == 0 && links_of(other) == 1);
	/* Deeper than a search goes. */
	ring = top;
	for (int i = 0; i < 5; i++)
		ring = add("keyring", "deep", NULL, (int)ring);
	key = add("user", "at the bottom", "1", (int)ring);
	CHECK(key > 0 && control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"at the bottom", 0) == key);
	ring = add("keyring", "deep", NULL, (int)ring);
	CHECK(ring > 0);
	other = add("user", "below it", "1", (int)ring);
	errno = 0;
	printf("6 down %d\n", control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"below it", 0) == other);
	CHECK((ring = add("keyring", "deep", NULL, (int)ring)) > 0);
	other = add("user", "too deep", "1", (int)ring);
	printf("7 down %d %d\n", (int)control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"too deep", 0) == other, errno);
	/* Nothing more into this one. */
	ring = add("keyring", "closed", NULL, SESSION);
	CHECK(control(KEYCTL_RESTRICT_KEYRING, ring, 0, 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_RESTRICT_KEYRING, ring, 0, 0, 0), EEXIST);
	CHECK_ERRNO(control(KEYCTL_LINK, key, ring, 0, 0), EPERM);
	CHECK_ERRNO(add("user", "x", "y", (int)ring), EPERM);
	CHECK_ERRNO(control(KEYCTL_RESTRICT_KEYRING, top, (long)"user", 0, 0), EINVAL);
}

#ifndef WIDE
#define WIDE 6 /* Linux goes all ways: with 20 it takes minutes */
#endif

/* Layers of keyrings, of which each is linked to all of the next: many ways, few keyrings. */
static void many_ways(void)
{
	long layer[7][WIDE], start = now_ns(CLOCK_MONOTONIC);
	char name[32];

	join(NULL);
	for (int deep = 6; deep >= 0; deep--)
		for (int i = 0; i < WIDE; i++) {
			snprintf(name, sizeof(name), "%d-%d", deep, i);
			layer[deep][i] = add("keyring", name, NULL, PROCESS);
			for (int j = 0; deep < 6 && j < WIDE; j++)
				control(KEYCTL_LINK, layer[deep + 1][j], layer[deep][i], 0, 0);
		}
	CHECK(control(KEYCTL_LINK, layer[2][0], SESSION, 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"not there", 0), ENOKEY);
	CHECK((now_ns(CLOCK_MONOTONIC) - start) / 1000000000 < 20);
}

static void life(void)
{
	long top = join(NULL), key = add("user", "a", "1", SESSION), other = add("user", "b", "2", SESSION), ring;

	CHECK(control(KEYCTL_REVOKE, key, 0, 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_READ, key, 0, 0, 0), EKEYREVOKED);
	CHECK_ERRNO(control(KEYCTL_DESCRIBE, key, 0, 0, 0), EKEYREVOKED);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"a", 0), EKEYREVOKED);
	CHECK_ERRNO(request("user", "a", NULL, 0), EKEYREVOKED);
	CHECK_ERRNO(control(KEYCTL_REVOKE, key, 0, 0, 0), EKEYREVOKED);
	CHECK(links_of(top) == 2);
	CHECK(add("user", "a", "3", SESSION) != key && links_of(top) == 2); /* a new one in its place */
	CHECK(control(KEYCTL_SET_TIMEOUT, other, 1, 0, 0) == 0 && reads(other, "2"));
	CHECK(control(KEYCTL_SET_TIMEOUT, other, 0, 0, 0) == 0);
	CHECK(control(KEYCTL_SET_TIMEOUT, other, 1, 0, 0) == 0);
	sleep_ms(2200);
	CHECK_ERRNO(control(KEYCTL_READ, other, 0, 0, 0), EKEYEXPIRED);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"b", 0), EKEYEXPIRED);
	CHECK_ERRNO(control(KEYCTL_UPDATE, other, (long)"x", 1, 0), EKEYEXPIRED);
	CHECK_ERRNO(request("user", "b", NULL, 0), ENOKEY);
	CHECK(add("user", "b", "4", SESSION) == other && reads(other, "4")); /* and lives again */
	CHECK(control(KEYCTL_INVALIDATE, other, 0, 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_DESCRIBE, other, 0, 0, 0), ENOKEY);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"nothing", 0), ENOKEY);
	for (int i = 0; i < 100 && links_of(top) != 1; i++)
		sleep_ms(20);
	CHECK(links_of(top) == 1);
	ring = add("keyring", "ring", NULL, SESSION);
	key = add("user", "c", "1", (int)ring);
	CHECK(control(KEYCTL_REVOKE, ring, 0, 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"c", 0), ENOKEY);
	CHECK_ERRNO(add("user", "d", "1", (int)ring), EKEYREVOKED);
}

static void permissions(void)
{
	long top = join(NULL), key = add("user", "p", "1", SESSION), ring = add("keyring", "r", NULL, SESSION);

	CHECK(control(KEYCTL_SETPERM, key, POS(VIEW | SETATTR), 0, 0) == 0);
	/* Found by none, it is possessed by none; what is left are the owner's rights: nothing. */
	CHECK_ERRNO(control(KEYCTL_READ, key, 0, 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_DESCRIBE, key, 0, 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_SETPERM, key, POS(ALL), 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"p", 0), EACCES);
	CHECK_ERRNO(request("user", "p", NULL, 0), EACCES);
	key = add("user", "q", "1", SESSION);
	CHECK(control(KEYCTL_SETPERM, key, POS(SEARCH | SETATTR), 0, 0) == 0);
	CHECK(reads(key, "1")); /* who can find it can read it */
	CHECK_ERRNO(control(KEYCTL_DESCRIBE, key, 0, 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_UPDATE, key, (long)"2", 1, 0), EACCES);
	CHECK_ERRNO(add("user", "q", "2", SESSION), EACCES);
	CHECK_ERRNO(control(KEYCTL_LINK, key, ring, 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"q", ring), EACCES);
	CHECK(control(KEYCTL_SETPERM, key, USR(READ | VIEW) | POS(SEARCH), 0, 0) == 0);
	CHECK(describes(key, "user;0;0;08030000;q"));
	CHECK_ERRNO(control(KEYCTL_SET_TIMEOUT, key, 10, 0, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_CHOWN, key, 5, -1, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_REVOKE, key, 0, 0, 0), EACCES);
	CHECK(control(KEYCTL_UNLINK, key, SESSION, 0, 0) == 0); /* asks nothing of the key */
	/* A keyring that may not be searched hides what it has. */
	key = add("user", "hidden", "1", (int)ring);
	CHECK(control(KEYCTL_SETPERM, ring, POS(ALL & ~SEARCH) | USR(ALL & ~SEARCH), 0, 0) == 0);
	CHECK_ERRNO(control(KEYCTL_SEARCH, SESSION, (long)"user", (long)"hidden", 0), ENOKEY);
	CHECK_ERRNO(control(KEYCTL_READ, key, 0, 0, 0), EACCES);
	CHECK(control(KEYCTL_DESCRIBE, key, 0, 0, 0) > 0); /* as its owner */
	/* Owners. */
	key = add("user", "given", "1", SESSION);
	CHECK(control(KEYCTL_CHOWN, key, -1, -1, 0) == 0);
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 1) {
		CHECK_ERRNO(control(KEYCTL_CHOWN, key, 1000, 1001, 0), EACCES);
		return;
	}
	CHECK(control(KEYCTL_CHOWN, key, 1000, 1001, 0) == 0 && describes(key, "user;1000;1001;3f010000;given"));
	CHECK(control(KEYCTL_CHOWN, key, 0, -1, 0) == 0 && describes(key, "user;0;1001;3f010000;given"));
	CHECK(links_of(top) > 0);
}

/* As somebody else: what is left of the session of root. */
static void other_user(void)
{
	long ring = join(NULL), key = add("user", "mine", "1", SESSION), bytes = 0, last = 0;
	char name[32], payload[3001];
	int count = 0;

	CHECK(setresgid(54321, 54321, 54321) == 0 && setresuid(54321, 54321, 54321) == 0);
	CHECK(reads(key, "1")); /* possessed through the session */
	CHECK(control(KEYCTL_SETPERM, key, POS(ALL), 0, 0) == -1 && errno == EACCES);
	CHECK_ERRNO(control(KEYCTL_CHOWN, key, 54321, -1, 0), EACCES);
	ring = join(NULL);
	CHECK(describes(ring, "keyring;54321;54321;3f030000;_ses"));
	CHECK(goes_away(key)); /* with the session */
	CHECK(describes(KEY_SPEC_USER_KEYRING, "keyring;54321;65534;1f3f0000;_uid.54321"));
	CHECK(describes(KEY_SPEC_USER_SESSION_KEYRING, "keyring;54321;65534;1f3f0000;_uid_ses.54321"));
	CHECK(links_of(KEY_SPEC_USER_SESSION_KEYRING) == 1 && links_of(KEY_SPEC_USER_KEYRING) == 0);
	CHECK_ERRNO(control(KEYCTL_CHOWN, ring, 54322, -1, 0), EACCES);
	CHECK_ERRNO(control(KEYCTL_GET_PERSISTENT, 54322, SESSION, 0, 0), EPERM);
	/* 200 keys with 20,000 bytes in all. */
	memset(payload, 'p', sizeof(payload));
	payload[3000] = 0;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "big %d", i);
		last = add("user", name, payload, SESSION);
		if (last < 0)
			break;
		bytes += 3000;
	}
	printf("bytes %ld, errno %d\n", bytes, last < 0 ? errno : 0);
	CHECK(control(KEYCTL_CLEAR, SESSION, 0, 0, 0) == 0);
	for (int tries = 0; tries < 50 && count < 190; tries++) { /* what was let go of may count for a while */
		control(KEYCTL_CLEAR, SESSION, 0, 0, 0);
		sleep_ms(20);
		for (count = 0; count < 300; count++) {
			snprintf(name, sizeof(name), "%d", count);
			if (add("user", name, "1", SESSION) < 0)
				break;
		}
	}
	printf("keys %d, errno %d\n", count, errno);
	CHECK_ERRNO(add("keyring", "one more", NULL, SESSION), EDQUOT);
	CHECK_ERRNO(join("named"), EDQUOT);
	CHECK(control(KEYCTL_CLEAR, SESSION, 0, 0, 0) == 0);
}

static void names(void)
{
	long anonymous = join(NULL), ring = join("a name of this test");

	CHECK(ring > 2 && ring != anonymous && describes(ring, "keyring;0;0;3f130000;a name of this test"));
	/* Only what its owner may search is found by name. */
	CHECK(control(KEYCTL_SETPERM, ring, POS(ALL) | USR(ALL), 0, 0) == 0);
	printf("again: %d\n", (int)(join("a name of this test") == ring));
	CHECK(control(KEYCTL_LINK, ring, PROCESS, 0, 0) == 0);
	CHECK(join(NULL) != ring && join("a name of this test") == ring && ring_of(SESSION, 0) == ring);
	CHECK(control(KEYCTL_SETPERM, ring, POS(ALL) | USR(VIEW), 0, 0) == 0);
	CHECK(join(NULL) != ring && join("a name of this test") != ring);
}

static long seen[4];

static void *thread_part(void *arg)
{
	(void)arg;
	seen[0] = ring_of(SESSION, 0);
	seen[1] = ring_of(PROCESS, 0);
	seen[2] = ring_of(THREAD, 0);
	seen[3] = join(NULL);
	return NULL;
}

static void inheritance(void)
{
	long session = join(NULL), process, thread, key;
	pthread_t other;
	int status;

	CHECK_ERRNO(ring_of(THREAD, 0), ENOKEY);
	CHECK_ERRNO(ring_of(PROCESS, 0), ENOKEY);
	process = ring_of(PROCESS, 1);
	CHECK(describes(process, "keyring;0;0;3f010000;_pid"));
	CHECK(pthread_create(&other, NULL, thread_part, NULL) == 0 && pthread_join(other, NULL) == 0);
	CHECK(seen[0] == session && seen[1] == process && seen[2] == -1);
	CHECK(seen[3] != session && ring_of(SESSION, 0) == session); /* each thread may have another session */
	thread = ring_of(THREAD, 1);
	CHECK(describes(thread, "keyring;0;0;3f010000;_tid"));
	CHECK(pthread_create(&other, NULL, thread_part, NULL) == 0 && pthread_join(other, NULL) == 0);
	CHECK(seen[2] > 2 && seen[2] != thread);
	/* The thread's is looked into first, then the process', then the session's. */
	key = add("user", "which", "session", SESSION);
	CHECK(request("user", "which", NULL, 0) == key);
	key = add("user", "which", "process", PROCESS);
	CHECK(request("user", "which", NULL, 0) == key);
	key = add("user", "which", "thread", THREAD);
	CHECK(request("user", "which", NULL, 0) == key);
	/* Ids that change take the thread's keyring along. */
	CHECK(setfsuid(77) == 0 && describes(thread, "keyring;77;0;3f010000;_tid") && setfsuid(0) == 77);
	fflush(stdout);
	if (fork() == 0) {
		harness_failures = 0;
		CHECK(ring_of(SESSION, 0) == session);
		CHECK_ERRNO(ring_of(THREAD, 0), ENOKEY);
		CHECK_ERRNO(ring_of(PROCESS, 0), ENOKEY);
		CHECK(request("user", "which", NULL, 0) > 0);
		CHECK_ERRNO(control(KEYCTL_READ, key, 0, 0, 0), EACCES); /* its parent's thread's */
		ring_of(PROCESS, 1);
		ring_of(THREAD, 1);
		fflush(stdout);
		if (CHECK_RESULT())
			_exit(1);
		execl("/proc/self/exe", "keyrings", "show", NULL);
		_exit(9);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(control(KEYCTL_REVOKE, session, 0, 0, 0) == 0);
	CHECK_ERRNO(ring_of(SESSION, 0), EKEYREVOKED);
	if (fork() == 0)
		_exit(join(NULL) < 0);
	CHECK(wait(&status) > 0 && status == 0);
}

/* A child gives its session to its parent. */
static void to_parent(void)
{
	int status, answer[2];
	long theirs = 0;

	join(NULL);
	CHECK(pipe(answer) == 0);
	if (fork() == 0) {
		long own = join("given up");
		int bad = write(answer[1], &own, sizeof(own)) != sizeof(own) || control(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0);

		_exit(bad);
	}
	CHECK(read(answer[0], &theirs, sizeof(theirs)) == sizeof(theirs));
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(theirs > 0 && ring_of(SESSION, 0) == theirs);
	if (fork() == 0) {
		join(NULL);
		_exit(setresuid(1000, 1000, 1000) || control(KEYCTL_SESSION_TO_PARENT, 0, 0, 0, 0) != -1 || errno != EPERM);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(ring_of(SESSION, 0) == theirs);
	close(answer[0]);
	close(answer[1]);
}

static void helpers(void)
{
	unsigned char caps[8];

	CHECK(control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0) == KEY_REQKEY_DEFL_DEFAULT);
	CHECK(control(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0) == KEY_REQKEY_DEFL_SESSION_KEYRING);
	CHECK_ERRNO(control(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0, 0), EINVAL);
	CHECK_ERRNO(control(KEYCTL_SET_REQKEY_KEYRING, 100, 0, 0, 0), EINVAL);
	CHECK(control(KEYCTL_SET_REQKEY_KEYRING, 0, 0, 0, 0) == KEY_REQKEY_DEFL_SESSION_KEYRING);
	CHECK_ERRNO(control(KEYCTL_INSTANTIATE, 5, 0, 0, 0), EPERM);
	CHECK_ERRNO(control(KEYCTL_NEGATE, 5, 0, 0, 0), EPERM);
	CHECK_ERRNO(control(KEYCTL_REJECT, 5, 0, 0, 0), EINVAL);
	CHECK_ERRNO(control(KEYCTL_REJECT, 5, 0, ENOKEY, 0), EPERM);
	CHECK_ERRNO(control(KEYCTL_ASSUME_AUTHORITY, 5, 0, 0, 0), ENOKEY);
	CHECK(control(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0) == 0);
	memset(caps, 0xff, sizeof(caps));
	CHECK(control(KEYCTL_CAPABILITIES, (long)caps, sizeof(caps), 0, 0) == 2);
	CHECK((caps[0] & 0xe1) == 0xe1 && caps[1] & 1 && caps[2] == 0 && caps[7] == 0);
	CHECK(control(KEYCTL_CAPABILITIES, 0, 0, 0, 0) == 2);
	CHECK_ERRNO(control(KEYCTL_CAPABILITIES, 8, 1, 0, 0), EFAULT);
}

static int file_has(const char *path, const char *text)
{
	static char got[1 << 18];
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(got, 1, sizeof(got) - 1, f) : 0;

	got[n] = 0;
	if (f)
		fclose(f);
	return strstr(got, text) != NULL;
}

static void files(void)
{
	long ring = join(NULL), key = add("user", "in the file", "12345", SESSION), long_ring, hours;
	char line[128];

	snprintf(line, sizeof(line), "%08lx I--Q---     1 perm 3f010000     0     0 user      in the file: 5\n", key);
	CHECK(file_has("/proc/keys", line));
	snprintf(line, sizeof(line), "perm 3f030000     0     0 keyring   _ses: 1\n");
	CHECK(file_has("/proc/keys", line));
	long_ring = add("keyring", "nothing in it", NULL, SESSION);
	snprintf(line, sizeof(line), "%08lx I--Q---     1 perm 3f010000     0     0 keyring   nothing in it: empty\n", long_ring);
	CHECK(file_has("/proc/keys", line));
	hours = add("user", "for hours", "1", SESSION);
	CHECK(control(KEYCTL_SET_TIMEOUT, hours, 3 * 3600 + 100, 0, 0) == 0);
	snprintf(line, sizeof(line), "%08lx I--Q---     1   3h 3f010000     0     0 user      for hours: 1\n", hours);
	CHECK(file_has("/proc/keys", line));
	CHECK(control(KEYCTL_SETPERM, key, POS(ALL & ~VIEW), 0, 0) == 0);
	CHECK(!file_has("/proc/keys", "in the file"));
	CHECK(file_has("/proc/key-users", "    0: "));
	CHECK(file_has("/proc/sys/kernel/keys/maxkeys", "200\n") && file_has("/proc/sys/kernel/keys/maxbytes", "20000\n"));
	CHECK(file_has("/proc/sys/kernel/keys/root_maxkeys", "1000000\n") && file_has("/proc/sys/kernel/keys/gc_delay", "300\n"));
	CHECK(ring > 0);
}

static void persistent(void)
{
	long top = join(NULL), ring = control(KEYCTL_GET_PERSISTENT, -1, SESSION, 0, 0);

	if (ring < 0 && errno == EOPNOTSUPP)
		return;
	CHECK(ring > 2 && links_of(top) == 1 && describes(ring, "keyring;0;65534;1f030000;_persistent.0"));
	CHECK(control(KEYCTL_GET_PERSISTENT, 0, SESSION, 0, 0) == ring);
	CHECK_ERRNO(control(KEYCTL_GET_PERSISTENT, 0, 0x7ffffff0, 0, 0), ENOKEY);
}

/* A user namespace has users, and names, of its own. */
static void in_user_ns(void)
{
	long ring = join("a name outside"), key = add("user", "from outside", "1", SESSION), user;
	char map[] = "0 0 1\n";
	int fd;

	CHECK(control(KEYCTL_SETPERM, ring, POS(ALL) | USR(ALL), 0, 0) == 0);
	CHECK(control(KEYCTL_LINK, ring, PROCESS, 0, 0) == 0);
	user = ring_of(KEY_SPEC_USER_KEYRING, 1);
	if (unshare(CLONE_NEWUSER))
		return; /* not everywhere */
	fd = open("/proc/self/uid_map", O_WRONLY);
	CHECK(write(fd, map, sizeof(map) - 1) == sizeof(map) - 1);
	close(fd);
	CHECK(ring_of(SESSION, 0) == ring && reads(key, "1")); /* its session goes along */
	CHECK(ring_of(KEY_SPEC_USER_KEYRING, 1) != user);
	CHECK(join("a name outside") != ring);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) /* after execve: the session, and nothing else */
		return ring_of(SESSION, 0) < 0 || ring_of(THREAD, 0) != -1 || ring_of(PROCESS, 0) != -1 ||
			request("user", "which", NULL, 0) < 0;
	harness_start();
	ISOLATED(basics);
	ISOLATED(bad_arguments);
	ISOLATED(links);
	ISOLATED(many_ways);
	ISOLATED(life);
	ISOLATED(permissions);
	ISOLATED(other_user);
	ISOLATED(names);
	ISOLATED(inheritance);
	ISOLATED(to_parent);
	ISOLATED(helpers);
	ISOLATED(files);
	ISOLATED(persistent);
	ISOLATED(in_user_ns);
	return CHECK_RESULT();
}
