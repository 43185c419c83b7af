#!/bin/sh
# Build the images for the tests without a registry of the world, outside of the tree, each from its Containerfile; nothing
# where it is done. Prints for each a line "NAME FOLDER": an OCI layout of one image.
# Usage: images.sh [operator|runner|trainer|examples ...]   As root; minutes, once, for each change of what an image is made of.
set -eu
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainstream/images
python=${PYTHON:-.venv/bin/python}
log=$cache/log-$$
mkdir -p "$cache"
trap 'rm -f "$log"' EXIT

say() { echo "$*" >&2; }

# Package indexes and mirrors are named in what these programs print: it is shown only if something goes wrong.
quietly() { "$@" > "$log" 2>&1 || { cat "$log" >&2; exit 1; }; }

# A key of these files' names, modes and contents, and of further words.
key() {
    words=$1; shift
    { echo "$words"
      find "$@" -type f ! -path '*/__pycache__/*' -printf '%m %p\n' | LC_ALL=C sort | while read -r mode path; do
          echo "$mode $(sha256sum "$path")"
      done
    } | sha256sum | cut -c1-12
}

builder() { BUILDAH_RUNTIME=runc BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-oci} \
    buildah --root "$cache/storage" --runroot "$cache/run" --storage-driver "${STORAGE_DRIVER:-overlay}" "$@"; }

# Others on this machine build, too: hold the lock of that name until the subshell ends.
alone() { exec 9> "$cache/lock-$1"; flock 9; }

# A base with these packages of Debian beside what is always there; sets $base.
base() {
    base=base:$(key "$*" tools/base-image.sh)
    builder inspect --type image "localhost/$base" > /dev/null 2>&1 || (alone base; make_base "$@")
}

make_base() {
    archive=$cache/base-${base#base:}.tar
    [ -e "$archive" ] || {
        say "Making a base of the images (two minutes, once) ..."
        rm -f "$archive.new"
        quietly sh tools/base-image.sh "$archive.new" "$@"
        mv "$archive.new" "$archive"
    }
    container=$(builder from scratch)
    quietly builder add "$container" "$archive" /
    quietly builder config --env PATH=/usr/local/bin:/usr/bin:/bin "$container"
    quietly builder commit --rm --timestamp 0 "$container" "localhost/$base"
}

# The wheels of an extra, as pip is told on this machine to find them: the build itself asks nobody.
wheels() {
    wheels=$cache/wheels-$1-$(key '' pyproject.toml constraints.txt tools/requirements.py)
    [ ! -e "$wheels" ] || return 0
    say "Gathering the wheels of the $1 ..."
    mkdir -p "$wheels.new"
    "$python" tools/requirements.py "$1" > "$wheels.new/requirements.txt"
    quietly "$python" -m pip download --only-binary :all: --python-version 3.11 --implementation cp --dest "$wheels.new" \
        --constraint constraints.txt --requirement "$wheels.new/requirements.txt" hatchling
    mv "$wheels.new" "$wheels"
    # What was built from other wheels is not asked for again.
    newest 1 "$cache/wheels-$1"-*
    builder rmi --prune > /dev/null 2>&1 || true
}

# Remove all but the newest of these folders.
newest() {
    count=$1; shift
    ls -dt "$@" | tail -n "+$((count + 1))" | while read -r folder; do rm -rf "$folder"; done
}

# Build one of the images, and keep it as $made.
build() {
    name=$1; shift
    quietly builder build --layers --timestamp 0 --pull-never --network none --tag "mainstream-$name" \
        --build-arg BASE_IMAGE="localhost/$base" "$@"
    rm -rf "$made.new"
    quietly builder push --quiet "mainstream-$name" "oci:$made.new:mainstream-$name"
    mv "$made.new" "$made"
    newest 2 "$cache/$name"-[0-9a-f]* # one before may be in use by other tests
}

image() {
    base
    case $1 in operator) file=operator/Containerfile ;; *) file=$1-image/Containerfile ;; esac
    made=$cache/$1-$(key "$base" "$file" tools/images.sh tools/requirements.py tools/bytecode.py .dockerignore pyproject.toml \
        constraints.txt README.md LICENSE NOTICE src operator runner-image trainer-image demo)
    [ -e "$made" ] || (alone "$1"; [ -e "$made" ] || {
        wheels "$1"
        say "Building the image of the $1 ..."
        build "$1" --file "$file" --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels --volume "$wheels:/wheels:ro" .
    })
    echo "$1 $made"
}

# The examples' image: its packages are trained while it is built, by the trainer's image and not anew for each change elsewhere.
examples() {
    # shellcheck disable=SC2046 - words
    base $(sed -n 's/^ARG DEBIAN_PACKAGES="\(.*\)"$/\1/p' examples/image/Containerfile)
    made=$cache/examples-$(key "$base" tools/images.sh examples/image pyproject.toml constraints.txt trainer-image demo)
    [ -e "$made" ] || (alone examples; [ -e "$made" ] || {
        (image runner && image trainer) > /dev/null
        say "Building the image of the examples (it trains three applications: minutes) ..."
        build examples --build-arg DEBIAN_PACKAGES= --build-arg RUNNER_IMAGE=localhost/mainstream-runner \
            --build-arg TRAINER_IMAGE=localhost/mainstream-trainer examples/image
    })
    echo "examples $made"
}

for name in "${@:-operator runner trainer}"; do
    for one in $name; do
        case $one in examples) examples ;; *) image "$one" ;; esac
    done
done
