"""A client whose certificate the CA has revoked gets in at no instant at which its binding is Ready."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from testbed.chaos.loop import run
from testbed.cloudflare.edge.settings import EdgeSettings, Serials
from tests.contract.edge.clients import Identity
from tests.contract.enforcement.people import FIRST, GOOD, GOOD_SECOND, HIGH_SERIAL, ODD_SERIAL, SECOND
from tests.contract.enforcement.stage import NAMESPACE, Fate, Stage

API: Final = "api.example.com"
LIST: Final[dict[str, Any]] = {"revocation": {"secretRef": {"name": "crl", "key": "crl.pem"}}}
LATE: Final = EdgeSettings(lists_delay=85.0, rules_delay=60.0)
PROMPT: Final = EdgeSettings()
EDGES: Final = {
    "prompt": PROMPT,
    **{f"late, serials as {each.value}": replace(LATE, serials=each) for each in Serials},
}
edges = pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES.keys())
revoked = pytest.mark.parametrize("client", [GOOD, ODD_SERIAL, HIGH_SERIAL], ids=["any", "zeros", "high bit"])


@edges
@revoked
def test_what_is_revoked_at_set_up_never_gets_in(edge: EdgeSettings, client: Identity) -> None:
    async def play() -> None:
        stage = Stage.begin(edge)
        stage.revoke(FIRST, client)
        stage.authority("partners", FIRST, **LIST)
        stage.binding("api", API)
        stage.expect(API, {"the revoked one": (client, Fate.NEVER), "nobody": (None, Fate.NEVER)})
        await stage.ready()
        stage.finish()

    run(play())


@edges
@revoked
def test_what_is_revoked_later_is_kept_out_and_nobody_else(edge: EdgeSettings, client: Identity) -> None:
    async def play() -> None:
        stage = Stage.begin(edge)
        stage.revoke(FIRST)
        stage.authority("partners", FIRST, **LIST)
        stage.binding("api", API)
        others = [each for each in (GOOD, ODD_SERIAL, HIGH_SERIAL) if each is not client]
        stage.expect(API, {f"good client {n}": (each, Fate.ALWAYS) for n, each in enumerate(others)})
        stage.expect(API, {"the revoked one": (client, Fate.LOSES), "nobody": (None, Fate.NEVER)})
        await stage.ready()
        stage.changes()
        stage.revoke(FIRST, client, number=2)
        await stage.ready()
        stage.finish()

    run(play())


@edges
def test_what_a_new_list_does_not_name_any_more_gets_in_again(edge: EdgeSettings) -> None:
    async def play() -> None:
        stage = Stage.begin(edge)
        stage.revoke(FIRST, GOOD, ODD_SERIAL)
        stage.authority("partners", FIRST, **LIST)
        stage.binding("api", API)
        stage.expect(API, {"taken back": (GOOD, Fate.GAINS), "still revoked": (ODD_SERIAL, Fate.NEVER)})
        await stage.ready()
        stage.changes()
        stage.revoke(FIRST, ODD_SERIAL, number=2)
        await stage.ready()
        stage.finish()

    run(play())


@edges
def test_a_list_that_cannot_be_read_changes_nothing(edge: EdgeSettings) -> None:
    async def play() -> None:
        stage = Stage.begin(edge)
        stage.revoke(FIRST, ODD_SERIAL)
        stage.authority("partners", FIRST, **LIST)
        stage.binding("api", API)
        stage.expect(API, {"the revoked one": (ODD_SERIAL, Fate.NEVER), "a good client": (GOOD, Fate.ALWAYS)})
        await stage.ready()
        stage.changes()
        stage.site().cluster.users.put_secret(NAMESPACE, "crl", {"crl.pem": "nothing that could be read"})
        await stage.passing(2000)
        stage.finish()

    run(play())


@edges
def test_a_revoked_client_of_the_old_root_does_not_get_in_during_a_rotation(edge: EdgeSettings) -> None:
    async def play() -> None:
        stage = Stage.begin(edge)
        stage.revoke(FIRST, ODD_SERIAL)
        stage.authority("partners", FIRST, **LIST)
        stage.binding("api", API)
        stage.expect(API, {"the revoked one": (ODD_SERIAL, Fate.NEVER), "of the old root": (GOOD, Fate.LINGERS)})
        stage.expect(API, {"of the new root": (GOOD_SECOND, Fate.GAINS)})
        await stage.ready()
        stage.changes()
        stage.authority("partners", SECOND, **LIST)
        await stage.ready()
        stage.finish()

    run(play())
