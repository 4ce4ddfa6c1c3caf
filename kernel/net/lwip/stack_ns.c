/*
 * Network namespaces on a stack that keeps global state: each has lists of control blocks of its own, and lwIP works on
 * those of one namespace at a time. stack_switch() puts them in lwIP's place; nothing else may change the selection, and it
 * holds only until something sleeps. The loopback device serves all: what it queues is delivered before the next switch.
 *
 * Those made inside have the loopback alone: links, routes and neighbours are the first's, and their code looks at
 * stack_net before it answers (route.c, tables.c).
 */
#include "kernel/net/lwip/internal.h"
#include "kernel/namespaces.h"

struct stack_state {
	union tcp_listen_pcbs_t listening;
	struct tcp_pcb *bound, *active, *waiting;
	struct netif *netifs, *route;
};

struct net_ns *stack_net = &first_net_ns;
struct net_ns_list stack_all = TAILQ_HEAD_INITIALIZER(stack_all);

void stack_ns_init(void)
{
	static struct stack_state first;

	first_net_ns.stack = &first;
	TAILQ_INSERT_HEAD(&stack_all, &first_net_ns, link);
}

void stack_switch(struct net_ns *net)
{
	struct stack_state *from = stack_net->stack, *to = net->stack;

	*from = (struct stack_state){tcp_listen_pcbs, tcp_bound_pcbs, tcp_active_pcbs, tcp_tw_pcbs, netif_list, netif_default};
	tcp_listen_pcbs = to->listening;
	tcp_bound_pcbs = to->bound;
	tcp_active_pcbs = to->active;
	tcp_tw_pcbs = to->waiting;
	netif_list = to->netifs;
	netif_default = to->route;
	stack_net = net;
}

int inet_ns_begin(struct net_ns *net)
{
	net->stack = kzalloc(sizeof(*net->stack));
	if (!net->stack)
		return -ENOMEM;
	net->stack->netifs = &loop_netif; /* the first that there was: no other follows it in the list */
	TAILQ_INSERT_TAIL(&stack_all, net, link);
	return 0;
}

/* No socket is left: what there is are connections that close or wait by themselves. */
void inet_ns_end(struct net_ns *net)
{
	struct net_ns *before = stack_net;

	if (!net->stack)
		return;
	stack_enter(net);
	while (tcp_active_pcbs)
		tcp_abandon(tcp_active_pcbs, 0);
	while (tcp_tw_pcbs)
		tcp_abandon(tcp_tw_pcbs, 0);
	stack_leave();
	stack_switch(before == net ? &first_net_ns : before);
	TAILQ_REMOVE(&stack_all, net, link);
	kfree(net->stack);
}
