#!/bin/sh
# Build what the tests in tests/cluster run, outside of the tree: Kubernetes and etcd as one program, from their Go modules.
# Five minutes on two cores, once; nothing where it is done. tests/cluster/binaries.py finds it by the same key.
set -eu
cd "$(dirname "$0")/../tests/cluster/kubernetes"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainstream/cluster
folder=$cache/bin-$(cat go.mod go.sum kube.go | sha256sum | cut -c1-12)
programs="etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"

if [ ! -e "$folder" ]; then
    command -v go > /dev/null || { echo "No Go found: install Go $(sed -n 's/^go //p' go.mod) or later." >&2; exit 1; }
    version=$(sed -n 's/^\tk8s.io\/kubernetes //p' go.mod)
    minor=${version#v1.}
    package=k8s.io/component-base/version
    stamp="-X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
    echo "Building Kubernetes $version for the tests (five minutes, once) ..."
    mkdir -p "$cache"
    rm -rf "$folder.new"
    CGO_ENABLED=0 go build -tags providerless -trimpath -ldflags "-s -w $stamp" -o "$folder.new/kube" .
    for program in $programs; do
        ln -s kube "$folder.new/$program"
    done
    mv "$folder.new" "$folder"
fi
