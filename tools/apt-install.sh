#!/bin/sh
# Install Debian packages where root may; otherwise say what to run.
set -eu
if [ "$(id -u)" != 0 ]; then
    echo "Needed and not installed: $*. Run: sudo apt-get install $*" >&2
    exit 1
fi
echo "Installing $* ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
apt-get install --option DPkg::Lock::Timeout=300 --quiet --quiet --yes --no-install-recommends "$@" > /dev/null
