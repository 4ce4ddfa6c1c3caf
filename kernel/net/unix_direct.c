/*
 * Bytes of a stream that go from the sender's memory straight to where a receiver waits for them: one copy, not two.
 *
 * A receiver that has to wait offers its buffer (unix_direct_offer()), sleeps, and takes the offer back
 * (unix_direct_end()). A sender fills it as long as nothing is queued (unix_direct_send()), on until the receiver runs:
 * so what is in the window comes before what is in the queue. It must never be left while a sender copies, which may
 * sleep in a fault: the window's mutex is held over that.
 */
#include <linux/errno.h>

#include "kernel/mm.h"
#include "kernel/net/socket_types.h"
#include "kernel/net/unix.h"
#include "kernel/sched.h"
#include "kernel/task.h"
#include "ring0/lib.h"

#define DIRECT_MIN 4096u /* bytes: below, two copies cost less than two look-ups of pages */

bool unix_direct_offer(struct unix_socket *sock, struct unix_receive *receive, size_t done, size_t wanted, struct unix_window *window)
{
	struct socket_copy *copy = receive->base->copy;
	const struct socket_options *options = &sock->options;

	/* Who wants more than bytes is told it by messages. */
	if (sock->window || !copy->peek || receive->base->flags & MSG_PEEK || receive->base->address || options->pass_cred ||
	    options->pass_pidfd || options->timestamp)
		return false;
	memset(window, 0, sizeof(*window));
	window->len = MIN(copy->peek(copy, &window->at), receive->base->len - done);
	window->wanted = wanted - done;
	if (window->len < DIRECT_MIN || window->len < window->wanted)
		return false;
	window->task = current;
	mutex_init(&window->lock);
	sock->window = window;
	return true;
}

size_t unix_direct_end(struct unix_socket *sock, struct unix_receive *receive, struct unix_window *window)
{
	mutex_lock(&window->lock); /* until a sender in the middle of its copy is out of it */
	mutex_unlock(&window->lock);
	sock->window = NULL;
	if (window->sender)
		task_wake_patient(window->sender);
	if (window->done)
		receive->base->copy->skip(receive->base->copy, window->done);
	return window->done;
}

/* It has got all that it has room for, and waits for this CPU. (With less than it wants it would go on sleeping.) */
static bool is_due(const struct unix_window *window)
{
	return window && window->len - window->done < DIRECT_MIN && window->done >= window->wanted &&
	       window->task->state == TASK_RUNNABLE && window->task->cpu == current->cpu;
}

/*
 * To queue more for a receiver that is due would only push what it has out of the cache, and be copied twice: it goes
 * first, and the next that it waits for is copied once again.
 */
static void let_receiver_run(struct unix_socket *to)
{
	int rc = 0;

	unix_get(to);
	while (!rc && is_due(to->window) && (!to->window->sender || to->window->sender == current)) {
		to->window->sender = current;
		rc = task_block(DEADLINE_NONE, true);
	}
	if (to->window && to->window->sender == current)
		to->window->sender = NULL;
	unix_put(to);
}

size_t unix_direct_send(struct unix_socket *to, struct unix_send *send, size_t left)
{
	struct socket_copy *copy = send->base->copy;
	struct unix_window *window;
	uaddr_t from;
	size_t n;

	if (left < DIRECT_MIN || !to->window || !copy->peek || send->base->file_count)
		return 0;
	let_receiver_run(to);
	window = to->window;
	if (!window || !TAILQ_EMPTY(&to->rx) || to->dead || window->len - window->done < DIRECT_MIN || !mutex_trylock(&window->lock))
		return 0;
	n = MIN(copy->peek(copy, &from), left);
	n = MIN(n, window->len - window->done);
	n = MIN(n, (size_t)BREATH_BYTES); /* the sender breathes in between */
	n = mm_copy_from_current(window->task->mm, window->at.v + window->done, from, n);
	copy->skip(copy, n);
	window->done += n;
	if (window->done >= window->wanted)
		task_wake(window->task);
	mutex_unlock(&window->lock);
	return n;
}
