"""Says on standard error what takes so long: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

PLAIN_LINE_EVERY = 30.0
"""Seconds. Continuous integration services give up on jobs that are silent for some minutes."""


class Progress:
    """The progress of one piece of work, from construction to `done` or `failed`."""

    def __init__(self, what: str, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._begun = clock()
        self._said = self._begun
        self._write(f"{what} ...")

    def tick(self, detail: str) -> None:
        """Tell how far it is; may be called as often as one likes."""
        now = self._clock()
        if self._live or now - self._said >= PLAIN_LINE_EVERY:
            self._said = now
            self._write(f"{self._what}: {detail}, {self._elapsed()}")

    def done(self) -> None:
        self._write(f"{self._what}: done in {self._elapsed()}", last=True)

    def failed(self) -> None:
        self._write(f"{self._what}: failed after {self._elapsed()}", last=True)

    def _elapsed(self) -> str:
        """Since the work began, in minutes and seconds."""
        minutes, seconds = divmod(int(self._clock() - self._begun), 60)
        return f"{minutes}:{seconds:02d}"

    def _write(self, text: str, *, last: bool = False) -> None:
        if self._live:
            # Return to the first column and erase: the line is always rewritten in place.
            self._stream.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
