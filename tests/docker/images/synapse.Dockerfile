# What compose.yaml uses of the public Synapse image, on a base without an image registry: its user, its config's
# place, and its helper programs on the path. PostgreSQL's driver is Debian's.
ARG BASE
FROM ${BASE}
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-psycopg2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
COPY synapse.txt /tmp/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=authorities \
    if [ -s /run/secrets/authorities ]; then export PIP_CERT=/run/secrets/authorities; fi \
    && python3 -m venv --system-site-packages /opt/synapse \
    && /opt/synapse/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /tmp/synapse.txt
ENV PATH=/opt/synapse/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /data
EXPOSE 8008
ENTRYPOINT ["python", "-m", "synapse.app.homeserver", "--config-path", "/data/homeserver.yaml"]
