"""A cluster as one operator process sees it: late, unreliable and behind its back changing; and mortal.

Requests take time on the way there and back, and faults hit them. `explained` of the operator turns what then comes
back into its own errors, as it does for the real API server, so the two cannot differ in that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

from mtls_operator.cluster.cluster_api import ClusterApi, Listed
from mtls_operator.cluster.errors import explained
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.sources import SourceData, SourceKey
from testbed.cluster.audiences import LabelAudience, Observe, ResourceAudience, SourceAudience
from testbed.cluster.events import check_event
from testbed.cluster.faults import AnswerLost, Away, Effect, Faults, Refused, Slow
from testbed.cluster.json_patch import patched
from testbed.cluster.objects import EVENT, NAMESPACE, OUR_KINDS, Body, ObjectKey, copied
from testbed.cluster.refusal import RefusalError
from testbed.cluster.requests import Journal, Request
from testbed.cluster.store import Store
from testbed.cluster.watching import Audience, Range, Selection, Watch, WatchHabits

T = TypeVar("T")


class SimulatedClient(ClusterApi):
    """`latency` and `habits` can be changed at any time; `faults` says what goes wrong. `latency` is in seconds, for
    each way. What is read is a copy; what a write or a watch gives back is the stored object, and nobody changes it."""

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        journal: Journal,
        rng: random.Random,
        latency: Range,
        habits: WatchHabits,
    ) -> None:
        self.name = name
        self.latency = latency
        self.habits = habits
        self.faults = Faults(random.Random(rng.getrandbits(64)))
        self.alive = True
        self._store = store
        self._journal = journal
        self._rng = rng
        self._watches: list[Watch] = []
        self._away_until = 0.0

    # What a driver does to the process

    def kill(self) -> None:
        """`kill -9`: from this moment on, nothing that the process would do reaches the cluster, and it hears nothing.

        Called from a hook before a request, the request has no effect; from a hook after it, it has had its effect.
        What waits for an answer ends as if cancelled. The process' own tasks are the driver's to cancel.
        """
        self.alive = False

    def cut_off(self, seconds: float, *, gap: bool = False) -> None:
        """The API server is out of reach for so long. `gap`: watches cannot be resumed then and list again."""
        self._away_until = asyncio.get_running_loop().time() + seconds
        for watch in self._watches:
            watch.interrupt(seconds, gap=gap)

    def calm(self) -> None:
        """From now on nothing goes wrong. What went wrong already takes its course."""
        self.faults.clear()
        self.habits = WatchHabits()

    async def watch(self, observe: Observe) -> None:
        """kopf's part: tells `observe(kind, body, deleted=...)` of every object of our kinds, first those that are
        there. Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in OUR_KINDS:
                tasks.create_task(self._watch(Selection(kind), ResourceAudience(kind, observe)))

    # ClusterApi

    async def cluster_uid(self) -> str:
        body = await self._get(ObjectKey(NAMESPACE, "", "kube-system"))
        return str(body["metadata"]["uid"])

    async def list_all(self, kind: str) -> Listed:
        request = Request(self.name, "list", ObjectKey(kind, "", ""))
        return await self._call(
            request, lambda: Listed([copied(each) for each in self._store.find(kind)], self._store.version)
        )

    async def get(self, kind: str, key: ResourceKey) -> Mapping[str, Any]:
        return await self._get(_place(kind, key))

    async def replace_status(
        self, kind: str, key: ResourceKey, resource_version: str, status: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        place = _place(kind, key)
        patch: list[Mapping[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        request = Request(self.name, "write status of", place)
        return await self._call(request, lambda: self._store.update_status(place, lambda body: patched(body, patch)))

    async def replace_finalizers(
        self, kind: str, key: ResourceKey, resource_version: str, finalizers: Sequence[str]
    ) -> Mapping[str, Any]:
        place = _place(kind, key)
        patch: list[Mapping[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)},
        ]
        request = Request(self.name, "write finalizers of", place, f"[{', '.join(finalizers)}]")
        return await self._call(request, lambda: self._store.update(place, lambda body: patched(body, patch)))

    async def post_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        regarding = event.get("regarding", {})
        about = f"{event.get('reason')} of {regarding.get('kind')} {regarding.get('name')}"
        request = Request(self.name, "post", ObjectKey(EVENT, namespace, ""), about)
        await self._call(request, lambda: self._create_event(namespace, event))

    async def follow_source(self, source: SourceKey, on_data: Callable[[SourceData], None]) -> None:
        kind = source.kind.value
        await self._watch(Selection(kind, source.namespace, source.name), SourceAudience(kind, on_data))

    async def follow_namespaces(self, on_labels: Callable[[str, Mapping[str, str] | None], None]) -> None:
        await self._watch(Selection(NAMESPACE), LabelAudience(on_labels))

    # How a request fares

    async def _get(self, place: ObjectKey) -> Body:
        return await self._call(Request(self.name, "get", place), lambda: copied(self._store.get(place)))

    async def _call(self, request: Request, act: Callable[[], T]) -> T:
        with explained(str(request)):
            effect = self._effect_on(request)
            await self._travel(effect.seconds if isinstance(effect, Slow) else 0.0)
            index = self._journal.begin(request)
            self._check_alive()
            try:
                answer = _served(effect, act)
            except (ApiException, aiohttp.ClientError) as error:
                self._journal.end(index, request, _outcome(error))
                await self._travel(effect.after if isinstance(effect, Away | AnswerLost) else 0.0)
                raise
            self._journal.end(index, request, "ok")
            await self._travel(0.0)
            return answer

    def _effect_on(self, request: Request) -> Effect | None:
        if asyncio.get_running_loop().time() < self._away_until:
            return Away()
        return self.faults.take(request)

    async def _travel(self, longer: float) -> None:
        self._check_alive()
        await asyncio.sleep(longer + self._rng.uniform(*self.latency))
        self._check_alive()

    def _check_alive(self) -> None:
        if not self.alive:
            raise asyncio.CancelledError(f"the process {self.name} has been killed")

    async def _watch(self, selection: Selection, audience: Audience) -> None:
        place = ObjectKey(selection.kind, selection.namespace or "", selection.name or "")
        watch = Watch(
            selection,
            audience,
            store=self._store,
            ask=lambda act: self._call(Request(self.name, "watch", place), act),
            check=self._check_alive,
            habits=lambda: self.habits,
            rng=random.Random(self._rng.getrandbits(64)),
        )
        self._watches.append(watch)
        try:
            await watch.run()
        finally:
            self._watches.remove(watch)

    def _create_event(self, namespace: str, event: Mapping[str, Any]) -> None:
        check_event(namespace, event)
        self._store.create({"kind": EVENT, **event})


def _served(effect: Effect | None, act: Callable[[], T]) -> T:
    """What the API server makes of a request. Raises ApiException for a refusal, ClientError for no answer."""
    if isinstance(effect, Away):
        raise aiohttp.ClientConnectionError("did not arrive")
    if isinstance(effect, Refused):
        raise ApiException(status=effect.status, reason="on order")
    try:
        answer = act()
    except RefusalError as refusal:
        if not isinstance(effect, AnswerLost):
            raise ApiException(status=refusal.status, reason=refusal.message) from None
    if isinstance(effect, AnswerLost):
        raise aiohttp.ClientConnectionError("answer lost")
    return answer


def _outcome(error: Exception) -> str:
    return str(error.status) if isinstance(error, ApiException) else str(error)


def _place(kind: str, key: ResourceKey) -> ObjectKey:
    return ObjectKey(kind, key.namespace, key.name)
