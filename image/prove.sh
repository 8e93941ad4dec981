#!/bin/sh
# Proves that the Dockerfile builds and its result runs, on a Debian machine without a container engine or a registry:
# debootstrap makes the base image, buildah builds on it, and the command runs in the exported root file system as the
# image's own user. Needs root, and: apt-get install buildah debootstrap
#
# From the environment, all optional: IMAGE_PROOF_DIR, where everything is made and left, to look at or to run the
# operator from (otherwise a temporary directory that goes at the end). Run again with the same directory, it keeps the
# base. What image/build.sh reads from the environment is passed on to it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
suite=bookworm
base=localhost/debian-python:$suite
image=localhost/cloudflare-mtls-operator:proof

say() { printf 'proof: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
expect() { # what, value, wanted value
    [ "$2" = "$3" ] || die "$1 of the image is '$2', should be '$3'."
    say "$1: $2"
}

[ "$(id -u)" = 0 ] || die "debootstrap and a chroot need root; run it as root, for example in a throw-away machine."
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null 2>&1 || die "$tool is missing: apt-get install buildah debootstrap"
done

if [ -n "${IMAGE_PROOF_DIR:-}" ]; then
    mkdir -p "$IMAGE_PROOF_DIR"
    work=$(cd "$IMAGE_PROOF_DIR" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
fi

# Storage of its own: the images of this machine stay as they are. vfs and chroot are the slow pair that asks nothing
# of the kernel: no overlay file system, no user namespaces, no OCI runtime, no cgroups.
cat >"$work/storage.conf" <<CONFIGURATION
[storage]
driver = "vfs"
graphroot = "$work/storage"
runroot = "$work/run"
CONFIGURATION
export CONTAINERS_STORAGE_CONF="$work/storage.conf" STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

if [ ! -f "$work/base.tar" ]; then
    say "making a base root file system with debootstrap ($suite, minbase, python3)"
    rm -rf "$work/base"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$work/base" >"$work/debootstrap.log" 2>&1 ||
        { tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed; its whole log is above or in $work/debootstrap.log."; }
    # Device nodes are made by whoever runs the image; the package cache is of no use in it.
    tar -C "$work/base" --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' -cf "$work/base.tar.part" .
    mv "$work/base.tar.part" "$work/base.tar"
    rm -rf "$work/base"
fi

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    say "importing it as $base"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$work/base.tar" / >/dev/null
    buildah commit --quiet --rm "$container" "$base" >/dev/null
fi

# Without layers, because vfs copies the whole root file system for each.
BASE_IMAGE=$base IMAGE_BUILDER=buildah IMAGE=$image "$root/image/build.sh" --pull-never --layers=false

expect entrypoint "$(buildah inspect --type image --format '{{.OCIv1.Config.Entrypoint}}' "$image")" '[cfmtls]'
user=$(buildah inspect --type image --format '{{.OCIv1.Config.User}}' "$image")
expect user "$user" 65532:65532

say "exporting the root file system to $work/rootfs"
rm -rf "$work/rootfs"
container=$(buildah from --pull-never "$image")
cp -a "$(buildah mount "$container")" "$work/rootfs"
buildah umount "$container" >/dev/null
buildah rm "$container" >/dev/null

in_image() { chroot --userspec="$user" "$work/rootfs" /usr/bin/env -i PATH=/opt/cfmtls/bin:/usr/bin:/bin USER=cfmtls HOME=/tmp "$@"; }
say "running in it as $user: cfmtls --help"
in_image cfmtls --help
# What an attacker would like to find, and what a root file system that is mounted read-only must not need.
! in_image python3 -m pip --version >/dev/null 2>&1 || die "the image's virtual environment has an installer in it."
[ -z "$(find "$work/rootfs/opt/cfmtls" ! -user 0 -print -quit)" ] || die "files of /opt/cfmtls belong to somebody else than root, so the operator could change itself."
say "proved: $image builds without an engine and runs as a user that owns nothing in it"
