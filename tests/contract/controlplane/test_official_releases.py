"""Downloads of official binaries: by pinned checksum, or not at all."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.controlplane import ProgramUnavailableError, releases
from testbed.controlplane.recipe import PROGRAMS, host
from testbed.controlplane.releases import Release

CONTENT = b"#!/bin/sh\necho official\n"
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The files of a release site."""
    directory = tmp_path / "site"
    directory.mkdir()
    return directory


@pytest.fixture
def site_url(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_release_with_the_pinned_checksum_is_taken(site: Path, site_url: str, tmp_path: Path) -> None:
    (site / "etcd").write_bytes(CONTENT)

    taken = releases.download(Release(CHECKSUM, f"{site_url}/etcd"), tmp_path / "etcd")

    assert taken
    assert (tmp_path / "etcd").read_bytes() == CONTENT


def test_a_release_with_another_checksum_is_refused_and_not_kept(site: Path, site_url: str, tmp_path: Path) -> None:
    (site / "etcd").write_bytes(b"something else")

    with pytest.raises(ProgramUnavailableError, match=f"but .* says {CHECKSUM}. Nothing of it was kept"):
        releases.download(Release(CHECKSUM, f"{site_url}/etcd"), tmp_path / "etcd")

    assert list(tmp_path.iterdir()) == [site]


def test_the_program_is_taken_out_of_an_archive(site: Path, site_url: str, tmp_path: Path) -> None:
    with tarfile.open(site / "helm.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("linux-amd64/helm")
        member.size = len(CONTENT)
        archive.addfile(member, io.BytesIO(CONTENT))
    checksum = hashlib.sha256((site / "helm.tar.gz").read_bytes()).hexdigest()

    releases.download(Release(checksum, f"{site_url}/helm.tar.gz", "linux-amd64/helm"), tmp_path / "helm")

    assert (tmp_path / "helm").read_bytes() == CONTENT


def test_a_site_that_lacks_the_release_is_passed_over(site_url: str, tmp_path: Path) -> None:
    assert not releases.download(Release(CHECKSUM, f"{site_url}/etcd"), tmp_path / "etcd")


def test_a_site_that_cannot_be_reached_is_passed_over(tmp_path: Path) -> None:
    assert not releases.download(Release(CHECKSUM, "https://release.invalid/etcd"), tmp_path / "etcd")


def test_a_pin_holds_for_its_program_and_machine_only(tmp_path: Path) -> None:
    pins = tmp_path / "releases.txt"
    pins.write_text(f"# comment\netcd plan9/arm {CHECKSUM} https://a/\netcd {host()} {CHECKSUM} https://b/\n")

    assert releases.pinned(PROGRAMS["etcd"], pins) == Release(CHECKSUM, "https://b/")
    assert releases.pinned(PROGRAMS["helm"], pins) is None


def test_every_line_of_our_pins_can_be_read() -> None:
    lines = [line.split() for line in releases.PINS.read_text().splitlines() if line and line[0] != "#"]

    assert [line for line in lines if line[0] not in PROGRAMS or len(line[2]) != 64 or len(line) > 5] == []
