/*
 * Keys: add_key(2), request_key(2), keyctl(2). Names and payloads are copied in, results out; kernel/keys/ does the rest.
 */
#include <linux/errno.h>
#include <linux/keyctl.h>

#include "kernel/keys/keys.h"
#include "kernel/mm.h"
#include "kernel/user_ns.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "syscalls/syscalls.h"

#define ERRNO_MAX 4095u

static int get_type(char *type, uaddr_t user)
{
	int64_t n = strncpy_from_user(type, user, KEY_TYPE_MAX);

	if (n == -ENAMETOOLONG || n == 0)
		return -EINVAL;
	if (n < 0)
		return (int)n;
	return type[0] == '.' ? -EPERM : 0;
}

/* A string of fewer than `size` bytes, to be freed; NULL with *error 0: none was given. Too long: -EINVAL. */
static char *get_string(uaddr_t user, size_t size, int *error)
{
	char *text;
	int64_t n;

	*error = 0;
	if (!user.v)
		return NULL;
	*error = -ENOMEM;
	text = kmalloc(size);
	if (!text)
		return NULL;
	n = strncpy_from_user(text, user, size);
	*error = n == -ENAMETOOLONG ? -EINVAL : n < 0 ? (int)n : 0;
	if (!*error)
		return text;
	kfree(text);
	return NULL;
}

/* As get_string(), where there must be one. */
static char *get_description(uaddr_t user, int *error)
{
	if (user.v)
		return get_string(user, KEY_DESCRIPTION_MAX, error);
	*error = -EFAULT;
	return NULL;
}

/* A payload, to be freed; NULL with *error 0: it is empty. */
static char *get_payload(uaddr_t user, size_t n, int *error)
{
	char *payload = NULL;

	*error = 0;
	if (n == 0)
		return NULL;
	payload = kmalloc(n);
	if (payload && copy_from_user(payload, user, n) == 0)
		return payload;
	*error = payload ? -EFAULT : -ENOMEM;
	kfree(payload);
	return NULL;
}

int64_t sys_add_key(struct regs *regs)
{
	char type[KEY_TYPE_MAX], *description, *payload;
	size_t n = ARG3(regs);
	int64_t result;
	int rc;

	if (n > KEY_PAYLOAD_MAX)
		return -EINVAL;
	rc = get_type(type, PTR0(regs));
	if (rc < 0)
		return rc;
	description = get_string(PTR1(regs), KEY_DESCRIPTION_MAX, &rc);
	if (rc < 0)
		return rc;
	if (description && description[0] == '.' && !strncmp(type, "keyring", 7)) {
		kfree(description);
		return -EPERM;
	}
	payload = get_payload(PTR2(regs), n, &rc);
	result = rc < 0 ? rc : key_add(type, description, payload, n, INT4(regs));
	kfree(payload);
	kfree(description);
	return result;
}

int64_t sys_request_key(struct regs *regs)
{
	char type[KEY_TYPE_MAX], *description, *callout;
	int64_t result;
	int rc = get_type(type, PTR0(regs));

	if (rc < 0)
		return rc;
	description = get_description(PTR1(regs), &rc);
	if (!description)
		return rc;
	/* What a helper would be told: there is none, but it must be good. */
	callout = get_string(PTR2(regs), PAGE_SIZE, &rc);
	kfree(callout);
	result = rc < 0 ? rc : key_request(type, description, INT3(regs));
	kfree(description);
	return result;
}

/* ---- keyctl(2) ---- */

static int64_t join_session(uaddr_t user)
{
	int64_t result;
	int rc;
	char *name = get_string(user, KEY_DESCRIPTION_MAX, &rc);

	if (rc < 0)
		return rc;
	result = name && name[0] == '.' ? -EPERM : key_join_session(name);
	kfree(name);
	return result;
}

static int64_t update(int id, uaddr_t user, size_t n)
{
	int64_t result;
	char *payload;
	int rc;

	if (n > PAGE_SIZE)
		return -EINVAL;
	payload = get_payload(user, n, &rc);
	result = rc < 0 ? rc : key_update(id, payload, n);
	kfree(payload);
	return result;
}

static int64_t change_owner(int id, uint32_t user, uint32_t group)
{
	uint32_t uid, gid;

	if (!id_wanted(ID_UID, user, &uid) || !id_wanted(ID_GID, group, &gid))
		return -EINVAL;
	return key_chown(id, uid, gid);
}

/* What was made of a key, to where the program wants it: all of it, or nothing where there is not the room. */
static int64_t give_text(char *text, int64_t n, uaddr_t to, uint64_t room)
{
	if (n > 0 && to.v && room >= (uint64_t)n && copy_to_user(to, text, (size_t)n))
		n = -EFAULT;
	kfree(text);
	return n;
}

static int64_t describe(int id, uaddr_t to, uint64_t room)
{
	char *text;
	int64_t n = key_describe(id, &text);

	return give_text(text, n, to, room);
}

static int64_t read(int id, uaddr_t to, uint64_t room)
{
	char *text;
	int64_t n = key_read(id, &text);

	return give_text(text, n, to, room);
}

static int64_t search(int ring, uaddr_t user_type, uaddr_t user_description, int destination)
{
	char type[KEY_TYPE_MAX], *description;
	int64_t result;
	int rc = get_type(type, user_type);

	if (rc < 0)
		return rc;
	description = get_description(user_description, &rc);
	if (!description)
		return rc;
	result = key_search(ring, type, description, destination);
	kfree(description);
	return result;
}

