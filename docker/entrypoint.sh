#!/bin/sh
# First start: writes an example config. Second: writes the registration. Then: runs the bridge.
# With arguments it is the program itself: `docker run ... interop-bridge check`.
set -eu
umask 077

config=/data/config.yaml
registration=/data/registration.yaml

# Started as root: give up what is not needed. Of the files only the folder itself is handed over, and
# only when it is root's, as a container runtime makes it; other people's files are never touched.
if [ "$(id -u)" = 0 ] && [ "${UID:=1337}" != 0 ]; then
    : "${GID:=$UID}"
    if [ "$(stat -c %u /data)" = 0 ]; then
        chown "$UID:$GID" /data
    fi
    exec setpriv --reuid "$UID" --regid "$GID" --clear-groups --no-new-privs "$0" "$@"
fi

if [ $# -gt 0 ]; then
    if [ "$1" = interop-bridge ]; then
        shift
    fi
    exec interop-bridge "$@"
fi

if ! cd /data 2>/dev/null || { [ ! -e "$config" ] && [ ! -w /data ]; }; then
    echo "/data: user $(id -u) cannot write there. Run: chown $(id -u):$(id -g) on the folder that is mounted." >&2
    exit 1
fi
if [ ! -e "$config" ]; then
    # The homeserver and the network come from outside of the container; the admin listener stays inside.
    interop-bridge -e -c - | sed '/^appservice:/,/^admin:/s/hostname: 127\.0\.0\.1/hostname: 0.0.0.0/' >"$config"
    echo "Wrote $config. Fill in the five values marked >>>, then start again for the registration."
    exit 0
fi
if [ ! -e "$registration" ]; then
    interop-bridge -g -c "$config" -r "$registration"
    echo "Start again when the homeserver has the registration."
    exit 0
fi
exec interop-bridge -c "$config" -r "$registration"
