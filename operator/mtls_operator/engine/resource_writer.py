"""Writes to our resources: status, finalizers, and an event for each condition that turns.

Nothing is written that would not change anything, and what the API server answers is remembered at once, so
that the next decision rests on it. A resource that changed meanwhile is read again and decided on again. One that did
not, though the API server says so, cannot be written to for now: to decide again at once would go on for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.api.conditions import Condition, ConditionType
from mtls_operator.api.constants import FINALIZER, FORCE_ORPHAN
from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.cluster.cluster_api import ClusterApi
from mtls_operator.cluster.errors import ClusterError, ResourceChanged, ResourceGone, WriteRefused
from mtls_operator.cluster.events import event_body
from mtls_operator.domain.records import AuthorityRecord, BindingRecord
from mtls_operator.engine.clock import Clock
from mtls_operator.observability.metrics import Metrics

_LOG = logging.getLogger(__name__)

R = TypeVar("R", AuthorityRecord, BindingRecord)
_SUMMARIES = frozenset({ConditionType.RECONCILING, ConditionType.STALLED})
_QUIET: frozenset[str] = frozenset(
    {
        Reason.PROGRESSING,
        Reason.ACCEPTED,
        Reason.RESOLVED,
        Reason.CURRENT,
        Reason.QUOTA_AVAILABLE,
        Reason.UPLOAD_PENDING,
        Reason.VERIFICATION_OFF,
        Reason.VERIFICATION_PENDING,
    }
)
"""What goes without saying: no event is posted for it."""
_UNDER_WAY: frozenset[str] = frozenset(
    {
        Reason.PROGRESSING,
        Reason.ARRIVING,
        Reason.LEAVING,
        Reason.ROTATING,
        Reason.WAITING_FOR_OTHERS,
        Reason.UPLOAD_PENDING,
        Reason.DELETING,
        Reason.CERTIFICATE_AUTHORITY_NOT_READY,
    }
)
_WARNINGS: frozenset[str] = frozenset(
    {
        Reason.CREDENTIALS_EXPIRING,
        Reason.CERTIFICATE_EXPIRING,
        Reason.RESYNC_DELAYED,
        Reason.ISSUER_NOT_PINNED,
        Reason.NOT_PROXIED,
        Reason.TARGET_UNREACHABLE,
        Reason.VERIFICATION_REFUSED,
        Reason.REVOCATION_INCOMPLETE,
    }
)
"""All is in force, and yet somebody has to do something."""


class ResourceWriter(Generic[R]):
    """Writes resources of one kind. `remember` and `forget` take what the API server answered."""

    def __init__(
        self,
        kind: str,
        *,
        api: ClusterApi,
        clock: Clock,
        metrics: Metrics,
        instance: str,
        parse: Callable[[Mapping[str, Any]], R | None],
        remember: Callable[[R], None],
        forget: Callable[[R], None],
    ) -> None:
        self._kind = kind
        self._api = api
        self._clock = clock
        self._metrics = metrics
        self._instance = instance
        self._parse: Callable[[Mapping[str, Any]], R | None] = parse
        self._remember: Callable[[R], None] = remember
        self._forget: Callable[[R], None] = forget

    async def write_status(self, record: R, status: CertificateAuthorityStatus | HostBindingStatus) -> bool:
        """Write the status if it says anything new, and post an event for what turned; False if it does not.

        Raises ClusterError; after ResourceChanged and ResourceGone what is there now is known, and it is another.
        """
        if status == record.status:
            return False
        wire = status.to_wire()
        if wire == record.status.to_wire():
            return False
        await self._write(
            record, self._api.replace_status(self._kind, record.key, record.metadata.resource_version, wire)
        )
        for condition in _turned(record.status.conditions, status.conditions):
            await self._post(record, condition)
        return True

    async def add_finalizer(self, record: R) -> None:
        """Hold the resource. Raises ClusterError."""
        if not record.metadata.has_finalizer:
            await self._write_finalizers(record, [*record.metadata.finalizers, FINALIZER])

    async def remove_finalizer(self, record: R) -> None:
        """Let the resource go. Raises ClusterError."""
        if record.metadata.has_finalizer:
            await self._write_finalizers(record, [each for each in record.metadata.finalizers if each != FINALIZER])

    async def abandon(self, record: R, left_behind: str) -> None:
        """Let a resource go whose clean-up the user has waived, and say what stays. Raises ClusterError."""
        await self.remove_finalizer(record)
        await self.warn(record, "ForceOrphaned", f"released by {FORCE_ORPHAN}; left at Cloudflare: {left_behind}")

    async def warn(self, record: R, reason: str, note: str) -> None:
        """Post a Warning event that no condition stands for."""
        await self._post_event(record, warning=True, reason=reason, note=note)

    async def _write_finalizers(self, record: R, finalizers: list[str]) -> None:
        version = record.metadata.resource_version
        await self._write(record, self._api.replace_finalizers(self._kind, record.key, version, finalizers))

    async def _write(self, record: R, call: Any) -> None:
        try:
            self._take(await call)
        except ResourceGone:
            self._forget(record)
            raise
        except ResourceChanged as error:
            if await self._is_unchanged(record):
                raise WriteRefused(f"{error}, and yet it is as it was") from None
            raise

    async def _is_unchanged(self, record: R) -> bool:
        """Read a resource again; whether it is what was decided on."""
        try:
            found = await self._api.get(self._kind, record.key)
        except ResourceGone:
            self._forget(record)
            return False
        self._take(found)
        return bool(found["metadata"]["resourceVersion"] == record.metadata.resource_version)

    def _take(self, body: Mapping[str, Any]) -> None:
        record = self._parse(body)
        if record is None:
            return
        if record.deleting and not record.metadata.finalizers:
            self._forget(record)
        else:
            self._remember(record)

    async def _post(self, record: R, condition: Condition) -> None:
        await self._post_event(
            record,
            warning=_is_bad(condition),
            reason=condition.reason,
            note=f"{condition.type}={condition.status}: {condition.message}",
        )

    async def _post_event(self, record: R, *, warning: bool, reason: str, note: str) -> None:
        """Events are best effort: the condition says the same and stays."""
        body = event_body(
            self._kind,
            record.metadata,
            warning=warning,
            reason=reason,
            note=note,
            action="Reconcile",
            instance=self._instance,
            suffix=f"{self._clock.chance.getrandbits(64):016x}",
            now=self._clock.moment(),
        )
        try:
            await self._api.post_event(record.metadata.namespace, body)
        except ClusterError as error:
            _LOG.warning("an event was not posted: %s", error)
        else:
            self._metrics.event_emitted(body["type"], reason)


def is_waived(record: AuthorityRecord | BindingRecord) -> bool:
    """Whether the user lets a resource that is being deleted go without a clean-up."""
    return record.deleting and record.metadata.has_finalizer and record.metadata.force_orphan


def _turned(before: Iterable[Condition], after: Iterable[Condition]) -> list[Condition]:
    """The conditions that turned and are worth an event: one per reason, the aspects before their summary."""
    known = {condition.type: _said(condition) for condition in before}
    turned = [each for each in after if known.get(each.type) != _said(each)]
    told = [each for each in turned if each.type not in _SUMMARIES and each.reason not in _QUIET]
    return list(
        {each.reason: each for each in sorted(told, key=lambda each: each.type != ConditionType.READY)}.values()
    )


def _said(condition: Condition) -> tuple[str, ...]:
    """What an event tells of; of what comes nearer in steps also which of them has been reached."""
    step = (condition.message,) if condition.reason == Reason.CERTIFICATE_EXPIRING else ()
    return (condition.status, condition.reason, *step)


def _is_bad(condition: Condition) -> bool:
    return condition.reason in _WARNINGS or (condition.status == "False" and condition.reason not in _UNDER_WAY)
