#!/bin/sh
# Builds the operator's image from the Dockerfile with whichever of docker, podman and buildah works here.
#
# From the environment, all optional:
#   IMAGE           name and tag of the result               (cloudflare-mtls-operator:<version of pyproject.toml>)
#   IMAGE_BUILDER   docker, podman or buildah                (the first of them that works)
#   BASE_IMAGE      see the Dockerfile
#   pip's own PIP_CONFIG_FILE, PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_TRUSTED_HOST, PIP_CERT, or SSL_CERT_FILE, and the
#   proxy variables: what pip uses on this machine, it uses in the build.
# Arguments go to the builder, for example --platform linux/arm64, --no-cache, --isolation chroot.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# A docker client without an engine, or a podman that cannot reach its machine, is as good as none.
works() {
    command -v "$1" >/dev/null 2>&1 || return 1
    case $1 in
        docker) docker info --format '{{.ServerVersion}}' 2>/dev/null | grep -q . ;;
        podman) podman info >/dev/null 2>&1 ;;
        buildah) buildah info >/dev/null 2>&1 ;;
        *) return 1 ;;
    esac
}

choose_builder() {
    if [ -n "${IMAGE_BUILDER:-}" ]; then
        works "$IMAGE_BUILDER" || die "IMAGE_BUILDER=$IMAGE_BUILDER does not work here; run '$IMAGE_BUILDER info' to see why, or unset it."
        echo "$IMAGE_BUILDER"
        return
    fi
    for candidate in docker podman buildah; do
        if works "$candidate"; then echo "$candidate"; return; fi
        say "$candidate is not installed or does not answer, trying the next"
    done
    die "none of docker, podman and buildah works here. Start an engine, or install buildah, which needs none."
}

# pip's settings as a file, because a secret is one: the file that pip would read, else one made of its variables.
write_pip_configuration() {
    for file in "${PIP_CONFIG_FILE:-}" "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf" /etc/pip.conf; do
        if [ -f "$file" ]; then cat "$file"; break; fi
    done >"$1"
    if [ -n "${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-}${PIP_TRUSTED_HOST:-}" ]; then
        {
            echo '[global]'
            if [ -n "${PIP_INDEX_URL:-}" ]; then echo "index-url = $PIP_INDEX_URL"; fi
            if [ -n "${PIP_EXTRA_INDEX_URL:-}" ]; then echo "extra-index-url = $PIP_EXTRA_INDEX_URL"; fi
            if [ -n "${PIP_TRUSTED_HOST:-}" ]; then echo "trusted-host = $PIP_TRUSTED_HOST"; fi
        } >"$1"
    fi
}

builder=$(choose_builder)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/pyproject.toml" | head -n 1)
[ -n "$version" ] || die "pyproject.toml of $root has no line 'version = \"...\"' to tag the image with."
[ -f "$root/requirements/runtime.txt" ] || die "requirements/runtime.txt, the lock file that the image installs from, is missing in $root."
image=${IMAGE:-cloudflare-mtls-operator:$version}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
write_pip_configuration "$scratch/pip.conf"
certificates=${PIP_CERT:-${SSL_CERT_FILE:-}}

set -- --file "$root/Dockerfile" --tag "$image" --build-arg "VERSION=$version" "$@"
if [ -n "${BASE_IMAGE:-}" ]; then set -- --build-arg "BASE_IMAGE=$BASE_IMAGE" "$@"; fi
if [ -s "$scratch/pip.conf" ]; then set -- --secret "id=pip.conf,src=$scratch/pip.conf" "$@"; fi
if [ -f "$certificates" ]; then set -- --secret "id=ca-bundle,src=$certificates" "$@"; fi
for variable in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    # By name only, so that the value comes from the environment and stands on no command line.
    if printenv "$variable" >/dev/null; then set -- --build-arg "$variable" "$@"; fi
done
# Without an OCI runtime buildah can still run the steps of a Dockerfile, as root, in a chroot.
if [ "$builder" = buildah ] && ! command -v runc >/dev/null 2>&1 && ! command -v crun >/dev/null 2>&1; then
    export BUILDAH_ISOLATION="${BUILDAH_ISOLATION:-chroot}"
fi

say "building $image with $builder"
case $builder in
    buildah) buildah build --layers "$@" "$root" ;;
    *) DOCKER_BUILDKIT=1 "$builder" build "$@" "$root" ;;
esac
say "built $image"
