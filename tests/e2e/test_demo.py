"""The demo itself, as `make demo` runs it, without a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from testbed.demo.stage import ROOT

TIMEOUT = 300.0


@contextmanager
def demo() -> Iterator[subprocess.Popen[str]]:
    """The demo as a process of its own, its output piped."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}
    command = [sys.executable, "-m", "testbed.demo"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def first_address(process: subprocess.Popen[str]) -> str:
    """Of the API server, once the demo has said that it is ready."""
    assert process.stdout is not None
    ready = next(line for line in process.stdout if "ready at" in line)
    return ready.split("ready at ")[1].split(";")[0]


def test_the_demo_shows_the_whole_job_and_proves_that_nothing_is_left(control_plane_programs: None) -> None:
    with demo() as process:
        said, _ = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 0, said
    assert "set-up in order:    upload CA -> claim arriving -> associate -> claim held -> block rule" in said
    assert (
        "tear-down in order: remove block rule -> claim leaving -> take off list -> remove claim -> delete CA" in said
    )
    assert "the CA waits: still used by MtlsHostBinding quickstart/partner-api" in said
    assert "nothing of ours is left" in said
    assert "0 violations" in said


def test_ctrl_c_ends_the_demo_and_all_that_it_started(control_plane_programs: None) -> None:
    with demo() as process:
        address = first_address(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)

    assert process.returncode == 128 + signal.SIGINT
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)
