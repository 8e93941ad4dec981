"""Finds the zones of bindings that have none yet, and speaks for those bindings meanwhile.

A zone is asked for once per account, zone and token; every binding of it then finds the answer in memory. It is asked
for again for those that own nothing there when Cloudflare says that there is no such zone: it may have been deleted and
made again, under another id. The zone of one that has something there is known, but not its account if the status is of
a time when that was not recorded: it is asked for as well, once, and nothing waits for that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.cloudflare.errors import AmbiguousZone, CloudflareError, NotFound
from mtls_operator.cluster.errors import AccessDenied, ClusterError, ResourceChanged, ResourceGone, WriteRefused
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.binding_view import BindingView
from mtls_operator.domain.observed import Zone
from mtls_operator.domain.records import BindingRecord, ResourceKey
from mtls_operator.domain.urgency import Urgency
from mtls_operator.domain.verdicts import Verdict, blocked, waiting
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.keys import AccountKey, Key, UnzonedKey, ZoneKey
from mtls_operator.engine.outcome import Reconciled, failed, reconciled
from mtls_operator.engine.resource_writer import ResourceWriter, is_waived
from mtls_operator.engine.setbacks import Setbacks
from mtls_operator.engine.situation import Situation, ZoneQuestion
from mtls_operator.engine.troubles import pause_after

_LOG = logging.getLogger(__name__)
_SOON_SECONDS = 1.0


@dataclass(repr=False)
class ZoneDirectory:
    """Asks Cloudflare for zones. `on_answer` is told of the zone that bindings now belong to, and of the account whose
    CAs wait to know which bindings use them."""

    situation: Situation
    writer: ResourceWriter[BindingRecord]
    credentials: Credentials
    on_answer: Callable[[Key], None]
    _setbacks: Setbacks[ZoneQuestion] = field(init=False)
    _unwritable: Setbacks[ResourceKey] = field(init=False)
    """Bindings whose status or finalizer the API server does not let us write."""
    _doubted: set[ZoneQuestion] = field(default_factory=set)
    """What was answered, and may not be so any more. It counts until there is another answer."""
    _cluster_failures: int = 0

    def __post_init__(self) -> None:
        self._setbacks, self._unwritable = Setbacks(self.situation.clock), Setbacks(self.situation.clock)

    def doubt(self, zone_id: str) -> None:
        """Cloudflare says that there is no such zone. How often that is asked is how often the zone is asked for."""
        found = self.situation.zones.items()
        self._doubted |= {question for question, zone in found if isinstance(zone, Zone) and zone.id == zone_id}
        self.on_answer(UnzonedKey())

    def look_again(self, binding: BindingRecord) -> None:
        """Somebody asks for a fresh look at a binding, which is at its zone too where nothing is recorded of it."""
        question = self.situation.question_of(binding)
        if question is not None and not binding.status.managed:
            self._doubted.add(question)
            self._setbacks.clear(question)
            self.on_answer(UnzonedKey())

    async def reconcile(self) -> Reconciled:
        """Ask for every zone that is due."""
        asked: set[ZoneQuestion] = set()
        while due := [each for each in self._open_questions() if each not in asked and self._is_due(each)]:
            asked.add(due[0])
            await self._ask(due[0])
        try:
            await self._report()
        except ClusterError as error:
            self._cluster_failures += 1
            _LOG.warning("the API server cannot be used, bindings without a zone wait: %s", error)
            return failed(pause_after(error, self._cluster_failures, self.situation.clock.chance))
        self._cluster_failures = 0
        failing = self._setbacks.any() or self._unwritable.any()
        return reconciled(self._wake_at(), self.situation.clock.now(), failing=failing)

    def _is_due(self, question: ZoneQuestion) -> bool:
        token = self._token(question)
        return token is not None and self._setbacks.held_until(question, token) is None

    def _open_questions(self) -> list[ZoneQuestion]:
        return list(dict.fromkeys((*self._awaited(), *self._account_questions())))

    def _awaited(self) -> list[ZoneQuestion]:
        questions = [
            self.situation.question_of(binding)
            for binding in self.situation.unzoned()
            if not binding.deleting and binding.status_is_readable and self.situation.assess(binding).lacks_zone
        ]
        found = dict.fromkeys(question for question in questions if question is not None)
        return list(found | dict.fromkeys(self._doubted_questions()))

    def _account_questions(self) -> Iterator[ZoneQuestion]:
        """Those without an answer whose token serves who asks. That there is no such zone is one."""
        for binding in self.situation.bindings:
            question = self.situation.account_question_of(binding)
            answer = self.situation.zones.get(question) if question else None
            is_answered = isinstance(answer, Zone) or (answer is not None and answer.reason is Reason.ZONE_NOT_FOUND)
            if question is None or is_answered:
                continue
            if self.situation.assess(binding).credential == question.credential:
                yield question

    def _doubted_questions(self) -> Iterator[ZoneQuestion]:
        """Those that a binding relies on and whose token serves it."""
        for binding in self.situation.bindings if self._doubted else ():
            question = self.situation.question_of(binding)
            is_bound = binding.deleting or binding.status.managed or not binding.status_is_readable
            if question is None or question not in self._doubted or is_bound:
                continue
            if self.situation.assess(binding).credential == question.credential:
                yield question

    async def _ask(self, question: ZoneQuestion) -> None:
        urgency = Urgency.ARRIVAL if question in self._awaited() else Urgency.DRIFT_CHECK
        client = self.credentials.client(question.credential, urgency)
        if client is None:
            return
        try:
            if question.zone_id is not None:
                zone = await client.get_zone(question.zone_id)
            else:
                zone = await self._find(client, question.zone_name or "")
        except CloudflareError as error:
            self._note_failure(question, error)
        else:
            self._setbacks.clear(question)
            self._note(question, zone)
        self.on_answer(AccountKey(question.account_id))

    def _note(self, question: ZoneQuestion, answer: Zone | Verdict) -> None:
        """An answer, which both zones hear of where it is another one than before."""
        self._doubted.discard(question)
        before, self.situation.zones[question] = self.situation.zones.get(question), answer
        for zone_id in dict.fromkeys(each.id for each in (before, answer) if isinstance(each, Zone)):
            self.on_answer(ZoneKey(zone_id))

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
        is_answer = isinstance(error, NotFound | AmbiguousZone)
        if verdict is not None and (is_answer or not isinstance(self.situation.zones.get(question), Zone)):
            self._note(question, verdict)
        _LOG.warning("zone %s was not found: %s", _name(question), error)

    def _token(self, question: ZoneQuestion) -> object:
        return self.credentials.token(question.credential)

    def _wake_at(self) -> float | None:
        """When the first pause ends. One that has ended meanwhile is not forgotten: it is due soon."""
        soon = self.situation.clock.now() + _SOON_SECONDS
        waiting_for = [each for each in self._open_questions() if self._token(each) is not None]
        asked = [self._setbacks.held_until(each, self._token(each)) or soon for each in waiting_for]
        return min((at for at in (*asked, self._unwritable.wake_at()) if at is not None), default=None)

    async def _report(self) -> None:
        for binding in self.situation.unzoned():
            version = binding.metadata.resource_version
            if self._unwritable.held_until(binding.key, version) is not None:
                continue
            try:
                await self._report_one(binding)
            except (ResourceChanged, ResourceGone):
                # What is there now has been read, which lets it be looked at again.
                continue
            except (WriteRefused, AccessDenied) as error:
                self._unwritable.note(binding.key, error, version)
                _LOG.warning("a binding cannot be written to: %s", error, extra={"binding": str(binding.key)})
            else:
                self._unwritable.clear(binding.key)

    async def _report_one(self, binding: BindingRecord) -> None:
        if is_waived(binding):
            await self.writer.abandon(binding, "what it owned, which its status does not say")
        elif not binding.status_is_readable:
            return
        elif binding.deleting and not binding.status.managed:
            await self.writer.remove_finalizer(binding)
        elif not self.situation.is_binding_loading(binding):
            view = BindingView(
                self.situation.assess(binding),
                rival=binding.status.rival,
                verification=self.situation.found_outside(binding),
            )
            await self.writer.write_status(binding, binding_status(binding, view, self.situation.clock.moment()))


def _not_found(question: ZoneQuestion) -> Verdict:
    return waiting(
        Reason.ZONE_NOT_FOUND,
        f"the API token sees no zone {_name(question)}: it does not exist, or the token lacks Zone Read for it",
    )


def _name(question: ZoneQuestion) -> str:
    return question.zone_name or question.zone_id or ""
