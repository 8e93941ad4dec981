"""What is shown while programs are made."""

from __future__ import annotations

import io

from testbed.controlplane.progress import PLAIN_LINE_EVERY, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_sees_one_line_that_is_rewritten() -> None:
    stream, clock = Terminal(), Clock()

    progress = Progress("building etcd", stream, clock)
    clock.now += 65
    progress.tick("7 packages compiled")
    progress.done()

    erase = "\r\x1b[K"
    assert stream.getvalue() == (
        f"{erase}building etcd ...{erase}building etcd: 7 packages compiled, 1:05{erase}building etcd: done in 1:05\n"
    )


def test_a_log_gets_a_line_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()

    progress = Progress("building etcd", stream, clock)
    clock.now += PLAIN_LINE_EVERY - 1
    progress.tick("too early to say")
    clock.now += 1
    progress.tick("7 packages compiled")
    progress.failed()

    assert stream.getvalue() == (
        "building etcd ...\nbuilding etcd: 7 packages compiled, 0:30\nbuilding etcd: failed after 0:30\n"
    )
