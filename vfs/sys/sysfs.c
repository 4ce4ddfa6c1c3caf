/*
 * sysfs(5), the little of it that programs read: CPUs, huge pages, and the places where other file systems go.
 *
 * Built on the pseudo trees of vfs/proc/. The directory of each CPU is made at boot, when their number is known.
 */
#include <linux/errno.h>
#include <linux/magic.h>

#include "kernel/namespaces.h"
#include "vfs/fs_init.h"
#include "vfs/proc/pseudo.h"
#include "vfs/sys/net.h"
#include "vfs/sys/node.h"

#define CLASS_NET 1 /* its place in class_table */
#define SYSTEM_NODE 1 /* its place in system_table */
#define CPU_FIXED 8 /* entries of cpu/ that are not a CPU, and the end */

int sysfs_show_cpus(struct seq *seq, struct pseudo_inode *p)
{
	if (cpu_count == 1)
		seq_puts(seq, "0\n");
	else
		seq_printf(seq, "0-%u\n", cpu_count - 1);
	return 0;
}

/* One package, one thread a core. */
int sysfs_show_cpu_mask(struct seq *seq, struct pseudo_inode *p)
{
	seq_printf(seq, "%lx\n", cpu_count >= 64 ? ~0ul : (1ul << cpu_count) - 1);
	return 0;
}

#define FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn)}
#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = s "\n"}
#define DIR(n, table) {.name = (n), .mode = S_IFDIR | 0555, .children = (table)}
#define END {.name = NULL}

static const struct pseudo_entry empty_table[] = {END};

static const struct pseudo_entry topology_table[] = {
	FILE_R("core_siblings", sysfs_show_cpu_mask),
	FILE_R("core_siblings_list", sysfs_show_cpus),
	FILE_R("package_cpus", sysfs_show_cpu_mask),
	FILE_R("package_cpus_list", sysfs_show_cpus),
	TEXT("physical_package_id", "0"),
	END,
};

static int64_t readlink_node(struct pseudo_inode *p, char *buf, size_t size)
{
	return snprintf(buf, size, "../../node/node0");
}

static const struct pseudo_entry cpu_table[] = {
	TEXT("online", "1"),
	DIR("topology", topology_table),
	{.name = "node0", .mode = S_IFLNK | 0777, .readlink = readlink_node},
	END,
};

static struct pseudo_entry cpus_table[ABI_MAX_CPUS + CPU_FIXED] = {
	FILE_R("online", sysfs_show_cpus),
	FILE_R("possible", sysfs_show_cpus),
	FILE_R("present", sysfs_show_cpus),
	TEXT("kernel_max", "63"),
	TEXT("offline", ""),
	TEXT("isolated", ""),
};
static char cpu_names[ABI_MAX_CPUS][8];

static struct pseudo_entry system_table[] = {
	DIR("cpu", cpus_table),
	DIR("node", NULL), /* node.c */
	END,
};

static const struct pseudo_entry devices_table[] = {
	DIR("system", system_table),
	DIR("virtual", empty_table),
	END,
};

static const struct pseudo_entry huge_table[] = {
	TEXT("defrag", "always defer defer+madvise [madvise] never"),
	TEXT("enabled", "always [madvise] never"),
	TEXT("hpage_pmd_size", "2097152"),
	TEXT("shmem_enabled", "always within_size advise [never] deny force"),
	TEXT("use_zero_page", "1"),
	END,
};

static const struct pseudo_entry mm_table[] = {
	DIR("hugepages", empty_table),
	DIR("transparent_hugepage", huge_table),
	END,
};

static const struct pseudo_entry kernel_table[] = {
	DIR("mm", mm_table),
	END,
};

static const struct pseudo_entry fs_table[] = {
	DIR("cgroup", empty_table),
	END,
};

static struct pseudo_entry class_table[] = {
	DIR("block", empty_table),
	DIR("net", empty_table),
	DIR("tty", empty_table),
	END,
};

static const struct pseudo_entry root_table[] = {
	DIR("block", empty_table),
	DIR("bus", empty_table),
	DIR("class", class_table),
	DIR("dev", empty_table),
	DIR("devices", devices_table),
	DIR("firmware", empty_table),
	DIR("fs", fs_table),
	DIR("kernel", kernel_table),
	DIR("module", empty_table),
	DIR("power", empty_table),
	END,
};

static const struct pseudo_entry root_entry = DIR("/", root_table);

static int sysfs_mount(const struct fs_type *type, const struct mount_args *args, struct superblock **sb)
{
	*sb = pseudo_superblock(type, &root_entry, SYSFS_MAGIC);
	return *sb ? 0 : -ENOMEM;
}

static const struct user_ns *sysfs_owner(void)
{
	return current->ns->net->ns.owner;
}

static struct fs_type sysfs_type = {.name = "sysfs", .nodev = true, .in_user_ns = true, .unmasked = true, .owner = sysfs_owner,
	.mount = sysfs_mount};

void sysfs_init(void)
{
	struct pseudo_entry *entry = cpus_table;

	class_table[CLASS_NET].children = sysfs_net_table();
	class_table[CLASS_NET].iops = &sysfs_net_inode_ops;
	class_table[CLASS_NET].fops = &sysfs_net_file_ops;
	system_table[SYSTEM_NODE].children = sysfs_node_table();

	while (entry->name)
		entry++;
	for (unsigned cpu = 0; cpu < cpu_count && cpu < ABI_MAX_CPUS; cpu++, entry++) {
		snprintf(cpu_names[cpu], sizeof(cpu_names[cpu]), "cpu%u", cpu);
		*entry = (struct pseudo_entry)DIR(cpu_names[cpu], cpu_table);
	}
	fs_register(&sysfs_type);
}
