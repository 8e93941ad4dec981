"""Finds the zones of bindings that have none yet, and speaks for those bindings meanwhile.

A zone is asked for once per account, zone and token; every binding of it then finds the answer in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import AmbiguousZone, CloudflareError, NotFound
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.binding_status import BindingView, binding_status
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.verdicts import Verdict, blocked, waiting
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.keys import ZoneKey
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.setbacks import Setbacks
from mtls_operator.engine.situation import Situation, ZoneQuestion
from mtls_operator.engine.troubles import pause_after

_LOG = logging.getLogger(__name__)


@dataclass
class ZoneDirectory:
    """Asks Cloudflare for zones. `on_found` is told of each zone that bindings now belong to."""

    situation: Situation
    writer: ResourceWriter[BindingRecord]
    credentials: Credentials
    on_found: Callable[[ZoneKey], None]
    _setbacks: Setbacks[ZoneQuestion] = field(init=False)

    def __post_init__(self) -> None:
        self._setbacks = Setbacks(self.situation.clock)

    async def reconcile(self) -> float | None:
        """Ask for every zone that is due; returns after how many seconds to ask again, if ever."""
        questions = self._open_questions()
        held = {each: self._setbacks.held_until(each, self._token(each)) for each in questions}
        for question in questions:
            if held[question] is None:
                await self._ask(question)
        try:
            await self._report()
        except ClusterError as error:
            _LOG.info("a status was not written", extra={"error": str(error)})
            return pause_after(error, 1)
        return self._next()

    def _open_questions(self) -> list[ZoneQuestion]:
        questions = [
            self.situation.question_of(binding)
            for binding in self.situation.unzoned()
            if not binding.deleting and binding.status_is_readable and self.situation.assess(binding).lacks_zone
        ]
        return list(dict.fromkeys(question for question in questions if question is not None))

    async def _ask(self, question: ZoneQuestion) -> None:
        client = self.credentials.client(question.credential)
        if client is None:
            return
        try:
            if question.zone_id is not None:
                zone = await client.get_zone(question.zone_id)
            else:
                zone = await self._find(client, question.zone_name or "")
        except CloudflareError as error:
            self._note_failure(question, error)
            return
        self._setbacks.clear(question)
        self.situation.zones[question] = zone
        self.on_found(ZoneKey(zone.id))

    async def _find(self, client: CloudflareClient, name: str) -> Zone:
        zone = await client.find_zone(name)
        if zone is None:
            raise NotFound(f"zone {name}", "the token sees no zone of this name")
        return zone

    def _note_failure(self, question: ZoneQuestion, error: CloudflareError) -> None:
        self._setbacks.note(question, error, self._token(question))
        verdict = self._setbacks.verdict(question)
        if isinstance(error, NotFound):
            verdict = _not_found(question)
        elif isinstance(error, AmbiguousZone):
            verdict = blocked(Reason.ZONE_NOT_FOUND, str(error))
        if verdict is not None:
            self.situation.zones[question] = verdict
        _LOG.warning("a zone was not found", extra={"zone": _name(question), "error": str(error)})

    def _token(self, question: ZoneQuestion) -> object:
        return self.credentials.token(question.credential)

    def _next(self) -> float | None:
        held = [self._setbacks.held_until(each, self._token(each)) for each in self._open_questions()]
        due = [until for until in held if until is not None]
        return max(0.0, min(due) - self.situation.clock.now()) if due else None

    async def _report(self) -> None:
        for binding in self.situation.unzoned():
            if is_waived(binding):
                await self.writer.abandon(binding, "what it owned, which its status does not say")
            elif binding.status_is_readable:
                await self._report_one(binding)

    async def _report_one(self, binding: BindingRecord) -> None:
        if binding.deleting:
            await self.writer.remove_finalizer(binding)
        elif not self.situation.is_binding_loading(binding):
            view = BindingView(self.situation.assess(binding))
            await self.writer.write_status(binding, binding_status(binding, view, self.situation.clock.moment()))


def _not_found(question: ZoneQuestion) -> Verdict:
    return waiting(
        Reason.ZONE_NOT_FOUND,
        f"the API token sees no zone {_name(question)}: it does not exist, or the token lacks Zone Read for it",
    )


def _name(question: ZoneQuestion) -> str:
    return question.zone_name or question.zone_id or ""
