#!/bin/sh
# Build what the chart is checked with, outside of the tree, from Go modules: Helm 3 (Helm 4 is among the cluster's tools) and
# helm-unittest; and get the CRDs of the Prometheus operator. Some minutes, once; nothing where it is done. Prints the folder.
set -eu
cd "$(dirname "$0")/chart-tools"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainstream/chart
folder=$cache/bin-$(cat go.mod go.sum monitoring.txt | sha256sum | cut -c1-12)
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9

[ -e "$folder" ] || {
    command -v go > /dev/null || { echo "No Go found: install Go $(sed -n 's/^go //p' go.mod) or later." >&2; exit 1; }
    new=$folder.new
    mkdir -p "$new"
    echo "Building what the chart is checked with (some minutes, once) ..." >&2
    # Go names each module that it downloads: said only if something goes wrong.
    CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$new/" helm.sh/helm/v3/cmd/helm \
        github.com/helm-unittest/helm-unittest/cmd/helm-unittest 2> "$new/log" || { cat "$new/log" >&2; exit 1; }
    monitoring=$(go mod download -json "$(cat monitoring.txt)" 2> "$new/log" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
    cp "$monitoring/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml" \
        "$monitoring/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml" "$new/" || {
        cat "$new/log" >&2
        exit 1
    }
    rm -f "$new/log"
    mv "$new" "$folder"
}
echo "$folder"
