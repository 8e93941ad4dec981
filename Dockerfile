# syntax=docker/dockerfile:1
# The image of the operator: a Python, one virtual environment, nothing else.
#
#   BASE_IMAGE  any image with Python 3.11 or later as `python3`, its venv module and CA certificates; used for both
#               stages, so that the interpreter that the virtual environment points at is there at run time. Pinned by
#               tag only: a digest belongs to the registry and the day of the build, so a release passes
#               --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:... and keeps that line in its record.
#
# Where packages come from is a matter of the machine that builds, never of this file. Two optional build secrets carry
# it, because a build argument would stay in the image's history with the credentials that an index address may contain:
#   pip.conf    pip's configuration (index, trusted hosts)
#   ca-bundle   certificates to trust for it, where a proxy re-signs TLS
# image/build.sh fills both from the environment.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
WORKDIR /src
# pip and the build backend live in a virtual environment of their own: the one that ships has no installer in it.
COPY image/build-backend.txt image/pip.sh image/
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/cfmtls
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle \
    sh image/pip.sh install --require-hashes -r image/build-backend.txt
# Dependencies before the sources: a change of the operator reuses this layer.
COPY requirements/runtime.txt requirements/
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca-bundle \
    sh image/pip.sh --python /opt/cfmtls/bin/python3 install --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
# Offline on purpose: whatever this step needs is in a lock file, or the build fails.
RUN sh image/pip.sh wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheel . \
    && sh image/pip.sh --python /opt/cfmtls/bin/python3 install --no-index --no-deps /wheel/*.whl

FROM ${BASE_IMAGE}
ARG VERSION=0.0.0-dev
LABEL org.opencontainers.image.title="cloudflare-mtls-operator" \
      org.opencontainers.image.description="Kubernetes operator for Cloudflare API Shield mTLS with your own certificate authorities" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/cfmtls /opt/cfmtls
# USER is set because the user id has no entry in /etc/passwd, here or where a platform chooses another one, and
# libraries that ask who they are would fail. No bytecode is written: the root file system is read-only in the chart.
ENV PATH=/opt/cfmtls/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    USER=cfmtls \
    HOME=/tmp
# By number: the kubelet can only check runAsNonRoot on a numeric user.
USER 65532:65532
WORKDIR /
EXPOSE 8080
ENTRYPOINT ["cfmtls"]
