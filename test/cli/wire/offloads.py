# Turns an interface's segmentation and checksum offloads off (ethtool(8)), so that the wire carries what a real one
# would: packets of its MTU, with checksums that are looked at. Usage: offloads.py INTERFACE
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
SETTINGS = (0x15, 0x17, 0x1f, 0x24, 0x2c)  # ETHTOOL_SRXCSUM, STXCSUM, STSO, SGSO, SGRO
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for setting in SETTINGS:
    value = array.array('B', struct.pack('II', setting, 0))
    fcntl.ioctl(control, SIOCETHTOOL, struct.pack('16sP8x', sys.argv[1].encode(), value.buffer_info()[0]))
