# For test scripts that run containers of the Debian root, which source it with BUILD: here (this folder), debian, work (a folder
# that the script removes), rf (the command, on $PLATFORM) and check().
# shellcheck shell=bash disable=SC2034
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
debian=${ROOT:-/var/cache/ringfence/debian}
work=$(mktemp -d)
rf="$1/ringfence --platform=${PLATFORM:-ptrace} --root=$work/root"
. "$here/check.sh"
