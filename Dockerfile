# The bridge as a container image. Any base with Python 3.11 to 3.13 and its venv module will do.
ARG BASE=python:3.13-slim

# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python3 -m venv /opt/build && python3 -m venv /opt/bridge
# Wheels only, and only those whose hashes are known. The secrets are optional: settings of pip, and
# certificates of an authority to trust while building; neither stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=authorities \
    if [ -s /run/secrets/authorities ]; then export PIP_CERT=/run/secrets/authorities; fi \
    && /opt/build/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/build.txt \
    && /opt/bridge/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY bridge bridge
RUN /opt/build/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/bridge/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl \
    && /opt/bridge/bin/pip uninstall --yes --quiet pip

# hadolint ignore=DL3006
FROM ${BASE}
LABEL org.opencontainers.image.title="interop-bridge" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/bridge /opt/bridge
COPY --chmod=0755 docker/entrypoint.sh /usr/local/bin/entrypoint
COPY --chmod=0755 docker/healthcheck.sh /usr/local/bin/healthcheck
COPY --chmod=0755 docker/prepare.py /usr/local/bin/prepare
COPY --chmod=0755 docker/control.py /usr/local/bin/sandbox-control
RUN ln -s /opt/bridge/bin/interop-bridge /usr/bin/interop-bridge \
    && mkdir --mode=0700 /data \
    && chown 1337:1337 /data
# Nothing is written outside /data, so the root file system can be read-only.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/data
WORKDIR /data
VOLUME /data
USER 1337:1337
EXPOSE 29317 29318
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/usr/local/bin/healthcheck"]
ENTRYPOINT ["/usr/local/bin/entrypoint"]
