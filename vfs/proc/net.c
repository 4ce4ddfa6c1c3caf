/*
 * /proc/PID/net: the container has a loopback device and unix sockets (proc(5)).
 */
#include "kernel/net/unix.h"
#include "vfs/proc/proc.h"

static void show_unix_socket(void *seq, const struct unix_summary *s)
{
	seq_printf(seq, "%016lx: %08X 00000000 %08X %04X %02X %5lu", (unsigned long)s->ino, s->refs,
		s->listening ? 0x10000u : 0, s->type, s->state, (unsigned long)s->ino);
	if (s->name_len) {
		seq_puts(seq, " ");
		for (unsigned i = 0; i < s->name_len; i++)
			seq_printf(seq, "%c", s->name[i] ? s->name[i] : '@');
	}
	seq_puts(seq, "\n");
}

static int show_unix(struct seq *seq, struct pseudo_inode *p)
{
	seq_puts(seq, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(show_unix_socket, seq);
	return 0;
}

#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = (s)}
#define SOCKETS_HEADER "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
#define SOCKETS6_HEADER "  sl  local_address                         remote_address                        st tx_queue " \
	"rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

const struct pseudo_entry proc_net_table[] = {
	TEXT("arp", "IP address       HW type     Flags       HW address            Mask     Device\n"),
	TEXT("dev", "Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
		"carrier compressed\n"
		"    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0 "
		"      0          0\n"),
	TEXT("if_inet6", ""),
	TEXT("netlink", "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"),
	TEXT("packet", "sk       RefCnt Type Proto  Iface R Rmem   User   Inode\n"),
	TEXT("protocols", "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi "
		"br ha uh gp em\n"),
	TEXT("route", "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"),
	TEXT("sockstat", "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n"),
	TEXT("tcp", SOCKETS_HEADER),
	TEXT("tcp6", SOCKETS6_HEADER),
	TEXT("udp", SOCKETS_HEADER),
	TEXT("udp6", SOCKETS6_HEADER),
	{.name = "unix", .mode = S_IFREG | 0444, .show = show_unix},
	{.name = NULL},
};
