"""Says on standard error what takes so long: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

PLAIN_LINE_EVERY = 30.0
"""Seconds. Continuous integration services give up on jobs that are silent for some minutes."""


class Progress:
    """The progress of one piece of work, from construction to `done` or `failed`."""

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        self._what = what
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._begun = time.monotonic()
        self._said = self._begun
        self._write(f"{what} ...")

    @property
    def elapsed(self) -> float:
        """Seconds since the work began."""
        return time.monotonic() - self._begun

    def tick(self, detail: str) -> None:
        """Tell how far it is; may be called as often as one likes."""
        now = time.monotonic()
        if self._live or now - self._said >= PLAIN_LINE_EVERY:
            self._said = now
            self._write(f"{self._what}: {detail}, {self._clock()}")

    def done(self) -> None:
        self._write(f"{self._what}: done in {self._clock()}", last=True)

    def failed(self) -> None:
        self._write(f"{self._what}: failed after {self._clock()}", last=True)

    def _clock(self) -> str:
        minutes, seconds = divmod(int(self.elapsed), 60)
        return f"{minutes}:{seconds:02d}"

    def _write(self, text: str, *, last: bool = False) -> None:
        if self._live:
            # Return to the first column and erase: the line is always rewritten in place.
            self._stream.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
