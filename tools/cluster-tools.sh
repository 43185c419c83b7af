#!/bin/sh
# Build what the tests in tests/cluster run, outside of the tree: Kubernetes and etcd as one program, CoreDNS, helm and what holds
# pods to NetworkPolicies (kube-router, as in k3s), all from Go modules. Twelve minutes on two cores, once; nothing where it is
# done. tests/cluster/binaries.py finds them by the same names.
set -eu
cd "$(dirname "$0")/../tests/cluster/kubernetes"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainstream/cluster
folder=$cache/bin-$(cat go.mod go.sum kube.go modules.txt | sha256sum | cut -c1-12)
programs="etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl"

[ ! -e "$folder" ] || exit 0
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9 # somebody else may be at it: then wait for what they make
[ ! -e "$folder" ] || exit 0
command -v go > /dev/null || { echo "No Go found: install Go $(sed -n 's/^go //p' go.mod) or later." >&2; exit 1; }
export CGO_ENABLED=0
new=$folder.new
mkdir -p "$new"

# Go names each module that it downloads: said only if something goes wrong.
quietly() {
    "$@" 2> "$new/log" || { cat "$new/log" >&2; exit 1; }
}

version=$(sed -n 's/^\tk8s.io\/kubernetes //p' go.mod)
minor=${version#v1.}
package=k8s.io/component-base/version
stamp="-X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
echo "Building Kubernetes $version for the tests (five minutes, once) ..."
quietly go build -tags providerless -trimpath -ldflags "-s -w $stamp" -o "$new/kube" .
for program in $programs; do
    ln -sf kube "$new/$program"
done

while read -r module; do
    echo "Building $module (two minutes, once) ..."
    quietly env -C / GOBIN="$new" go install -trimpath -ldflags "-s -w" "$module"
done < modules.txt

# All or nothing: a build that was interrupted goes on with what Go has kept of it.
rm -f "$new/log"
mv "$new" "$folder"
