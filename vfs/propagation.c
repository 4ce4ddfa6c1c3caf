/*
 * Mount propagation (mount_namespaces(7), "shared subtrees"): what is mounted below a shared mount appears below its peers
 * and below the slaves of its group, in whatever namespace they are, and goes there when it is unmounted.
 *
 * A mount is in one group of peers (`group`), or in none; it may be the slave of another (`master`). Copies (bind mounts, new
 * namespaces) are peers of what they copy. One difference from Linux: of a tree that a mount which is both slave and shared
 * receives, only the top is shared again. Nothing here sleeps but where a mount's last reference goes.
 */
#include <linux/errno.h>
#include <linux/mount.h>

#include "kernel/user_ns.h"
#include "vfs/anon/anon.h"
#include "vfs/internal.h"

struct mount_group {
	uint32_t refs;
	int id;
	bool reached;               /* during one operation: it receives what is mounted */
	struct mount_group *sent;   /* the group of what its first member received in it, if that is shared again; no reference */
};

static int last_group_id;

static struct mount_group *group_get(struct mount_group *group)
{
	if (group)
		group->refs++;
	return group;
}

static void group_put(struct mount_group *group)
{
	if (group && --group->refs == 0)
		kfree(group);
}

int mount_group_id(const struct mount_group *group)
{
	return group ? group->id : 0;
}

static void set_groups(struct mount *mount, struct mount_group *group, struct mount_group *master)
{
	struct mount_group *old_group = mount->group, *old_master = mount->master;

	mount->group = group_get(group);
	mount->master = group_get(master);
	group_put(old_group);
	group_put(old_master);
}

void mount_follow_groups(struct mount *copy, const struct mount *from)
{
	set_groups(copy, from->group, from->master);
}

void mount_leave_groups(struct mount *mount)
{
	set_groups(mount, NULL, NULL);
}

static int make_shared(struct mount *mount)
{
	struct mount_group *group;

	if (mount->group)
		return 0;
	group = kzalloc(sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->id = ++last_group_id;
	set_groups(mount, group, mount->master); /* its first reference */
	return 0;
}

static bool has_peers(const struct mount *mount)
{
	const struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m != mount && m->group == mount->group)
			return true;
	}
	return false;
}

/* A slave of the peers that it leaves; who has none keeps the master it had. */
static void make_slave(struct mount *mount)
{
	if (mount->group)
		set_groups(mount, NULL, has_peers(mount) ? mount->group : mount->master);
}

void mount_follow(struct mount *copy)
{
	set_groups(copy, NULL, copy->group ? copy->group : copy->master);
}

int mount_set_propagation(struct mount *top, unsigned long flags)
{
	unsigned long type = flags & MOUNT_PROPAGATION;
	struct mount *m;

	if (flags & ~(MOUNT_PROPAGATION | MS_REC | MS_SILENT | MS_RELATIME) || (type & (type - 1)))
		return -EINVAL;
	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m != top && (!(flags & MS_REC) || !mount_is_below(m, top)))
			continue;
		m->unbindable = type == MS_UNBINDABLE;
		if (type == MS_SHARED && make_shared(m))
			return -ENOMEM;
		if (type == MS_SLAVE)
			make_slave(m);
		if (type == MS_PRIVATE || type == MS_UNBINDABLE)
			mount_leave_groups(m);
	}
	return 0;
}

