/* The listener of a seccomp filter as a file: ioctl(2) and poll(2) as seccomp_unotify(2) has them. */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/ioctl.h>

#include "kernel/seccomp_notify.h"
#include "ring0/lib.h"
#include "ring0/usercopy.h"
#include "vfs/anon/anon.h"

static int64_t receive(struct seccomp_listener *listener, uaddr_t user)
{
	struct seccomp_notif notif;
	const uint8_t *byte = (const uint8_t *)&notif;

	if (copy_from_user(&notif, user, sizeof(notif)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(notif); i++) {
		if (byte[i])
			return -EINVAL;
	}
	int rc = seccomp_listener_receive(listener, &notif);
	if (!rc && copy_to_user(user, &notif, sizeof(notif))) {
		seccomp_listener_put_back(listener, notif.id);
		rc = -EFAULT;
	}
	return rc;
}

static int64_t answer(struct seccomp_listener *listener, uaddr_t user)
{
	struct seccomp_notif_resp resp;

	return copy_from_user(&resp, user, sizeof(resp)) ? -EFAULT : seccomp_listener_answer(listener, &resp);
}

static int64_t add(struct seccomp_listener *listener, uaddr_t user)
{
	struct seccomp_notif_addfd request;

	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	struct file *file = fd_file_any((int)request.srcfd);
	if (!file)
		return -EBADF;
	int rc = seccomp_listener_add(listener, &request, file);
	file_put(file);
	return rc;
}

static int64_t listener_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct seccomp_listener *listener = file->private;
	uint64_t id;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV:
		return receive(listener, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_SEND:
		return answer(listener, UADDR(arg));
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
		return get_user(id, UADDR(arg)) ? -EFAULT : seccomp_listener_valid(listener, id);
	case SECCOMP_IOCTL_NOTIF_ADDFD:
		return add(listener, UADDR(arg));
	}
	return -EINVAL;
}

static uint32_t listener_poll(struct file *file, struct poll_waiter *waiter)
{
	poll_add(waiter, seccomp_listener_waitq(file->private));
	return seccomp_listener_events(file->private);
}

static void listener_release(struct file *file)
{
	seccomp_listener_close(file->private);
	seccomp_listener_put(file->private);
}

static const struct file_ops listener_file_ops = {
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.release = listener_release,
};

int seccomp_listener_open(struct seccomp_listener *listener)
{
	struct file *file = file_create_anon("seccomp notify", &listener_file_ops, O_RDWR, listener);

	if (!file)
		return -ENOMEM;
	seccomp_listener_get(listener);
	file->mode |= FILE_STREAM;
	return fd_install(file, true, 0);
}
