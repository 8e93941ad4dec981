"""However the starter of a control plane ends, nothing of it goes on."""

from __future__ import annotations

import signal
import tempfile
import threading
from pathlib import Path

import pytest

from testbed.controlplane import Child, scratch
from tests.contract.controlplane.processes import python, running_with, started_control_plane, wait_until


@pytest.mark.parametrize("deadly", [signal.SIGKILL, signal.SIGHUP])
def test_no_process_outlives_a_starter_that_is_killed(control_plane_programs: None, deadly: signal.Signals) -> None:
    with started_control_plane() as (starter, directory):
        starter.send_signal(deadly)
        starter.wait()

        wait_until(lambda: not running_with(str(directory)), "etcd and kube-apiserver are gone")


@pytest.mark.parametrize("polite", [signal.SIGINT, signal.SIGTERM])
def test_a_starter_that_is_asked_to_end_leaves_neither_process_nor_file(
    control_plane_programs: None, polite: signal.Signals
) -> None:
    with started_control_plane() as (starter, directory):
        starter.send_signal(polite)
        starter.wait()

        assert running_with(str(directory)) == []
        assert not directory.exists()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A place of its own: control planes of other processes would remove it, too.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    hold = "with scratch.directory() as made:\n    print(made)\n    signal.pause()"
    code = f"import signal\nfrom testbed.controlplane import scratch\n{hold}"
    with python("-c", code) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        process.kill()
        process.wait()
        assert left.is_dir()

    with scratch.directory() as ours:
        remaining = set(tmp_path.iterdir())

    assert remaining == {ours, ours.with_suffix(".lock")}


def test_the_directory_of_a_process_that_lives_is_left_alone() -> None:
    with scratch.directory() as first, scratch.directory():
        assert first.is_dir()


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    children: list[Child] = []

    def start() -> None:
        children.append(Child.start("sleep", ["sh", "-c", "echo begun; exec sleep 600"], log))
        # Until here the child is not tethered, and the end of the thread could not harm it.
        wait_until(lambda: log.read_text() == "begun\n", "the child runs")

    thread = threading.Thread(target=start)
    thread.start()
    task = Path(f"/proc/self/task/{thread.native_id}")
    thread.join()
    wait_until(lambda: not task.exists(), "the kernel has ended the thread")

    ended_by = children[0].exit_code
    children[0].stop()

    assert ended_by is None


def test_a_child_that_cannot_be_run_says_so(tmp_path: Path) -> None:
    child = Child.start("missing", [str(tmp_path / "no-such-program")], tmp_path / "log")

    child.process.wait()

    assert "cannot run" in child.log_text()
    assert "No such file or directory" in child.log_text()
