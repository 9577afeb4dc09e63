#!/bin/sh
# Build the image with buildah and start its entrypoint as a first user would. Needs root, buildah and,
# when BASE names no image, debootstrap: then the base is a Debian of its own and no image registry is asked.
#
#   BASE=python:3.13-slim   a base image from a registry instead
#   SUITE=trixie            the Debian to make a base from
#   PIP_CONFIG_FILE=...     settings of pip for the build; SSL_CERT_FILE=... authorities to trust in it
#   OUT=interop-bridge.tar  write the image to that file, for `docker load` or `podman load`
#
# Everything happens in a store of its own that is removed afterwards: other images on the machine are not touched.
set -eu

image=${IMAGE:-interop-bridge}
suite=${SUITE:-trixie}
export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}" STORAGE_DRIVER="${STORAGE_DRIVER:-vfs}"

cd "$(dirname "$0")/.."
missing=""
for program in buildah ${BASE:-debootstrap}; do
    case $program in
    buildah | debootstrap) command -v "$program" >/dev/null || missing="$missing $program" ;;
    esac
done
if [ -n "$missing" ]; then
    echo "make image: not found:$missing. Run: apt-get install$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "make image: this needs root. Run: sudo make image" >&2
    exit 1
fi

work=$(mktemp -d)
container=""
builder() {
    buildah --root "$work/store" --runroot "$work/run" "$@"
}
tidy() {
    # Unmounts what the container has mounted; without that nothing below may be removed.
    [ -z "$container" ] || builder rm "$container" >/dev/null || exit 1
    rm -rf --one-file-system "$work"
}
trap tidy EXIT

if [ -z "${BASE:-}" ]; then
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$work/root" >"$work/log" 2>&1 || {
        tail "$work/log" >&2
        exit 1
    }
    rm -rf "$work/root/var/cache/apt/archives" "$work/root/var/lib/apt/lists"
    tar -C "$work/root" -cf "$work/root.tar" .
    rm -rf "$work/root"
    printf 'FROM scratch\nADD root.tar /\n' >"$work/Dockerfile"
    BASE="localhost/$image-base"
    builder bud --quiet --format docker -t "$BASE" -f "$work/Dockerfile" "$work" >/dev/null
fi

cp "${PIP_CONFIG_FILE:-/dev/null}" "$work/pip.conf"
cp "${SSL_CERT_FILE:-/dev/null}" "$work/authorities"
builder bud --format docker --build-arg "BASE=$BASE" -t "$image" \
    --secret "id=pip,src=$work/pip.conf" --secret "id=authorities,src=$work/authorities" .

container=$(builder from "$image")
start() { # what the entrypoint answers, and its exit code against the expected one
    expected=$1
    shift
    code=0
    builder run "$container" -- /usr/local/bin/entrypoint "$@" || code=$?
    if [ "$code" != "$expected" ]; then
        echo "make image: the entrypoint ended with $code instead of $expected ($*)" >&2
        exit 1
    fi
}
start 0 --version
start 0                # the first start writes the example
start 20               # the second says which value is still missing
builder run "$container" -- sed -i 's/domain: example.com/domain: home.test/' /data/config.yaml
start 0                # the registration
start 11               # it would run, and says what is not configured
builder run "$container" -- sh -c 'test "$(id -u)" = 1337 && test "$(stat -c %a /data/config.yaml /data/registration.yaml | sort -u)" = 600'
if [ -n "${OUT:-}" ]; then
    builder push --quiet "$image" "docker-archive:$OUT:$image"
fi
echo "make image: $image was built and its entrypoint does what it should."
