"""Secrets that hold what no parser expects, in virtual time: whose they are hears of it, and nobody else."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import pytest

from testbed.cluster.virtual_time import EPOCH
from tests.certificates import Ca, make_ca, make_crl, of_version
from tests.contract.cluster.engine_world import World
from tests.contract.cluster.world import CA
from tests.virtual_time import in_virtual_time, until

REVOKING: dict[str, Any] = {"revocation": {"secretRef": {"name": "strange", "key": "crl"}}}


@functools.cache
def partners() -> Ca:
    return make_ca("partners", now=datetime.fromtimestamp(EPOCH, UTC))


@pytest.mark.parametrize(("key", "reason"), [("ca.crt", "InvalidCertificate"), ("crl", "RevocationListInvalid")])
@in_virtual_time
async def test_a_source_of_a_version_that_nobody_knows_is_said_by_its_ca_and_holds_up_nobody(
    key: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, own = World.begin(), partners()
    made = own.certificate if key == "ca.crt" else make_crl(own, [1], now=datetime.fromtimestamp(EPOCH, UTC))
    async with world.running() as process:
        world.apply_authority("strange", **REVOKING)
        world.cluster.users.put_secret(
            "shop", "strange", {"ca.crt": own.pem, key: of_version(made, 2 + (key == "crl")).decode()}
        )
        world.apply_both()
        await until(world.all_ready)
        told = world.condition(CA, "strange", "SourceResolved")
        await until(lambda: any(each.path.endswith("/tokens/verify") for each in world.cloudflare.log))

    assert (told, process.failure()) == (("False", reason), None)
    assert "unforeseen" not in caplog.text
