"""What a defect of ours ends: the piece of work that it is in, and nothing beside it.

Tasks of the engine stand side by side, and one that fails ends them all. A defect is loud (an error with its trace) and
what it was in is tried again: what cannot be done for one resource is done for the others meanwhile. Being cancelled is
no defect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

_LOG = logging.getLogger(__name__)
PAUSE_AFTER_DEFECT_SECONDS: Final = 30.0


async def is_done(work: Coroutine[Any, Any, None], what: str, **about: str) -> bool:
    """Do a piece of work. False when a defect has ended it, which is logged with `what` it was and whom it is about."""
    outcome: BaseException | None = (await asyncio.gather(work, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        _LOG.error("%s failed in an unforeseen way", what, exc_info=outcome, extra=about)
        return False
    if outcome is not None:
        raise outcome
    return True


async def kept_up(loop: Callable[[], Coroutine[Any, Any, None]], what: str) -> None:
    """Until cancelled: a loop without an end. One that ends all the same is begun again after a pause."""
    while True:
        await is_done(loop(), what)
        await asyncio.sleep(PAUSE_AFTER_DEFECT_SECONDS)
