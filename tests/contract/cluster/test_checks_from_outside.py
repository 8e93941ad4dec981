"""Bindings that are checked from outside, in virtual time: when, by whom, and what is said of it."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mtls_operator.domain.verification import Answer, Answered, NotContacted, Unanswered
from mtls_operator.outside.identities import Imitated
from testbed.chaos.operator_process import OperatorProcess, running_operator
from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, EdgeSettings
from testbed.cloudflare.settings import Settings
from testbed.cluster.virtual_time import EPOCH
from tests.certificates import Ca, make_ca
from tests.contract.cluster.engine_world import CONFIGURATION, HOST, WINDOW, World
from tests.contract.cluster.outside_visitor import EdgeVisitor
from tests.contract.cluster.world import BINDING
from tests.virtual_time import in_virtual_time, until

INTERVAL = 300.0
CHECKED: dict[str, Any] = {"verification": {"interval": "5m"}}
WITH_CLIENT: dict[str, Any] = {"verification": {"interval": "5m", "clientCertificateRef": {"name": "client"}}}
VERIFIED, PENDING, OFF = ("True", "Verified"), ("Unknown", "VerificationPending"), ("Unknown", "VerificationOff")


@functools.cache
def authority(name: str) -> Ca:
    """A CA that is the same for the whole run."""
    return make_ca(name, now=datetime.fromtimestamp(EPOCH, UTC))


def make_leaf_of(name: str) -> Ca:
    """A client certificate of it."""
    return make_ca("client", issuer=authority(name), is_ca=False, days=90, now=datetime.fromtimestamp(EPOCH, UTC))


@dataclass
class Stage:
    """A world with an edge, and who asks it."""

    world: World
    visitor: EdgeVisitor

    @classmethod
    def begin(cls, edge: EdgeSettings | None = None) -> Stage:
        world = World.begin(settings=replace(Settings(), edge=edge or EdgeSettings(host=NORMALISED)))
        world.apply_authority("partners")
        world.cluster.users.put_secret("shop", "partners", {"ca.crt": authority("partners").pem})
        return cls(world, EdgeVisitor(Edge(world.cloudflare)))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[OperatorProcess]:
        world = self.world
        async with running_operator(
            CONFIGURATION, world.cluster, world.cloudflare, world.clock, self.visitor
        ) as process:
            yield process

    def verified(self, name: str = "api") -> tuple[str, str]:
        return self.world.condition(BINDING, name, "Verified")

    def ready(self, name: str = "api") -> tuple[str, str]:
        return self.world.condition(BINDING, name)

    def client(self, ca: str) -> None:
        """The Secret of the good client holds a certificate of this CA from now on."""
        leaf = make_leaf_of(ca)
        self.world.cluster.users.put_secret("shop", "client", {"tls.crt": leaf.pem, "tls.key": leaf.key_pem})

    def says(self) -> str:
        return self.world.message(BINDING, "api", "Verified")

    def warnings(self, reason: str) -> list[str]:
        return [each.what for each in self.world.cluster.log if each.what.startswith("post ") and reason in each.what]


@in_virtual_time
async def test_a_binding_is_verified_some_time_after_a_rule_covers_it_and_again_in_each_interval() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.ready()[0] == "True")
        at_first = stage.verified(), list(stage.visitor.visits)
        await until(lambda: stage.verified() == VERIFIED)
        begun = len(stage.world.cluster.log)
        await asyncio.sleep(10 * INTERVAL)

    assert at_first == (PENDING, [])
    assert 9 <= len(stage.visitor.visits) <= 12
    assert set(stage.visitor.visits) == {(HOST,)}
    assert stage.world.written(begun) == []
    assert stage.ready() == ("True", "Reconciled")


@in_virtual_time
async def test_a_binding_without_the_wish_is_never_asked_for() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST)
    async with stage.running():
        await until(lambda: stage.ready()[0] == "True")
        await asyncio.sleep(4 * INTERVAL)

    assert (stage.verified(), stage.visitor.visits) == (OFF, [])


@in_virtual_time
async def test_a_bad_client_that_gets_through_twice_is_the_loudest_that_can_be_said_until_it_is_blocked_again() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        stage.visitor.instead = Answered(200)
        await until(lambda: stage.verified()[0] == "False")
        told = stage.verified(), stage.ready(), stage.world.condition(BINDING, "api", "Stalled")
        words = stage.says()
        stage.visitor.instead = None
        await until(lambda: stage.verified() == VERIFIED)

    assert told == (("False", "BadClientAdmitted"), ("False", "BadClientAdmitted"), ("True", "BadClientAdmitted"))
    assert f"a client without a certificate, at {HOST} (HTTP 200)" in words
    assert len(stage.warnings("BadClientAdmitted")) == 1
    assert stage.ready() == ("True", "Reconciled")


@in_virtual_time
async def test_what_is_seen_once_is_not_said() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        begun, visits = len(stage.world.cluster.log), len(stage.visitor.visits)
        stage.visitor.instead = Answered(200)
        await until(lambda: len(stage.visitor.visits) > visits)
        await asyncio.sleep(2)
        stage.visitor.instead = None
        await asyncio.sleep(2 * INTERVAL)

    assert stage.world.written(begun) == []


@in_virtual_time
async def test_a_form_of_the_name_that_the_rule_does_not_match_is_found() -> None:
    stage = Stage.begin(EdgeSettings(host=AS_SENT))
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == ("False", "HostVariantOpen"))

    assert "hostMatch" in stage.says()
    assert stage.ready() == ("False", "HostVariantOpen")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Unanswered("no answer within 5 s"), "TargetUnreachable"),
        (NotContacted("10.0.0.1", "private"), "VerificationRefused"),
    ],
)
@in_virtual_time
async def test_what_cannot_be_told_is_warned_of_and_leaves_the_binding_ready(answer: Answer, reason: str) -> None:
    stage = Stage.begin()
    stage.visitor.instead = answer
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == ("Unknown", reason))
        begun = len(stage.world.cluster.log)
        await asyncio.sleep(4 * INTERVAL)

    assert stage.ready() == ("True", "Reconciled")
    assert stage.warnings(reason)
    assert stage.world.written(begun) == []


@in_virtual_time
async def test_a_good_client_is_let_through_and_one_of_another_ca_is_refused_which_does_not_unsettle_ready() -> None:
    stage = Stage.begin()
    stage.client("partners")
    stage.world.apply_binding("api", HOST, **WITH_CLIENT)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        at_first = stage.says()
        stage.client("strangers")
        await until(lambda: stage.verified() == ("False", "GoodClientRefused"))

    assert "the good one was let through" in at_first
    assert stage.ready() == ("True", "Reconciled")
    assert stage.warnings("GoodClientRefused")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "Secret shop/client does not exist"),
        ({"tls.crt": "x"}, "Secret shop/client lacks tls.key"),
        ({}, "Secret shop/client lacks tls.crt and tls.key"),
    ],
)
@in_virtual_time
async def test_a_client_certificate_that_is_missing_is_said_and_only_that_client_is_left_out(
    data: dict[str, str] | None, words: str
) -> None:
    stage = Stage.begin()
    if data is not None:
        stage.world.cluster.users.put_secret("shop", "client", data)
    stage.world.apply_binding("api", HOST, **WITH_CLIENT)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)

    assert words in stage.says()


@in_virtual_time
async def test_a_client_certificate_that_appears_is_used_within_seconds() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **WITH_CLIENT)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        stage.client("partners")
        await asyncio.sleep(10)

    assert "the good one was let through" in stage.says()


@in_virtual_time
async def test_a_stranger_imitates_the_ca_of_the_binding() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)

    ca = authority("partners")
    assert stage.visitor.papers[-1].imitated == Imitated(ca.certificate.subject.rfc4514_string(), ca.key_identifier)


@pytest.mark.parametrize("action", ["Log", "None"])
@in_virtual_time
async def test_where_bad_clients_get_through_by_choice_none_is_sent(action: str) -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED, enforcement={"action": action})
    async with stage.running():
        await until(lambda: stage.ready()[0] == "True")
        await asyncio.sleep(4 * INTERVAL)

    assert (stage.verified(), stage.visitor.visits) == (OFF, [])


@in_virtual_time
async def test_hostnames_that_are_not_covered_yet_are_not_asked_for() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        stage.world.apply_binding("api", HOST, "www.example.com", **CHECKED)
        await asyncio.sleep(WINDOW)
        early = set(stage.visitor.visits)
        await until(lambda: (HOST, "www.example.com") in stage.visitor.visits)
        await asyncio.sleep(INTERVAL)

    assert early == {(HOST,)}
    assert stage.verified() == VERIFIED


@in_virtual_time
async def test_a_hostname_that_is_given_up_while_it_is_asked_for_is_no_finding(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "mtls_operator.engine.outside_checks")
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, "www.example.com", **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        stage.visitor.seconds = 3 * WINDOW
        visits = len(stage.visitor.visits)
        await until(lambda: len(stage.visitor.visits) > visits)
        stage.world.apply_binding("api", HOST, **CHECKED)
        await asyncio.sleep(10 * INTERVAL)

    assert {vars(each)["result"] for each in caplog.records} == {"Verified"}
    assert stage.verified() == VERIFIED


@in_virtual_time
async def test_a_new_process_takes_nothing_back_and_says_nothing_again() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        stage.visitor.instead = Answered(200)
        await until(lambda: stage.verified()[0] == "False")
    begun = len(stage.world.cluster.log)
    async with stage.running():
        await asyncio.sleep(4 * INTERVAL)

    assert stage.world.written(begun) == []


@in_virtual_time
async def test_a_fresh_look_that_is_asked_for_is_a_check_too() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, verification={"interval": "24h"})
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        visits = len(stage.visitor.visits)
        stage.world.cluster.users.annotate(BINDING, "shop", "api", {"apishield-mtls.io/reconcile-requested-at": "now"})
        await asyncio.sleep(10)

    assert len(stage.visitor.visits) == visits + 1


@in_virtual_time
async def test_checks_that_take_long_hold_up_nothing_and_only_some_go_on_at_once() -> None:
    stage = Stage.begin()
    for number in range(8):
        stage.world.apply_binding(f"b{number}", f"h{number}.example.com", **CHECKED)
    stage.visitor.seconds = 2 * 3600.0
    async with stage.running():
        await until(lambda: stage.visitor.most_at_once == 4)
        stage.world.apply_binding("later", "later.example.com", **CHECKED)
        begun = stage.world.clock.now()
        await until(lambda: stage.ready("later")[0] == "True")
        took = stage.world.clock.now() - begun

    assert took < 4 * WINDOW
    assert stage.visitor.most_at_once == 4


@in_virtual_time
async def test_a_deleted_binding_is_not_asked_for_any_more() -> None:
    stage = Stage.begin()
    stage.world.apply_binding("api", HOST, **CHECKED)
    async with stage.running():
        await until(lambda: stage.verified() == VERIFIED)
        stage.world.cluster.users.delete(BINDING, "shop", "api")
        visits = len(stage.visitor.visits)
        await until(lambda: stage.world.cluster.users.read(BINDING, "shop", "api") is None)
        await asyncio.sleep(4 * INTERVAL)

    assert len(stage.visitor.visits) - visits <= 1
    assert stage.warnings("BadClientAdmitted") == []


@in_virtual_time
async def test_a_defect_in_one_check_keeps_no_other_binding_from_being_checked() -> None:
    stage = Stage.begin()
    stage.visitor.cannot_bear = "www.example.com"
    async with stage.running() as process:
        stage.world.apply_binding("second", "www.example.com", **CHECKED)
        stage.world.apply_binding("api", HOST, **CHECKED)
        await until(lambda: stage.verified() == VERIFIED and ("www.example.com",) in stage.visitor.visits)
        begun = len(stage.visitor.visits)
        await asyncio.sleep(INTERVAL)
        again = stage.visitor.visits[begun:]

    assert (stage.verified("second"), process.failure()) == (PENDING, None)
    assert 8 <= again.count(("www.example.com",)) <= 10
