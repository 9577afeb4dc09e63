#!/bin/sh
# The config is below /data, or below /config where the program is started without the entrypoint.
for config in /data/config.yaml /config/config.yaml; do
    if [ -r "$config" ]; then
        exec interop-bridge -c "$config" healthcheck
    fi
done
echo "no config yet" >&2
exit 1
