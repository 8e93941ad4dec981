"""Before a certificate is deleted Cloudflare is asked who uses it; that it does not say is not believed at once."""

from __future__ import annotations

import pytest

from mtls_operator.cloudflare import PermissionDenied, Rejected
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_steps import DeleteCertificate
from mtls_operator.domain.records import ResourceKey
from mtls_operator.engine.account_calls import AccountCalls
from mtls_operator.engine.clock import Clock
from testbed.cloudflare.faults import AnswerStatus, Fault, Match
from tests.contract.cloudflare_client.simulated import ACCOUNT, HOST, ZONE, World


class StandingClock(Clock):
    """Stands still until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


@pytest.mark.parametrize(("status", "expected"), [(403, PermissionDenied), (409, Rejected)])
async def test_an_answer_between_two_refusals_makes_the_second_one_count_anew(
    status: int, expected: type[Exception]
) -> None:
    world, clock = World(), StandingClock()
    used = await world.uploaded()
    await world.client.put_hostnames(ZONE, used.id, {HOST})
    calls = AccountCalls(world.client, ACCOUNT, "token", clock)
    step, known, errors = DeleteCertificate(ResourceKey("shop", "ca"), used.id), AccountKnowledge(0.0), []

    for clock.seconds, is_denied in ((0.0, True), (10.0, False), (1000.0, True)):
        if is_denied:
            world.cloudflare.faults.add(Fault(AnswerStatus(status), Match(path="/associations$"), times=1))
        known, error = await calls.perform(step, known)
        errors.append(type(error))

    assert errors == [expected, type(None), expected]
    assert [each.method for each in world.cloudflare.log].count("DELETE") == 0
