#!/bin/sh
# Build the image with Docker (BuildKit). Further arguments go to `docker build`.
#
#   IMAGE=interop-bridge     its name
#   BASE=python:3.13-slim    the image it stands on: anything with Python 3.11 to 3.13 and its venv module
#   PIP_CONFIG_FILE=...      settings of pip for the build; SSL_CERT_FILE=... authorities to trust in it
#   DOCKER=docker            the client
set -eu

if ! command -v "${DOCKER:=docker}" >/dev/null; then
    echo "make image: $DOCKER not found. Debian: apt install docker.io" >&2
    exit 1
fi
if [ $# = 0 ]; then
    cd "$(dirname "$0")/.."
    set -- .
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Secrets are read while building, and stay out of the image. Both files may be empty.
cp "${PIP_CONFIG_FILE:-/dev/null}" "$work/pip.conf"
cp "${SSL_CERT_FILE:-/dev/null}" "$work/authorities"
DOCKER_BUILDKIT=1 "$DOCKER" build --tag "${IMAGE:-interop-bridge}" --build-arg "BASE=${BASE:-python:3.13-slim}" \
    --secret "id=pip,src=$work/pip.conf" --secret "id=authorities,src=$work/authorities" "$@"
