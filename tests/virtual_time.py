"""Tests in virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec

from testbed.cluster.virtual_time import run

P = ParamSpec("P")
_PATIENCE_SECONDS: Final = 4 * 3600.0


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that runs in a virtual loop of its own."""

    @functools.wraps(test)
    def run_it(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return run_it


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, in virtual time."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():
            await _a_second()


async def _a_second() -> None:
    await asyncio.sleep(1)
