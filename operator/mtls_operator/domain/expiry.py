"""A CA certificate that expires soon: said in three steps, so that each is heard once.

A step is a time before the end. What is said changes when one is reached and not between, so that nothing is written
day by day.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.verdicts import Verdict, ok

STEPS: Final = (timedelta(days=30), timedelta(days=7), timedelta(days=1))


def remark_on_expiry(not_after: datetime, now: datetime) -> Verdict | None:
    """What is to be said of certificates of which the first expires then; None: nothing yet."""
    reached = [step for step in STEPS if not_after - now <= step]
    if not reached:
        return None
    days = reached[-1].days
    return ok(
        Reason.CERTIFICATE_EXPIRING,
        f"a CA certificate of the source expires within {days} day{'s' if days > 1 else ''}, on"
        f" {format_moment(not_after)}: put its successor into the source in time; both are accepted for"
        " spec.rotation.overlap",
    )


def next_step(not_after: datetime, now: datetime) -> datetime:
    """When something else is to be said, or the certificate has expired."""
    coming = (not_after - step for step in STEPS)
    return min((moment for moment in coming if moment > now), default=not_after)
