"""The demo itself, as `make demo` runs it, without a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from testbed.demo.stage import ROOT, ZONE

TIMEOUT = 300.0
TABLE = """\
api.example.com
  WHO ASKS                                                 SHOULD BE    WAS
  A client without a certificate                           blocked      blocked (HTTP 403)      ok
  A client with a self-signed certificate                  blocked      blocked (HTTP 403)      ok
  A client with a certificate of another CA                blocked      blocked (HTTP 403)      ok
  A client with a revoked certificate                      blocked      blocked (HTTP 403)      ok
  A client without a certificate, as API.EXAMPLE.COM       blocked      blocked (HTTP 403)      ok
  A client without a certificate, as api.example.com.      blocked      blocked (HTTP 403)      ok
  A client without a certificate, as api.example.com:443   blocked      blocked (HTTP 403)      ok
  A client without a certificate, as api.example.com.:443  blocked      blocked (HTTP 403)      ok
  A client with a good certificate                         let through  let through (HTTP 200)  ok

Closed to everyone but good clients.
"""
BEFORE_THE_REVOCATION = "".join(line for line in TABLE.splitlines(keepends=True) if "revoked" not in line)


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


def addresses(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Of the API server and of the simulated Cloudflare, once the demo has said that they are ready."""
    assert process.stdout is not None
    said = next(filter(None, (re.search(r"ready at (\S+); .* is at (\S+)/client/v4", line) for line in process.stdout)))
    return said[1], said[2]


@pytest.fixture(scope="module")
def said(control_plane_programs: None) -> str:
    """All that a demo has said that went well."""
    with demo() as process:
        said, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, said
    return said


def test_the_demo_shows_the_whole_job_and_proves_that_nothing_is_left(said: str) -> None:
    assert "set-up in order:    upload CA -> claim arriving -> associate -> claim held -> block rule" in said
    assert (
        "tear-down in order: remove block rule -> remove revoked rule -> claim leaving -> take off list -> remove claim"
        " -> delete CA" in said
    )
    assert "the CA waits: still used by MtlsHostBinding quickstart/partner-api" in said
    assert "nothing of ours is left" in said
    assert "0 violations" in said


def test_the_set_up_ends_with_who_gets_through_before_and_after_a_revocation(said: str) -> None:
    shown = re.sub(r"^ *[0-9.]+ s    ", "", said, flags=re.MULTILINE)
    before, revocation, after = shown.partition("block revoked: api.example.com, partners.example.com")

    assert BEFORE_THE_REVOCATION in before
    assert revocation
    assert after.index(TABLE) < after.index("delete the CA first")


def test_the_demo_ends_with_the_table_and_what_was_proved(said: str) -> None:
    _, _, end = said.partition("stop everything\n")

    assert TABLE in end
    assert "who gets through: good clients alone" in end


def test_the_readme_shows_the_table_of_the_demo() -> None:
    assert textwrap.indent(TABLE, "    ") in (ROOT / "README.md").read_text()


def test_the_demo_fails_when_a_client_gets_through_that_must_not(control_plane_programs: None) -> None:
    with demo() as process:
        _, cloudflare = addresses(process)
        allow = {"scope_id": ZONE, "mode": "whitelist", "target": "127.0.0.1"}
        httpx.post(f"{cloudflare}/simulation/access-rules", json=allow, trust_env=False).raise_for_status()
        said, _ = process.communicate(timeout=TIMEOUT)

    assert process.returncode == 1
    assert re.search(r"A client without a certificate +blocked +let through \(HTTP 200\) +BAD", said), said
    assert "FAILED: not everybody was answered as they should be" in said


def test_ctrl_c_ends_the_demo_and_all_that_it_started(control_plane_programs: None) -> None:
    with demo() as process:
        address, _ = addresses(process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=TIMEOUT)

    assert process.returncode == 128 + signal.SIGINT
    with pytest.raises(httpx.ConnectError):
        httpx.get(address, trust_env=False)