static int64_t security(int id, uaddr_t to, uint64_t room)
{
	int64_t rc = key_may_view(id);

	if (rc < 0)
		return rc;
	return to.v && room && put_user((char)0, to) ? -EFAULT : 1;
}

static int64_t restrict_ring(int id, uaddr_t user_type, uaddr_t user_by)
{
	char type[KEY_TYPE_MAX], *by;
	int rc = user_type.v ? get_type(type, user_type) : 0;

	if (rc < 0)
		return rc;
	by = get_string(user_by, PAGE_SIZE, &rc);
	kfree(by);
	return rc < 0 ? rc : key_restrict(id, user_type.v ? type : NULL, user_by.v);
}

static int64_t capabilities(uaddr_t to, uint64_t room)
{
	static const uint8_t caps[2] = {KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_PERSISTENT_KEYRINGS | KEYCTL_CAPS0_INVALIDATE |
		KEYCTL_CAPS0_RESTRICT_KEYRING | KEYCTL_CAPS0_MOVE, KEYCTL_CAPS1_NS_KEYRING_NAME};

	if (room && copy_to_user(to, caps, MIN(room, sizeof(caps))))
		return -EFAULT;
	if (room > sizeof(caps) && clear_user(uaddr_add(to, sizeof(caps)), room - sizeof(caps)))
		return -EFAULT;
	return sizeof(caps);
}

/* What only somebody who was asked to make a key may do. */
static int64_t without_authority(const struct regs *regs)
{
	unsigned error = (unsigned)ARG3(regs);

	switch (INT0(regs)) {
	case KEYCTL_ASSUME_AUTHORITY:
		return INT1(regs) < 0 ? -EINVAL : INT1(regs) ? -ENOKEY : 0;
	case KEYCTL_INSTANTIATE:
		return ARG3(regs) > KEY_PAYLOAD_MAX ? -EINVAL : -EPERM;
	case KEYCTL_REJECT:
		return error == 0 || error >= ERRNO_MAX || (error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK) ? -EINVAL : -EPERM;
	default:
		return -EPERM;
	}
}

/* Of keyrings. */
static int64_t control_rings(const struct regs *regs)
{
	int id = INT1(regs);
	uint32_t uid;

	switch (INT0(regs)) {
	case KEYCTL_GET_KEYRING_ID:
		return key_get_keyring_id(id, INT2(regs));
	case KEYCTL_JOIN_SESSION_KEYRING:
		return join_session(PTR1(regs));
	case KEYCTL_SESSION_TO_PARENT:
		return key_session_to_parent();
	case KEYCTL_SET_REQKEY_KEYRING:
		return key_set_request_default(id);
	case KEYCTL_GET_PERSISTENT:
		return id_wanted(ID_UID, (uint32_t)id, &uid) ? key_get_persistent(uid, INT2(regs)) : -EINVAL;
	case KEYCTL_CLEAR:
		return key_clear(id);
	case KEYCTL_LINK:
		return key_link(id, INT2(regs));
	case KEYCTL_UNLINK:
		return key_unlink(id, INT2(regs));
	case KEYCTL_MOVE:
		return key_move(id, INT2(regs), INT3(regs), (uint32_t)ARG4(regs));
	case KEYCTL_SEARCH:
		return search(id, PTR2(regs), PTR3(regs), INT4(regs));
	case KEYCTL_RESTRICT_KEYRING:
		return restrict_ring(id, PTR2(regs), PTR3(regs));
	default: /* KEYCTL_DH_COMPUTE, KEYCTL_WATCH_KEY, KEYCTL_PKEY_*: as without the options for them */
		return -EOPNOTSUPP;
	}
}

int64_t sys_keyctl(struct regs *regs)
{
	int id = INT1(regs);

	switch (INT0(regs)) {
	case KEYCTL_UPDATE:
		return update(id, PTR2(regs), ARG3(regs));
	case KEYCTL_REVOKE:
		return key_revoke(id);
	case KEYCTL_INVALIDATE:
		return key_invalidate(id);
	case KEYCTL_CHOWN:
		return change_owner(id, (uint32_t)ARG2(regs), (uint32_t)ARG3(regs));
	case KEYCTL_SETPERM:
		return key_set_permissions(id, (uint32_t)ARG2(regs));
	case KEYCTL_DESCRIBE:
		return describe(id, PTR2(regs), ARG3(regs));
	case KEYCTL_READ:
		return read(id, PTR2(regs), ARG3(regs));
	case KEYCTL_SET_TIMEOUT:
		return key_set_timeout(id, (uint32_t)ARG2(regs));
	case KEYCTL_GET_SECURITY:
		return security(id, PTR2(regs), ARG3(regs));
	case KEYCTL_CAPABILITIES:
		return capabilities(PTR1(regs), ARG2(regs));
	case KEYCTL_ASSUME_AUTHORITY:
	case KEYCTL_INSTANTIATE:
	case KEYCTL_INSTANTIATE_IOV:
	case KEYCTL_NEGATE:
	case KEYCTL_REJECT:
		return without_authority(regs);
	default:
		return control_rings(regs);
	}
}
