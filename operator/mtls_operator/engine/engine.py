"""The engine: what is seen of the cluster goes in, and accounts and zones are brought into the wanted state.

    kopf event -> cache -> keys -> queue -> reconcile(key) -> status, events, metrics

Nothing is removed at Cloudflare before every resource of the cluster has been listed (safety invariant 8): the
queue does not run before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

import httpx

from mtls_operator.api.certificate_authority import MtlsCertificateAuthority
from mtls_operator.api.conditions import ConditionType, find
from mtls_operator.api.host_binding import MtlsHostBinding
from mtls_operator.cluster.cluster_api import ClusterApi
from mtls_operator.cluster.kinds import authority_record, binding_record
from mtls_operator.cluster.namespace_labels import NamespaceLabels
from mtls_operator.cluster.source_watches import SourceWatches
from mtls_operator.configuration import Configuration, HostMatch
from mtls_operator.domain.exposure import EXPOSURES
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import CertificateId
from mtls_operator.domain.records import AuthorityRecord, BindingRecord, ResourceKey
from mtls_operator.domain.sources import CredentialKey, SourceKey
from mtls_operator.engine.account_reconciler import AccountReconciler
from mtls_operator.engine.clock import Clock
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.defects import kept_up
from mtls_operator.engine.exposure_checks import ExposureChecks
from mtls_operator.engine.keys import AccountKey, Key, UnzonedKey, ZoneKey
from mtls_operator.engine.listing import ListedKind, Listing
from mtls_operator.engine.outcome import Result
from mtls_operator.engine.outside_checks import OutsideChecks
from mtls_operator.engine.resource_cache import ResourceCache
from mtls_operator.engine.resource_writer import ResourceWriter
from mtls_operator.engine.resync_schedule import ResyncSchedule
from mtls_operator.engine.rivalry import Rivalries
from mtls_operator.engine.settings import operator_credentials, predecessors_of, timing_of, visitor_of
from mtls_operator.engine.situation import Situation, account_of, objects_of
from mtls_operator.engine.token_checks import TokenChecks
from mtls_operator.engine.work_queue import WorkQueue
from mtls_operator.engine.zone_directory import ZoneDirectory
from mtls_operator.engine.zone_reconciler import ZoneReconciler
from mtls_operator.observability.health import Health
from mtls_operator.observability.metrics import Metrics
from mtls_operator.outside.visits import Outside

_LOG = logging.getLogger(__name__)
_CONCURRENCY = 8
_COALESCE_SECONDS = 0.1
_BEAT_SECONDS = 15.0

Listed = AuthorityRecord | BindingRecord


@dataclass(frozen=True)
class Identity:
    """Who this process is: its pod, the namespace of its release, and the installation whose marks it writes."""

    pod: str
    namespace: str
    installation: Installation


class Engine:
    """Wires cache, queue and reconcilers. `observe` takes events at any time; `run` works until cancelled."""

    def __init__(
        self,
        configuration: Configuration,
        identity: Identity,
        *,
        api: ClusterApi,
        http: httpx.AsyncClient,
        clock: Clock,
        metrics: Metrics,
        health: Health,
        outside: Outside | None = None,
    ) -> None:
        """`outside` None: over the network, as the configuration says."""
        self._api = api
        self._clock = clock
        self._metrics = metrics
        self._health = health
        self._queue = WorkQueue(self._reconcile, concurrency=_CONCURRENCY, coalesce_seconds=_COALESCE_SECONDS)
        self._labels = NamespaceLabels(api, self._on_namespace)
        self._sources = SourceWatches(api, self._on_source)
        self.listed = asyncio.Event()
        """Set once every resource of the cluster has been listed, so that both kinds are served."""
        self._references_changed = asyncio.Event()
        self._sources_changed = asyncio.Event()
        self._situation = Situation(
            operator=operator_credentials(configuration, identity.namespace),
            contents=self._sources.contents,
            labels_of=self._labels.of,
            clock=clock,
            tolerant=configuration.host_match is HostMatch.TOLERANT,
            most_revocation_rules=configuration.revocation.max_rules_per_zone,
        )
        credentials = Credentials(http, self._sources.contents, clock, metrics)
        timing = timing_of(configuration)
        self._resyncs = ResyncSchedule(self._situation, credentials)
        self._tokens = TokenChecks(self._situation, credentials, metrics, self._on_token)
        self._situation.token_states, credentials.on_refused = self._tokens.state, self._tokens.doubt
        self._exposures = ExposureChecks(self._situation, credentials, metrics, self._on_exposure)
        self._situation.zone_looks = self._exposures.look
        authority_writer: ResourceWriter[AuthorityRecord] = ResourceWriter(
            MtlsCertificateAuthority.kind,
            api=api,
            clock=clock,
            metrics=metrics,
            instance=identity.pod,
            parse=authority_record,
            remember=self._remember_authority,
            forget=self._forget_authority,
        )
        binding_writer: ResourceWriter[BindingRecord] = ResourceWriter(
            MtlsHostBinding.kind,
            api=api,
            clock=clock,
            metrics=metrics,
            instance=identity.pod,
            parse=binding_record,
            remember=self._remember_binding,
            forget=self._forget_binding,
        )
        predecessors = predecessors_of(configuration)
        self._rivalries = Rivalries(self._situation, identity.installation, predecessors, timing.window)
        self._zones = ZoneReconciler(
            self._situation,
            binding_writer,
            credentials,
            identity.installation,
            timing,
            self._resyncs,
            self._rivalries,
            metrics,
            self._on_gone,
            self._on_no_zone,
            predecessors,
        )
        self._accounts = AccountReconciler(
            self._situation,
            authority_writer,
            credentials,
            identity.installation.owner,
            self._rivalries,
            timing,
            configuration.cloudflare.certificate_limit,
            metrics,
        )
        self._listing = Listing(
            api,
            (
                ListedKind(
                    MtlsCertificateAuthority.kind,
                    self._situation.authorities,
                    authority_record,
                    self._forget_authority,
                ),
                ListedKind(MtlsHostBinding.kind, self._situation.bindings, binding_record, self._forget_binding),
            ),
            lambda kind, body: self.observe(kind, body, deleted=False),
            clock,
            metrics,
        )
        self._directory = ZoneDirectory(self._situation, binding_writer, credentials, self._queue.add)
        self._checks = OutsideChecks(
            self._situation,
            outside or visitor_of(configuration.verification),
            timing.settle,
            metrics,
            self._on_finding,
        )
        self._situation.found_outside = self._checks.found

    async def run(self) -> None:
        """List everything, then work, until cancelled. A defect ends all only where nothing else could go on: in what
        comes before the work, or in the queue itself (ExceptionGroup)."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kept_up(self._beat, "telling that the loop turns"))
            tasks.create_task(kept_up(self._labels.run, "following the labels of namespaces"))
            tasks.create_task(self._follow_references())
            await self._listing.complete()
            self.listed.set()
            await self._wait_for_sources()
            await self._labels.listed.wait()
            self._health.ready()
            tasks.create_task(kept_up(self._listing.keep_up, "listing all resources"))
            tasks.create_task(kept_up(self._tokens.run, "verifying tokens"))
            tasks.create_task(kept_up(self._exposures.run, "looking at what others have"))
            tasks.create_task(kept_up(self._checks.run, "checking from outside"))
            self._add(self._situation.all_keys())
            await self._queue.run()

    def observe(self, kind: str, body: Mapping[str, Any], *, deleted: bool) -> None:
        """Something was seen of a resource: by a list, a watch, or the answer to a write."""
        known = self._situation.authorities if kind == MtlsCertificateAuthority.kind else self._situation.bindings
        if not deleted and known.has(body):
            # Most of what a watch tells is what we have just written: reading it once more would find nothing.
            return
        if kind == MtlsCertificateAuthority.kind:
            authority = authority_record(body)
            if authority is not None:
                _complain_if_unreadable(kind, authority)
                (self._forget_authority if deleted else self._remember_authority)(authority)
        else:
            binding = binding_record(body)
            if binding is not None:
                _complain_if_unreadable(kind, binding)
                (self._forget_binding if deleted else self._remember_binding)(binding)

    # The cache, and what follows from a change of it

    def _remember_authority(self, record: AuthorityRecord) -> None:
        before = self._situation.authorities.get(record.key)
        if self._situation.authorities.put(record):
            keys = self._situation.keys_of_authority(record)
            if before is not None:
                keys |= self._situation.keys_of_authority(before)
            if _asks_for_a_fresh_look(before, record):
                self._doubt({AccountKey(account_of(record))})
            self._on_references(keys)

    def _forget_authority(self, record: AuthorityRecord) -> None:
        if self._situation.authorities.remove(record):
            self._on_references(self._situation.keys_of_authority(record))

    def _remember_binding(self, record: BindingRecord) -> None:
        before = self._situation.bindings.get(record.key)
        if self._situation.bindings.put(record):
            keys = self._situation.keys_of_binding(record)
            if before is not None:
                keys |= self._situation.keys_of_binding(before)
            if _asks_for_a_fresh_look(before, record):
                self._doubt({key for key in keys if isinstance(key, ZoneKey)})
                self._directory.look_again(record)
            self._checks.look_at(record)
            self._on_references(keys)

    def _forget_binding(self, record: BindingRecord) -> None:
        if self._situation.bindings.remove(record):
            self._situation.reserved.pop(record.key, None)
            self._on_references(self._situation.keys_of_binding(record))

    def _doubt(self, keys: set[Key]) -> None:
        """What was read of these is read again before it is called well."""
        for key in keys:
            if isinstance(key, ZoneKey):
                self._zones.doubt(key.zone_id)
            elif isinstance(key, AccountKey):
                self._accounts.doubt(key.account_id)

    def _on_references(self, keys: set[Key]) -> None:
        self._references_changed.set()
        self._sources_changed.set()
        self._add(keys)

    def _on_source(self, source: SourceKey) -> None:
        self._sources_changed.set()
        self._tokens.look()
        self._checks.look_at_source(source)
        self._add(self._situation.keys_of_source(source))

    def _on_token(self, place: CredentialKey) -> None:
        self._add(self._situation.keys_of_source(place.source))

    def _on_exposure(self, zone_id: str) -> None:
        self._add({ZoneKey(zone_id)})

    def _on_gone(self, certificate: CertificateId) -> None:
        """Its hostnames are closed to good clients until the CA is uploaded again: its account is listed now."""
        found = (each for each in self._situation.authorities if certificate in objects_of(each))
        keys: set[Key] = {AccountKey(account_of(each)) for each in found}
        self._doubt(keys)
        self._add(keys)

    def _on_no_zone(self, zone_id: str) -> None:
        self._rivalries.note_no_zone(zone_id)
        self._directory.doubt(zone_id)

    def _on_finding(self, key: ResourceKey) -> None:
        if record := self._situation.bindings.get(key):
            self._add(self._situation.keys_of_binding(record))

    def _on_namespace(self, namespace: str) -> None:
        self._add(self._situation.keys_of_namespace(namespace))

    def _add(self, keys: set[Key]) -> None:
        for key in sorted(keys, key=str):
            self._queue.add(key)

    # Work

    async def _reconcile(self, key: Key) -> float | None:
        begun = self._clock.now()
        if self._resyncs.take(key):
            self._doubt({key})
            self._metrics.resynced(key.kind)
        match key:
            case AccountKey(account_id):
                done, name = await self._accounts.reconcile(account_id), account_id
            case ZoneKey(zone_id):
                done, name = await self._zones.reconcile(zone_id), zone_id
                self._metrics.looked(key.kind, zone_id, self._zones.looked_at(zone_id))
            case UnzonedKey():
                done, name = await self._directory.reconcile(), ""
            case _:
                assert_never(key)
        success = done.result is Result.SETTLED
        self._metrics.reconciled(key.kind, name, done.result, self._clock.now() - begun, success=success)
        self._resyncs.note(key, busy=done.result is Result.WAITING)
        return min((at for at in (done.again, self._resyncs.again(key)) if at is not None), default=None)

    async def _beat(self) -> None:
        """Shows that the event loop turns, and what the resources say of themselves."""
        while True:
            self._health.beat()
            self._metrics.resources(_ready_states(self._situation.authorities, self._situation.bindings))
            self._metrics.exposed(_exposures(self._situation.bindings))
            await asyncio.sleep(_BEAT_SECONDS)

    async def _follow_references(self) -> None:
        """Watches the Secrets and ConfigMaps that resources refer to, and no others."""
        try:
            await kept_up(self._watch_references, "following what resources refer to")
        finally:
            await self._sources.stop()

    async def _watch_references(self) -> None:
        while True:
            self._sources.watch_only(self._situation.sources())
            await self._references_changed.wait()
            self._references_changed.clear()
            await asyncio.sleep(_COALESCE_SECONDS)

    async def _wait_for_sources(self) -> None:
        """Until all that is referred to has been read, so that a restart finds nothing new to say. What is still being
        asked for may be referred to no more meanwhile."""
        self._references_changed.set()
        while self._situation.sources() - self._sources.contents.keys():
            self._sources_changed.clear()
            await self._sources_changed.wait()