int mount_set_group(const struct path *from, const struct path *to)
{
	const struct mount *m = from->mount;
	const struct path below = {from->mount, to->mount->root};

	if (!m->mnt_ns || !to->mount->mnt_ns)
		return -EINVAL;
	if (!owner_capable(&m->mnt_ns->ns, CAP_SYS_ADMIN) || !owner_capable(&to->mount->mnt_ns->ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (from->dentry != m->root || to->dentry != to->mount->root || m->sb != to->mount->sb)
		return -EINVAL;
	if (!dentry_is_below(to->mount->root, m->root) || mount_hides_below(&below))
		return -EINVAL;
	if (to->mount->group || to->mount->master || (!m->group && !m->master))
		return -EINVAL;
	set_groups(to->mount, m->group, m->master);
	return 0;
}

/* ---- what is mounted ---- */

/* Marks the groups that receive what happens below a mount of `from`: itself, and slaves that are shared again. */
static void mark_reached(struct mount_group *from)
{
	struct mount *m;
	bool more = true;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (m->group) {
			m->group->reached = false;
			m->group->sent = NULL;
		}
		if (m->master)
			m->master->reached = false;
	}
	from->reached = true;
	while (more) {
		more = false;
		TAILQ_FOREACH(m, &all_mounts, link) {
			if (!m->master || !m->master->reached || !m->group || m->group->reached)
				continue;
			m->group->reached = true;
			more = true;
		}
	}
}

/* Groups are marked: does `m`, another mount than `parent`, show the place and receive what happens there. */
static bool receives(const struct mount *m, const struct mount *parent, const struct dentry *point)
{
	if (m == parent || !m->mnt_ns || m->mnt_ns->detached)
		return false;
	if (!((m->group && m->group->reached) || (m->master && m->master->reached)))
		return false;
	return m->sb == parent->sb && dentry_is_below(point, m->root);
}

/* What a slave receives follows what was mounted; the top is a peer of what the receiver's own peers received. */
static void join_receiver(struct mount *copy, struct mount_group *master, struct mount *receiver, bool is_top)
{
	set_groups(copy, is_top && receiver->group ? receiver->group->sent : NULL, master);
	if (is_top && receiver->group && !make_shared(copy))
		receiver->group->sent = copy->group;
}

/* A copy of the tree `top` on another mount. One for which there is no memory is left out, and what hangs on it. */
static void send_to(struct mount *top, struct mount *receiver)
{
	bool peer = receiver->group == top->parent->group;
	struct mount *m;

	TAILQ_FOREACH(m, &all_mounts, link) {
		if (!mount_is_below(m, top) || nsfs_is_mnt_ns(m->root))
			continue;
		m->copy = mount_clone(m, m->root);
		if (m->copy && !peer)
			join_receiver(m->copy, m->group, receiver, m == top);
	}
	struct mount *copy = top->copy;
	top->parent->copy = receiver;
	mount_attach_copies(top->parent, receiver->mnt_ns);
	if (copy && receiver->mnt_ns && mnt_ns_base(receiver->mnt_ns)->owner != mnt_ns_base(current->ns->mnt)->owner)
		mount_lock_tree(copy);
	mount_forget_copies();
}

bool mount_propagation_fits(const struct path *at, unsigned count)
{
	uint64_t copies = 0;
	const struct mount *m;

	if (!at->mount->group)
		return true;
	mark_reached(at->mount->group);
	TAILQ_FOREACH(m, &all_mounts, link)
		copies += receives(m, at->mount, at->dentry) ? count : 0;
	return copies <= mounts_left();
}

int mount_propagate(struct mount *top)
{
	struct mount *parent = top->parent, *last, *m, *next;
	int rc = 0;

	if (!parent || !parent->group)
		return 0;
	TAILQ_FOREACH(m, &all_mounts, link) {
		if (!rc && mount_is_below(m, top))
			rc = make_shared(m);
	}
	mark_reached(parent->group);
	last = TAILQ_LAST(&all_mounts, mount_list);
	for (m = TAILQ_FIRST(&all_mounts); m && !rc; m = next) {
		next = m == last ? NULL : TAILQ_NEXT(m, link);
		if (receives(m, parent, top->mountpoint) && !mount_is_below(m, top))
			send_to(top, m);
	}
	return rc;
}

/* ---- what is unmounted ---- */

/* What was mounted last at a place of `parent`. */
static struct mount *last_at(const struct mount *parent, const struct dentry *point)
{
	struct mount *m;

	TAILQ_FOREACH_REVERSE(m, &all_mounts, mount_list, link) {
		if (m->parent == parent && m->mountpoint == point)
			return m;
	}
	return NULL;
}

/* The copy of `mount` on a receiver that is to go with it; NULL: none. */
static struct mount *copy_on(const struct mount *receiver, const struct mount *mount, bool whole)
{
	struct mount *copy;

	if (!receives(receiver, mount->parent, mount->mountpoint))
		return NULL;
	copy = last_at(receiver, mount->mountpoint);
	return copy && copy != mount && (whole || !mount_child(copy)) ? copy : NULL;
}

int mount_propagate_detach(struct mount *mount, bool whole)
{
	struct mount **copies, *m;
	unsigned count = 0, room = 0;

	if (!mount->parent || !mount->parent->group)
		return 0;
	mark_reached(mount->parent->group);
	TAILQ_FOREACH(m, &all_mounts, link)
		room += copy_on(m, mount, whole) != NULL;
	copies = kmalloc((room + 1) * sizeof(struct mount *));
	if (!copies)
		return -ENOMEM;
	/* All of them before the first goes: that may sleep, and another operation then marks groups of its own. */
	TAILQ_FOREACH(m, &all_mounts, link) {
		struct mount *copy = copy_on(m, mount, whole);

		if (!copy)
			continue;
		mount_get(copy);
		copies[count++] = copy;
	}
	for (unsigned i = 0; i < count; i++) {
		if (copies[i]->attached)
			mount_detach_tree(copies[i], false);
		mount_put(copies[i]);
	}
	kfree(copies);
	return 0;
}
