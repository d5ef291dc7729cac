# The responder image: one stage builds a virtual environment, the other copies it without the build tools.
# The base is the digest of an index of all architectures; renew it with the tag: docker buildx imagetools inspect TAG.
FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/responder

# Locked packages change rarely: their layer stays cached while the source changes.
COPY requirements.txt .
RUN /opt/responder/bin/pip install --require-hashes --only-binary=:all: -r requirements.txt

COPY pyproject.toml README.md LICENSE ./
COPY responder responder
RUN /opt/responder/bin/pip install --no-deps --no-build-isolation . \
 && /opt/responder/bin/python -m compileall -q /opt/responder/lib \
 && /opt/responder/bin/python -m pip uninstall --yes pip setuptools

FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# Remove the base image's pip too: it is not needed at run time, and an attacker could use it.
RUN python -m pip uninstall --yes pip setuptools wheel \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin responder \
 && install -d -o 10001 -g 10001 /data

# docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(date -u +%Y-%m-%dT%H:%M:%SZ)" ...
ARG VERSION=0.2.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.base.name="docker.io/library/python:3.11.16-slim-bookworm" \
      org.opencontainers.image.title="alertmanager-responder" \
      org.opencontainers.image.description="The triage engine between Prometheus Alertmanager and the people on call" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=build /opt/responder /opt/responder

# No rules: mount yours there; `responder init` writes them.
# Only /data and /dev/shm are written, so the root file system may be read-only.
ENV PATH=/opt/responder/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    RESPONDER_LISTEN=0.0.0.0:8080 \
    RESPONDER_DATABASE_URL=sqlite:////data/responder.db \
    RESPONDER_RULES=/etc/responder/rules \
    RESPONDER_RUNBOOKS=/etc/responder/runbooks

USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8080

# Bypass any proxy set in the environment: this request stays on loopback.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, ssl, urllib.request as r; tls = bool(os.environ.get('RESPONDER_TLS_CERT')); r.build_opener(r.ProxyHandler({}), r.HTTPSHandler(context=ssl._create_unverified_context())).open(('https' if tls else 'http') + '://127.0.0.1:' + os.environ['RESPONDER_LISTEN'].rpartition(':')[2] + '/healthz', timeout=2)"]

ENTRYPOINT ["responder"]
CMD ["serve"]
