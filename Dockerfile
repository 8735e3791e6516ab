# The image of Siren Order: one machine by itself (`siren up`), or each node of a cluster.
#
#   docker build --tag siren-order .
#
# Everything that is installed comes by hash from the locks; all of it are wheels, so that no stage
# has a compiler.
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ONLY_BINARY=:all:

# First what rarely changes.
WORKDIR /build
COPY cluster/locks/build.lock cluster/locks/runtime.lock ./
RUN python -m venv /tmp/builder \
    && /tmp/builder/bin/pip install --require-hashes -r build.lock
RUN python -m venv /opt/siren \
    && /opt/siren/bin/pip install --require-hashes -r runtime.lock

COPY pyproject.toml README.md LICENSE ./
COPY actors actors
COPY readmodel readmodel
COPY serve_app serve_app
COPY cluster cluster
RUN /tmp/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
    && /opt/siren/bin/pip install --no-deps /tmp/wheel/*.whl \
    && /opt/siren/bin/python -m compileall -q /opt/siren/lib \
    && /opt/siren/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Siren Order" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/siren /opt/siren
RUN useradd --uid 10001 --create-home siren \
    && install -d -o siren -g siren -m 700 /var/lib/siren
# Every address: who may come in is a question of the container's ports, and of tokens.
ENV PATH=/opt/siren/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SIREN_DATA_DIR=/var/lib/siren \
    SIREN_HOST=0.0.0.0
USER 10001
WORKDIR /home/siren
VOLUME /var/lib/siren
EXPOSE 8088
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8088/healthz', timeout=3)"]
CMD ["siren", "up"]
