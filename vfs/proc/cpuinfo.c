/*
 * /proc/cpuinfo from CPUID (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E): the names that Linux gives.
 */
#include <cpuid.h>

#include "vfs/proc/proc.h"

struct flag {
	uint8_t bit;
	const char *name;
};

static const struct flag leaf1_edx[] = {
	{0, "fpu"}, {1, "vme"}, {2, "de"}, {3, "pse"}, {4, "tsc"}, {5, "msr"}, {6, "pae"}, {7, "mce"}, {8, "cx8"},
	{9, "apic"}, {11, "sep"}, {12, "mtrr"}, {13, "pge"}, {14, "mca"}, {15, "cmov"}, {16, "pat"}, {17, "pse36"},
	{19, "clflush"}, {23, "mmx"}, {24, "fxsr"}, {25, "sse"}, {26, "sse2"}, {27, "ss"}, {28, "ht"},
};
static const struct flag ext_edx[] = {
	{11, "syscall"}, {20, "nx"}, {22, "mmxext"}, {25, "fxsr_opt"}, {26, "pdpe1gb"}, {27, "rdtscp"}, {29, "lm"},
};
static const struct flag leaf1_ecx[] = {
	{0, "pni"}, {1, "pclmulqdq"}, {9, "ssse3"}, {12, "fma"}, {13, "cx16"}, {17, "pcid"}, {19, "sse4_1"},
	{20, "sse4_2"}, {21, "x2apic"}, {22, "movbe"}, {23, "popcnt"}, {25, "aes"}, {26, "xsave"}, {28, "avx"},
	{29, "f16c"}, {30, "rdrand"}, {31, "hypervisor"},
};
static const struct flag ext_ecx[] = {
	{0, "lahf_lm"}, {5, "abm"}, {6, "sse4a"}, {7, "misalignsse"}, {8, "3dnowprefetch"}, {11, "xop"}, {16, "fma4"},
};
static const struct flag leaf7_ebx[] = {
	{0, "fsgsbase"}, {3, "bmi1"}, {4, "hle"}, {5, "avx2"}, {7, "smep"}, {8, "bmi2"}, {9, "erms"}, {10, "invpcid"},
	{11, "rtm"}, {16, "avx512f"}, {17, "avx512dq"}, {18, "rdseed"}, {19, "adx"}, {20, "smap"}, {21, "avx512ifma"},
	{23, "clflushopt"}, {24, "clwb"}, {28, "avx512cd"}, {29, "sha_ni"}, {30, "avx512bw"}, {31, "avx512vl"},
};
static const struct flag leaf7_ecx[] = {
	{1, "avx512vbmi"}, {2, "umip"}, {3, "pku"}, {6, "avx512_vbmi2"}, {8, "gfni"}, {9, "vaes"}, {10, "vpclmulqdq"},
	{11, "avx512_vnni"}, {12, "avx512_bitalg"}, {14, "avx512_vpopcntdq"}, {22, "rdpid"},
};
static const struct flag leaf7_edx[] = {{4, "fsrm"}, {14, "serialize"}};

static void show_flags(struct seq *seq, const struct flag *flags, unsigned count, uint32_t word)
{
	for (unsigned i = 0; i < count; i++)
		if (word >> flags[i].bit & 1)
			seq_printf(seq, " %s", flags[i].name);
}

struct cpu_identity {
	char vendor[13], model_name[49];
	uint32_t family, model, stepping;
	uint32_t leaf1_ecx, leaf1_edx, ext_ecx, ext_edx, leaf7_ebx, leaf7_ecx, leaf7_edx;
	uint32_t clflush, physical_bits, virtual_bits;
};

static void identify(struct cpu_identity *id)
{
	uint32_t a, b, c, d, max, max_ext;

	memset(id, 0, sizeof(*id));
	__cpuid(0, max, b, c, d);
	memcpy(id->vendor, &b, 4);
	memcpy(id->vendor + 4, &d, 4);
	memcpy(id->vendor + 8, &c, 4);
	__cpuid(1, a, b, id->leaf1_ecx, id->leaf1_edx);
	id->family = (a >> 8 & 15) + ((a >> 8 & 15) == 15 ? a >> 20 & 255 : 0);
	id->model = (a >> 4 & 15) | ((a >> 8 & 15) >= 6 ? (a >> 16 & 15) << 4 : 0);
	id->stepping = a & 15;
	id->clflush = (b >> 8 & 255) * 8;
	if (max >= 7)
		__cpuid_count(7, 0, a, id->leaf7_ebx, id->leaf7_ecx, id->leaf7_edx);
	__cpuid(0x80000000, max_ext, b, c, d);
	__cpuid(0x80000001, a, b, id->ext_ecx, id->ext_edx);
	for (uint32_t i = 0; i < 3 && max_ext >= 0x80000004; i++) {
		__cpuid(0x80000002 + i, a, b, c, d);
		const uint32_t words[4] = {a, b, c, d};
		memcpy(id->model_name + i * 16, words, 16);
	}
	id->physical_bits = 36;
	id->virtual_bits = 48;
	if (max_ext >= 0x80000008) {
		__cpuid(0x80000008, a, b, c, d);
		id->physical_bits = a & 255;
		id->virtual_bits = a >> 8 & 255;
	}
}

int proc_show_cpuinfo(struct seq *seq, struct pseudo_inode *p)
{
	struct cpu_identity id;
	uint64_t khz = boot_info->clock.tsc_hz / 1000;

	identify(&id);
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const char *name = id.model_name;

		while (*name == ' ')
			name++;
		seq_printf(seq, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n", cpu,
			id.vendor, id.family, id.model, *name ? name : "unknown");
		seq_printf(seq, "stepping\t: %u\ncpu MHz\t\t: %lu.%03lu\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n",
			id.stepping, (unsigned long)(khz / 1000), (unsigned long)(khz % 1000), cpu_count, cpu);
		seq_printf(seq, "cpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\n"
			"cpuid level\t: 13\nwp\t\t: yes\nflags\t\t:", cpu_count, cpu, cpu);
		show_flags(seq, leaf1_edx, ARRAY_SIZE(leaf1_edx), id.leaf1_edx);
		show_flags(seq, ext_edx, ARRAY_SIZE(ext_edx), id.ext_edx);
		show_flags(seq, leaf1_ecx, ARRAY_SIZE(leaf1_ecx), id.leaf1_ecx);
		show_flags(seq, ext_ecx, ARRAY_SIZE(ext_ecx), id.ext_ecx);
		show_flags(seq, leaf7_ebx, ARRAY_SIZE(leaf7_ebx), id.leaf7_ebx);
		show_flags(seq, leaf7_ecx, ARRAY_SIZE(leaf7_ecx), id.leaf7_ecx);
		show_flags(seq, leaf7_edx, ARRAY_SIZE(leaf7_edx), id.leaf7_edx);
		seq_printf(seq, "\nbugs\t\t:\nbogomips\t: %lu.%02lu\nclflush size\t: %u\ncache_alignment\t: %u\n",
			(unsigned long)(khz / 500), (unsigned long)(khz / 5 % 100), id.clflush, id.clflush);
		seq_printf(seq, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n", id.physical_bits,
			id.virtual_bits);
	}
	return 0;
}
