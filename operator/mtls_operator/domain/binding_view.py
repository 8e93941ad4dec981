"""What is known about a binding besides its spec, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mtls_operator.api.host_binding import ManagedRule, Rival
from mtls_operator.api.times import format_moment
from mtls_operator.domain.binding_assessment import BindingAssessment
from mtls_operator.domain.exposure import ZoneLook
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.verdicts import Verdict
from mtls_operator.domain.zone_progress import HostProgress, HostStage


@dataclass(frozen=True, slots=True)
class BindingView:
    """What is known about a binding besides its spec."""

    assessment: BindingAssessment
    progress: Mapping[str, HostProgress] | None = field(default_factory=dict)
    """Where the hostnames stand; None while it cannot be told, so that what was said stays."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Hostnames that another binding or installation has, with its name."""
    clusters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By ownerId, the UIDs of the clusters from which other installations have signed what they have in the zone."""
    rules: Sequence[ManagedRule] | None = ()
    """Rules that cover its hostnames; None while the rules are not known."""
    rival: Rival | None = None
    """Another cluster that uses our ownerId in the zone, by the last reading of its rules."""
    zone: Zone | None = None
    trouble: Verdict | None = None
    """What Cloudflare said when the zone was last worked on, if it went wrong. It says nothing about a binding of
    the zone that has all it asks for."""
    plan: Sequence[str] | None = None
    """What would be done for it, if it is only observed; None while that cannot be told."""
    not_after: datetime | None = None
    remark: Verdict | None = None
    """What Ready says of a binding that has all it asks for, besides that."""
    altered: Verdict | None = None
    """What somebody has done to the rules that cover its hostnames."""
    look: ZoneLook | None = None
    """What others have in the zone that may open it; None before anybody has looked."""
    is_fresh: bool = True
    """Whether everything has been looked at since a fresh look was asked for."""
    removals_from: float | None = None
    """Until when nothing may be removed in the zone, in seconds since the epoch: a process that takes over has to know
    it."""
    verification: Verdict | None = None
    """What the last check from outside found under this spec; None while this process has made none."""


def stage_of(view: BindingView, hostname: str) -> HostStage:
    """How far a hostname is."""
    progress = (view.progress or {}).get(hostname)
    return progress.stage if progress else HostStage.PENDING


def uncovered(view: BindingView) -> list[str]:
    """Hostnames, sorted, whose rule somebody took away: it is being put back."""
    progress = view.progress or {}
    return sorted(name for name, each in progress.items() if each.stage is HostStage.MOVING and each.meanwhile is None)


def names_and_until(view: BindingView, stage: HostStage) -> str:
    """Sorted names of a stage, and until when at least they stay in it."""
    there = {name: each for name, each in (view.progress or {}).items() if each.stage is stage}
    latest = max((each.until for each in there.values() if each.until is not None), default=None)
    names = ", ".join(sorted(there))
    return names if latest is None else f"{names} (until {moment(latest)} at least)"


def moment(seconds: float) -> str:
    """A moment in words, from seconds since the epoch."""
    return format_moment(datetime.fromtimestamp(seconds, UTC))
