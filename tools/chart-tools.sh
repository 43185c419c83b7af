#!/bin/sh
# Build what the chart is checked with, outside of the tree, from Go modules: Helm 3 (Helm 4 is among the cluster's tools),
# helm-unittest and kubeconform. Some minutes, once; nothing where it is done. Prints the folder.
set -eu
modules="helm.sh/helm/v3/cmd/helm@v3.22.0 github.com/helm-unittest/helm-unittest/cmd/helm-unittest@v1.1.2
github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainstream/chart
folder=$cache/bin-$(echo "$modules" | sha256sum | cut -c1-12)
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9

[ -e "$folder" ] || {
    command -v go > /dev/null || { echo "No Go found: install Go 1.26 or later." >&2; exit 1; }
    new=$folder.new
    mkdir -p "$new"
    for module in $modules; do
        echo "Building $module (some minutes, once) ..." >&2
        # Go names each module that it downloads: said only if something goes wrong.
        CGO_ENABLED=0 env -C / GOBIN="$new" go install -trimpath -ldflags "-s -w" "$module" 2> "$new/log" ||
            { cat "$new/log" >&2; exit 1; }
    done
    rm -f "$new/log"
    mv "$new" "$folder"
}
echo "$folder"
