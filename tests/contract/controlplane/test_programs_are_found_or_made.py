"""Where the programs come from, and what is said when they cannot be had."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed.controlplane import ProgramUnavailableError, cache, programs, toolchain
from testbed.controlplane.recipe import PROGRAMS, Program
from tests.contract.controlplane.processes import python


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache"


def executable(path: Path, content: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    path.chmod(0o755)
    return path


def test_the_directory_of_assets_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = executable(tmp_path / "assets" / "etcd")
    executable(cache.place(PROGRAMS["etcd"]))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given.parent))

    assert programs.find("etcd") == given


def test_what_the_assets_lack_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executable(tmp_path / "assets" / "etcd")
    cached = executable(cache.place(PROGRAMS["helm"]))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))

    assert programs.find("helm") == cached


def test_a_failed_build_shows_the_compiler_and_the_command_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    package = "go.etcd.io/etcd/server/v3/no-such-package"
    monkeypatch.setitem(PROGRAMS, "broken", Program("broken", PROGRAMS["etcd"].module, package))

    with pytest.raises(ProgramUnavailableError) as raised:
        programs.find("broken")

    message = str(raised.value)
    assert "building broken v3.6.16 failed" in message
    assert f"    cannot find module providing package {package}" in message
    assert f"&& CGO_ENABLED=0 GOTOOLCHAIN=local GOWORK=off {toolchain.find('1.26.0')} build -v -trimpath" in message
    assert "Or set KUBEBUILDER_ASSETS to a directory that holds broken" in message


def test_a_failed_build_leaves_nothing_that_looks_like_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Program("broken", PROGRAMS["etcd"].module, "go.etcd.io/etcd/server/v3/no-such-package")
    monkeypatch.setitem(PROGRAMS, "broken", broken)

    with pytest.raises(ProgramUnavailableError):
        programs.find("broken")

    assert list(cache.place(broken).parent.iterdir()) == []


def test_a_second_process_waits_and_takes_what_the_first_one_made() -> None:
    code = "from testbed.controlplane import programs; print(programs.find('etcd'))"
    with ExitStack() as first:
        first.enter_context(cache.adding(waiting=lambda: None))
        with python("-c", code) as second:
            assert second.stdout is not None
            assert second.stderr is not None
            waiting = second.stderr.readline()
            made = executable(cache.place(PROGRAMS["etcd"]))
            first.close()
            found = second.stdout.readline().strip()

    assert waiting == "another process is making programs of the control plane: waiting for it ...\n"
    assert found == str(made)


def test_a_toolchain_on_path_is_used_if_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = executable(tmp_path / "bin" / "go", "#!/bin/sh\necho go1.26.9\n")
    monkeypatch.setenv("PATH", str(go.parent))

    assert toolchain.find("1.26.0") == go


def test_an_older_toolchain_on_path_gives_way_to_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = executable(tmp_path / "bin" / "go", "#!/bin/sh\necho go1.9.7\n")
    monkeypatch.setenv("PATH", str(go.parent))
    installed = executable(cache.root() / "go-1.26.6" / "go" / "bin" / "go")

    assert toolchain.find("1.26.0") == installed
