"""Finds the zones of bindings that have none yet, and speaks for those bindings meanwhile.

A zone is asked for once per account, zone and token; every binding of it then finds the answer in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.errors import AmbiguousZone, CloudflareError, NotFound
from mtls_operator.cluster.errors import ClusterError
from mtls_operator.domain.binding_status import BindingView, binding_status
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.verdicts import Verdict, blocked, waiting
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.keys import ZoneKey
from mtls_operator.engine.resource_writer import ResourceWriter
from mtls_operator.engine.situation import Situation, ZoneQuestion, sources_of_authority, sources_of_binding
from mtls_operator.engine.troubles import pause_after, trouble_of

_LOG = logging.getLogger(__name__)
_ASK_AGAIN_SECONDS = 60.0
"""A zone that is not visible may be created, or the token may be given the right to see it."""


@dataclass
class ZoneDirectory:
    """Asks Cloudflare for zones. `on_found` is told of each zone that bindings now belong to."""

    situation: Situation
    writer: ResourceWriter[BindingRecord]
    credentials: Credentials
    on_found: Callable[[ZoneKey], None]
    _failures: dict[ZoneQuestion, int] = field(default_factory=dict)
    _ask_at: dict[ZoneQuestion, float] = field(default_factory=dict)

    async def reconcile(self) -> float | None:
        """Ask for every zone that is due; returns after how many seconds to ask again, if ever."""
        for question in self._open_questions():
            await self._ask(question)
        try:
            await self._report()
        except ClusterError as error:
            _LOG.info("a status was not written", extra={"error": str(error)})
            return pause_after(error, 1)
        return self._next()

    def _open_questions(self) -> list[ZoneQuestion]:
        now = self.situation.clock.now()
        questions = [
            self.situation.question_of(binding)
            for binding in self.situation.unzoned()
            if not binding.deleting and self.situation.assess(binding).may_ask_for_zone
        ]
        distinct = dict.fromkeys(question for question in questions if question is not None)
        return [each for each in distinct if now >= self._ask_at.get(each, now)]

    async def _ask(self, question: ZoneQuestion) -> None:
        client = self.credentials.client(question.credential)
        if client is None:
            return
        try:
            if question.zone_id is not None:
                zone: Zone | None = await client.get_zone(question.zone_id)
            else:
                zone = await client.find_zone(question.zone_name or "")
        except CloudflareError as error:
            self._note_failure(question, error)
            return
        self._failures.pop(question, None)
        self._note_answer(question, zone)

    def _note_answer(self, question: ZoneQuestion, zone: Zone | None) -> None:
        if zone is None:
            self.situation.zones[question] = _not_found(question)
            self._ask_at[question] = self.situation.clock.now() + _ASK_AGAIN_SECONDS
        else:
            self.situation.zones[question] = zone
            self._ask_at.pop(question, None)
            self.on_found(ZoneKey(zone.id))

    def _note_failure(self, question: ZoneQuestion, error: CloudflareError) -> None:
        failures = self._failures[question] = self._failures.get(question, 0) + 1
        if isinstance(error, NotFound):
            verdict = _not_found(question)
        elif isinstance(error, AmbiguousZone):
            verdict = blocked(Reason.ZONE_NOT_FOUND, str(error))
        else:
            verdict = trouble_of(error, failures)
        self.situation.zones[question] = verdict
        self._ask_at[question] = self.situation.clock.now() + pause_after(error, failures)
        _LOG.warning("a zone was not found", extra={"zone": _name(question), "error": str(error)})

    def _next(self) -> float | None:
        waiting_for = {self.situation.question_of(binding) for binding in self.situation.unzoned()}
        due = [at for question, at in self._ask_at.items() if question in waiting_for]
        return max(0.0, min(due) - self.situation.clock.now()) if due else None

    async def _report(self) -> None:
        for binding in self.situation.unzoned():
            if binding.deleting:
                await self.writer.remove_finalizer(binding)
            elif not self._is_loading(binding):
                view = BindingView(self.situation.assess(binding))
                await self.writer.write_status(binding, binding_status(binding, view, self.situation.clock.moment()))

    def _is_loading(self, binding: BindingRecord) -> bool:
        authority = self.situation.authority_for(binding)
        of_authority = sources_of_authority(authority) if authority else frozenset()
        return self.situation.is_loading(sources_of_binding(binding) | of_authority)


def _not_found(question: ZoneQuestion) -> Verdict:
    return waiting(
        Reason.ZONE_NOT_FOUND,
        f"the API token sees no zone {_name(question)}: it does not exist, or the token lacks Zone Read for it",
    )


def _name(question: ZoneQuestion) -> str:
    return question.zone_name or question.zone_id or ""
