"""Where a container's path is below its root file system."""

from __future__ import annotations

from pathlib import Path

from testbed.kubelet.mounts import place_in


def test_an_absolute_link_of_the_image_is_followed_inside_the_image(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "run").symlink_to("/run")

    assert place_in(tmp_path, "/var/run/secrets/token") == tmp_path / "run" / "secrets" / "token"


def test_a_relative_link_is_followed_from_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "run").symlink_to("../run")

    assert place_in(tmp_path, "/var/run/x") == tmp_path / "run" / "x"


def test_no_link_leads_out_of_the_image(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("../../../..")

    assert place_in(tmp_path, "/etc/passwd") == tmp_path / "passwd"
