"""Makes a story that fails as short as it can be: delta debugging over its acts (Zeller, Hildebrandt: Simplifying and
Isolating Failure-Inducing Input)."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shrunk(acts: Sequence[int], fails: Callable[[Sequence[int]], bool], *, tries: int = 200) -> list[int]:
    """The fewest of these acts that still fail, as far as so many tries lead. All of them are known to fail."""
    kept, size = list(acts), max(1, len(acts) // 2)
    while tries > 0 and kept:
        for begin in range(0, len(kept), size):
            fewer = kept[:begin] + kept[begin + size :]
            tries -= 1
            if fails(fewer):
                kept = fewer
                break
            if tries <= 0:
                return kept
        else:
            if size == 1:
                return kept
            size = max(1, size // 2)
    return kept
