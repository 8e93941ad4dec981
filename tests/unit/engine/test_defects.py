"""What a defect ends and what goes on, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.cloudflare import open_http
from mtls_operator.domain.records import BindingRecord
from mtls_operator.domain.sources import CredentialKey
from mtls_operator.engine.credentials import Credentials
from mtls_operator.engine.defects import is_done, kept_up
from mtls_operator.engine.exposure_checks import ExposureChecks
from mtls_operator.engine.outside_checks import OutsideChecks
from mtls_operator.engine.situation import Situation
from mtls_operator.engine.token_checks import TokenChecks
from mtls_operator.observability.metrics import Metrics
from mtls_operator.outside.visits import Papers, Report
from testbed.cluster import VirtualClock
from tests.unit.domain.binding_records import CERTIFICATE, authority, binding
from tests.unit.engine.situations import OF_THE_TEAM, OPERATORS_OWN, situation_of
from tests.virtual_time import in_virtual_time

HOST = "api.example.com"
ANSWERS: dict[str, object] = {
    "verify": {"id": "t", "status": "active"},
    "hostname_associations": {"hostnames": []},
}
ONE, TWO = "1" * 32, "2" * 32


class Defective:
    """Fails so often, then works until cancelled."""

    def __init__(self, failures: int) -> None:
        self.begun: list[float] = []
        self.cancelled = 0
        self._failures = failures

    async def __call__(self) -> None:
        self.begun.append(asyncio.get_running_loop().time())
        if len(self.begun) <= self._failures:
            raise RuntimeError("a defect")
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def during(seconds: float, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Let it work for so long, and cancel it."""
    task = asyncio.create_task(work)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])
    return task


@in_virtual_time
async def test_a_loop_that_fails_is_loud_and_begun_again_after_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    loop = Defective(2)

    task = await during(100, kept_up(loop, "looking around"))

    begun = [at - loop.begun[0] for at in loop.begun]
    assert (begun, task.cancelled()) == ([0.0, 30.0, 60.0], True)
    assert [record.message for record in caplog.records] == ["looking around failed in an unforeseen way"] * 2
    assert all(record.exc_info for record in caplog.records)


@in_virtual_time
async def test_who_is_cancelled_ends_when_what_he_does_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    work = Defective(0)

    task = await during(10, kept_up(work, "looking around"))

    assert (task.cancelled(), work.cancelled, caplog.records) == (True, 1, [])


@in_virtual_time
async def test_a_piece_of_work_that_is_cancelled_from_within_was_no_defect() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await is_done(give_up(), "giving up")


class Complaints:
    """Hears news, and cannot bear the first."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def __call__(self, about: object) -> None:
        self.heard.append(about)
        if len(self.heard) == 1:
            raise RuntimeError("a defect")


def with_a_calm_cloudflare(situation: Situation) -> Credentials:
    """Every token is active, and nobody has anything in a zone."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = ANSWERS.get(request.url.path.rsplit("/", 1)[1], [])
        return httpx.Response(200, json={"success": True, "errors": [], "messages": [], "result": found})

    http = open_http(transport=httpx.MockTransport(answer))
    return Credentials(http, situation.contents, situation.clock, Metrics())


def failing(times: int) -> Callable[[str], dict[str, str]]:
    """The labels of namespaces, which so often cannot be told."""
    left = [times]

    def labels_of(_namespace: str) -> dict[str, str]:
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError("a defect")
        return {}

    return labels_of


def in_force(name: str, zone_id: str) -> BindingRecord:
    """A binding with a hostname in force in a zone."""
    told = {"zoneId": zone_id, "zoneName": "example.com", "hostnames": [{"name": HOST, "state": "Enforced"}]}
    return binding(name, HOST, status=HostBindingStatus.model_validate(told), managed={CERTIFICATE: [HOST]})


def two_tokens() -> Situation:
    """A CA and a binding with a token of their own, and a CA with that of the operator."""
    authorities = [authority("ca", spec={"credentialsRef": {"name": "own", "key": "token"}}), authority("other")]
    return situation_of(VirtualClock(), authorities, [in_force("one", ONE), in_force("two", TWO)])


@in_virtual_time
async def test_a_defect_with_one_token_keeps_no_other_from_being_verified() -> None:
    situation, complaints = two_tokens(), Complaints()
    checks = TokenChecks(situation, with_a_calm_cloudflare(situation), Metrics(), complaints)

    task = await during(400, checks.run())

    assert (task.cancelled(), complaints.heard) == (True, [OF_THE_TEAM, OPERATORS_OWN])


@in_virtual_time
async def test_tokens_are_looked_for_again_after_a_defect() -> None:
    news: list[CredentialKey] = []
    situation = two_tokens()
    situation.labels_of = failing(1)
    checks = TokenChecks(situation, with_a_calm_cloudflare(situation), Metrics(), news.append)

    task = await during(700, checks.run())

    assert (task.cancelled(), news) == (True, [OF_THE_TEAM, OPERATORS_OWN])


@in_virtual_time
async def test_a_defect_with_one_zone_keeps_no_other_from_being_looked_at() -> None:
    situation, complaints = two_tokens(), Complaints()
    checks = ExposureChecks(situation, with_a_calm_cloudflare(situation), Metrics(), complaints)

    task = await during(2_000, checks.run())

    assert (task.cancelled(), sorted(map(str, complaints.heard))) == (True, [ONE, TWO])


@in_virtual_time
async def test_zones_are_looked_for_again_after_defects() -> None:
    news: list[str] = []
    situation = two_tokens()
    situation.labels_of = failing(2)
    checks = ExposureChecks(situation, with_a_calm_cloudflare(situation), Metrics(), news.append)

    task = await during(2_000, checks.run())

    assert (task.cancelled(), sorted(news)) == (True, [ONE, TWO])


class Silent:
    """Is asked, and never answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def visit(self, hostnames: Sequence[str], path: str, papers: Papers) -> Report:
        """See `Outside`."""
        self.asked.append((hostnames, path, papers))
        await asyncio.sleep(7 * 86_400)
        return Report(())


class Perplexing(dict[Any, Any]):
    """Secrets of which at one moment nobody can say whether they are there."""

    def __init__(self, contents: dict[Any, Any], question: int) -> None:
        super().__init__(contents)
        self._left = question

    def __contains__(self, key: object) -> bool:
        self._left -= 1
        if self._left == 0:
            raise RuntimeError("a defect")
        return super().__contains__(key)


def checked(name: str) -> BindingRecord:
    """A binding that is to be checked with a client of its own."""
    told = {
        "observedGeneration": 3,
        "hostnames": [{"name": HOST, "state": "Enforced"}],
    }
    wish = {"verification": {"interval": "5m", "clientCertificateRef": {"name": "own"}}}
    return binding(name, HOST, spec=wish, status=HostBindingStatus.model_validate(told), managed={CERTIFICATE: [HOST]})


@in_virtual_time
async def test_a_check_from_outside_that_a_defect_of_the_loop_has_ended_is_made_again() -> None:
    one, client = checked("one"), OF_THE_TEAM.source
    situation, outside = situation_of(VirtualClock(), [authority("ca")], [one]), Silent()
    situation.contents = Perplexing({client: {"tls.crt": b"", "tls.key": b""}}, question=3)
    checks = OutsideChecks(situation, outside, 60.0, Metrics(), lambda _: None)
    work = asyncio.create_task(kept_up(checks.run, "checking from outside"))

    await asyncio.sleep(100)
    at_first = len(outside.asked)
    checks.look_at_source(client)
    await during(100, asyncio.wait_for(work, None))

    assert (at_first, len(outside.asked)) == (1, 2)