def _complain_if_unreadable(kind: str, record: Listed) -> None:
    if not record.status_is_readable:
        _LOG.error(
            "the status of a resource cannot be read, so nothing is done for it: restore it, or delete the resource"
            " with the annotation apishield-mtls.io/force-orphan=true",
            extra={"kind": kind, "resource": str(record.key)},
        )


def _asks_for_a_fresh_look(before: Listed | None, record: Listed) -> bool:
    """Once per request, however often the resource is seen until the look has been taken."""
    requested = record.metadata.reconcile_requested_at
    is_news = before is None or before.metadata.reconcile_requested_at != requested
    return is_news and requested not in {None, record.status.last_handled_reconcile_at}


def _ready_states(
    authorities: ResourceCache[AuthorityRecord], bindings: ResourceCache[BindingRecord]
) -> list[tuple[str, str]]:
    return [
        *((MtlsCertificateAuthority.kind, _ready(record)) for record in authorities),
        *((MtlsHostBinding.kind, _ready(record)) for record in bindings),
    ]


def _exposures(bindings: ResourceCache[BindingRecord]) -> list[str]:
    enforced = (find(record.status.conditions, ConditionType.ENFORCED) for record in bindings)
    return [each.reason for each in enforced if each is not None and each.reason in EXPOSURES]


def _ready(record: Listed) -> str:
    found = find(record.status.conditions, ConditionType.READY)
    return found.status if found else "Unknown"
