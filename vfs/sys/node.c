/*
 * /sys/devices/system/node: the one node of memory, which has all CPUs. numactl, numastat, libnuma and lscpu read it.
 */
#include "kernel/mm.h"
#include "ring0/lib.h"
#include "vfs/proc/pseudo.h"
#include "vfs/sys/node.h"

static int show_meminfo(struct seq *seq, struct pseudo_inode *p)
{
	struct mm_counters c;
	uint64_t files;

	mm_counters_read(&c);
	files = c.cached > c.shmem ? c.cached - c.shmem : 0;
	const struct {
		const char *name;
		uint64_t bytes;
	} rows[] = {
		{"MemTotal:", c.total}, {"MemFree:", c.free}, {"MemUsed:", c.total - MIN(c.free, c.total)}, {"SwapCached:", 0},
		{"Active:", c.anon + c.cached}, {"Inactive:", 0}, {"Active(anon):", c.anon}, {"Inactive(anon):", 0},
		{"Active(file):", files}, {"Inactive(file):", 0}, {"Unevictable:", 0}, {"Mlocked:", 0}, {"Dirty:", 0},
		{"Writeback:", 0}, {"FilePages:", c.cached}, {"Mapped:", 0}, {"AnonPages:", c.anon}, {"Shmem:", c.shmem},
		{"KernelStack:", 0}, {"PageTables:", c.page_tables}, {"NFS_Unstable:", 0}, {"Bounce:", 0}, {"WritebackTmp:", 0},
		{"KReclaimable:", 0}, {"Slab:", c.kernel}, {"SReclaimable:", 0}, {"SUnreclaim:", c.kernel}, {"AnonHugePages:", 0},
		{"ShmemHugePages:", 0}, {"ShmemPmdMapped:", 0}, {"FileHugePages:", 0}, {"FilePmdMapped:", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		seq_printf(seq, "Node 0 %-15s %8lu kB\n", rows[i].name, (unsigned long)(rows[i].bytes / 1024));
	seq_puts(seq, "Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\nNode 0 HugePages_Surp:      0\n");
	return 0;
}

static int show_numastat(struct seq *seq, struct pseudo_inode *p)
{
	struct mm_counters c;

	mm_counters_read(&c);
	seq_printf(seq, "numa_hit %lu\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node %lu\nother_node 0\n",
		(unsigned long)c.taken, (unsigned long)c.taken);
	return 0;
}

static int show_vmstat(struct seq *seq, struct pseudo_inode *p)
{
	struct mm_counters c;

	mm_counters_read(&c);
	seq_printf(seq, "nr_free_pages %lu\nnuma_hit %lu\nnuma_miss 0\nnuma_foreign 0\nnuma_interleave 0\nnuma_local %lu\nnuma_other 0\n",
		(unsigned long)(c.free / PAGE_SIZE), (unsigned long)c.taken, (unsigned long)c.taken);
	seq_printf(seq, "nr_anon_pages %lu\nnr_file_pages %lu\nnr_shmem %lu\nnr_page_table_pages %lu\n",
		(unsigned long)(c.anon / PAGE_SIZE), (unsigned long)(c.cached / PAGE_SIZE), (unsigned long)(c.shmem / PAGE_SIZE),
		(unsigned long)(c.page_tables / PAGE_SIZE));
	return 0;
}

static int64_t readlink_cpu(struct pseudo_inode *p, char *buf, size_t size)
{
	return snprintf(buf, size, "../../cpu/%s", p->entry->name);
}

#define FILE_R(n, fn) {.name = (n), .mode = S_IFREG | 0444, .show = (fn)}
#define TEXT(n, s) {.name = (n), .mode = S_IFREG | 0444, .show = pseudo_show_text, .text = s "\n"}

static const struct pseudo_entry node0_files[] = {
	FILE_R("cpulist", sysfs_show_cpus),
	FILE_R("cpumap", sysfs_show_cpu_mask),
	TEXT("distance", "10"),
	FILE_R("meminfo", show_meminfo),
	FILE_R("numastat", show_numastat),
	FILE_R("vmstat", show_vmstat),
};
static struct pseudo_entry node0_table[ARRAY_SIZE(node0_files) + ABI_MAX_CPUS + 1];
static char cpu_names[ABI_MAX_CPUS][8];

static const struct pseudo_entry node_table[] = {
	{.name = "node0", .mode = S_IFDIR | 0555, .children = node0_table},
	TEXT("has_cpu", "0"),
	TEXT("has_memory", "0"),
	TEXT("has_normal_memory", "0"),
	TEXT("online", "0"),
	TEXT("possible", "0"),
	{.name = NULL},
};

const struct pseudo_entry *sysfs_node_table(void)
{
	struct pseudo_entry *entry = node0_table + ARRAY_SIZE(node0_files);

	memcpy(node0_table, node0_files, sizeof(node0_files));
	for (unsigned cpu = 0; cpu < cpu_count && cpu < ABI_MAX_CPUS; cpu++, entry++) {
		snprintf(cpu_names[cpu], sizeof(cpu_names[cpu]), "cpu%u", cpu);
		*entry = (struct pseudo_entry){.name = cpu_names[cpu], .mode = S_IFLNK | 0777, .readlink = readlink_cpu};
	}
	return node_table;
}
