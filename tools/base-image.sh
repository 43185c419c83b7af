#!/bin/sh
# Make what stands in for python:3.11-slim where no registry of the world is reached: Debian 12 with its Python 3.11, as a tar
# archive, with more of Debian's packages where they are named. Usage: base-image.sh ARCHIVE [PACKAGE ...]
set -eu
archive=$1
shift
more=$(printf ',%s' "$@")
[ $# -gt 0 ] || more=
nothing="path-exclude=/usr/share"
# A system that is merged already (usr-is-merged) spares usrmerge and Perl, 50 MB.
mmdebstrap --quiet --format=tar --variant=minbase --include="usr-is-merged,python3,python3-venv,ca-certificates$more" \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --dpkgopt="$nothing/doc/*" --dpkgopt="$nothing/man/*" --dpkgopt="$nothing/info/*" --dpkgopt="$nothing/locale/*" \
    --customize-hook='rm -rf "$1"/var/log/* "$1"/var/cache/debconf/* "$1"/etc/apt/sources.list' \
    bookworm "$archive"
