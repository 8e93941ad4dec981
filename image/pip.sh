#!/bin/sh
# pip inside the image build, with the configuration and the certificates of the machine that builds, if it gave any
# (secrets `pip.conf` and `ca-bundle` of the Dockerfile; both are absent on a machine that needs neither).
set -eu
secrets=/run/secrets
if [ -s "$secrets/pip.conf" ]; then export PIP_CONFIG_FILE="$secrets/pip.conf"; fi
if [ -s "$secrets/ca-bundle" ]; then export PIP_CERT="$secrets/ca-bundle"; fi
exec /build/bin/pip --no-cache-dir --disable-pip-version-check "$@"
