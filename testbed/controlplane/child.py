"""Child processes that never outlive us.

Theory: a child is tethered (see `tether`), so that on Linux the kernel kills it when we die, also by SIGKILL. The
kernel goes by the *thread* that forked, so all children are started by one thread that lives as long as the process.
A child has a session of its own: Ctrl-C at a terminal reaches us alone, and we stop our children in the right order.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TETHER = Path(__file__).parent / "tether.py"


class _Forker:
    """The thread that starts all children."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[tuple[list[str], Path, dict[str, str], Future[subprocess.Popen[bytes]]]]
        self._orders = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self, command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with self._lock:
            # Threads do not survive a fork of ours, so it is asked for each time.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._serve, name="forker", daemon=True)
                self._thread.start()
        started: Future[subprocess.Popen[bytes]] = Future()
        self._orders.put((command, log, environment, started))
        return started.result()

    def _serve(self) -> None:
        while True:
            command, log, environment, started = self._orders.get()
            try:
                started.set_result(self._fork(command, log, environment))
            except OSError as error:
                started.set_exception(error)

    def _fork(self, command: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


_FORKER = _Forker()


@dataclass(frozen=True, slots=True)
class Confinement:
    """Another root file system and user for a child, as a container has them. Needs the rights of root."""

    root: Path
    user: int
    """Also the id of its group."""


def tethered(command: Sequence[str], confinement: Confinement | None = None) -> list[str]:
    """The command that runs this one until it ends, or the thread that starts it does."""
    confined = [str(confinement.root), str(confinement.user)] if confinement else ["-", "-"]
    # -I -S: the tether needs no site packages, and must not be changed by the child's environment.
    return [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *confined, *command]


@dataclass(frozen=True, slots=True)
class Child:
    """A running program, and the file that holds all it says."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        confinement: Confinement | None = None,
    ) -> Self:
        """Start it; the log is appended to. The pid is that of the program itself.

        Raises OSError if no process can be made. A program that cannot be run says so in its log and exits.
        """
        env = dict(os.environ if environment is None else environment)
        return cls(name, log, _FORKER.start(tethered(command, confinement), log, env))

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self.process.poll()

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, indented for an error message."""
        return "\n".join(f"    {line}" for line in self.log_text().splitlines()[-lines:])

    def kill9(self) -> None:
        """End it at once, as a crash of the machine would, with all that it started."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, patience: float = 10.0) -> int:
        """Ask it to end, and make it end after `patience` seconds. Its exit code; negative: the ending signal."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill9()
        return self.process.returncode

    def _signal(self, number: signal.Signals) -> None:
        # Once waited for, the number may be another process's. Its session is ours to end until then.
        if self.process.poll() is None:
            os.killpg(self.process.pid, number)
