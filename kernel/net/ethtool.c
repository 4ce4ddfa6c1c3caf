/*
 * SIOCETHTOOL: which times software notes, whether there is a carrier, and what links do for the stack (they sum and cut, and
 * packets come joined), which cannot be changed. There is no hardware to ask for the rest, and no strings that name anything.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>

#include "kernel/net/ifreq_internal.h"
#include "kernel/user_ns.h"
#include "ring0/usercopy.h"

/* What anybody may ask; what is not known is for who may change the network. */
static bool is_question(uint32_t command)
{
	switch (command) {
	case ETHTOOL_GSET:
	case ETHTOOL_GDRVINFO:
	case ETHTOOL_GMSGLVL:
	case ETHTOOL_GLINK:
	case ETHTOOL_GCOALESCE:
	case ETHTOOL_GRINGPARAM:
	case ETHTOOL_GPAUSEPARAM:
	case ETHTOOL_GRXCSUM:
	case ETHTOOL_GTXCSUM:
	case ETHTOOL_GSG:
	case ETHTOOL_GSSET_INFO:
	case ETHTOOL_GSTRINGS:
	case ETHTOOL_GSTATS:
	case ETHTOOL_GPHYSTATS:
	case ETHTOOL_GTSO:
	case ETHTOOL_GPERMADDR:
	case ETHTOOL_GUFO:
	case ETHTOOL_GGSO:
	case ETHTOOL_GGRO:
	case ETHTOOL_GFLAGS:
	case ETHTOOL_GPFLAGS:
	case ETHTOOL_GRXFH:
	case ETHTOOL_GRXRINGS:
	case ETHTOOL_GRXCLSRLCNT:
	case ETHTOOL_GRXCLSRULE:
	case ETHTOOL_GRXCLSRLALL:
	case ETHTOOL_GRXFHINDIR:
	case ETHTOOL_GRSSH:
	case ETHTOOL_GFEATURES:
	case ETHTOOL_GCHANNELS:
	case ETHTOOL_GET_TS_INFO:
	case ETHTOOL_GEEE:
	case ETHTOOL_GTUNABLE:
	case ETHTOOL_PHY_GTUNABLE:
	case ETHTOOL_GLINKSETTINGS:
	case ETHTOOL_GFECPARAM:
		return true;
	default:
		return false;
	}
}

/* No set of strings is there, whichever are asked for. */
static int tell_string_sets(uaddr_t data)
{
	struct ethtool_sset_info info;

	if (get_user(info, data))
		return -EFAULT;
	info.sset_mask = 0;
	return copy_to_user(data, &info, sizeof(info));
}

int64_t ethtool_ioctl(struct ifreq *request)
{
	struct ethtool_ts_info info = {.cmd = ETHTOOL_GET_TS_INFO, .phc_index = -1,
		.so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE};
	uaddr_t data = UADDR(request->data);
	struct inet_device device;
	struct ethtool_value value;

	if (get_user(value.cmd, data))
		return -EFAULT;
	if (!ifreq_find_device(request->name, &device))
		return -ENODEV;
	if (!is_question(value.cmd) && !net_capable(CAP_NET_ADMIN))
		return -EPERM;
	value.data = 1;
	switch (value.cmd) {
	case ETHTOOL_GET_TS_INFO:
		return copy_to_user(data, &info, sizeof(info));
	case ETHTOOL_GSSET_INFO:
		return tell_string_sets(data);
	case ETHTOOL_GLINK:
		value.data = device.up;
		return copy_to_user(data, &value, sizeof(value));
	case ETHTOOL_GFLAGS:
		value.data = 0;
		return copy_to_user(data, &value, sizeof(value));
	case ETHTOOL_GRXCSUM:
	case ETHTOOL_GTXCSUM:
	case ETHTOOL_GSG:
	case ETHTOOL_GTSO:
	case ETHTOOL_GGSO:
	case ETHTOOL_GGRO:
		return copy_to_user(data, &value, sizeof(value));
	default:
		return -EOPNOTSUPP;
	}
}
