"""What the simulation remembers and whom it tells."""

from __future__ import annotations

import contextlib

import httpx

from testbed.cloudflare.faults import Call, Cut, Fault, Match, Moment
from testbed.cloudflare.journal import LogEntry
from tests.contract.cloudflare_simulation.world import ACCOUNT, TOKEN, ZONE, World, ca, make_world


def test_every_request_is_logged_with_its_answer(world: World) -> None:
    world.raw().get("/zones?name=example.com")

    (entry,) = world.simulation.log
    assert (entry.index, entry.time, entry.method, entry.path) == (0, world.clock(), "GET", "/client/v4/zones")
    assert (entry.query, entry.status, entry.token_label) == ((("name", "example.com"),), 200, "everything")
    assert ZONE in entry.answer_body


def test_the_body_of_a_request_is_logged(world: World) -> None:
    root = ca()

    world.upload(root, "mine")

    assert "mine" in world.simulation.log[0].request_body
    assert root.pem.splitlines()[1] in world.simulation.log[0].request_body


def test_the_token_is_never_logged(world: World) -> None:
    world.upload(ca())
    world.raw("unknown-" + "9" * 32).get("/zones")

    assert TOKEN not in repr(world.simulation.log)
    assert "9" * 32 not in repr(world.simulation.log)
    assert TOKEN not in repr(world.simulation.state)


def test_a_request_that_never_arrived_is_logged_without_a_status(world: World) -> None:
    world.simulation.faults.add(Fault(Cut(Moment.BEFORE)))

    with contextlib.suppress(httpx.ReadError):
        world.raw().get("/zones")

    (entry,) = world.simulation.log
    assert (entry.status, entry.delivered, entry.answer_body) == (None, False, "")
    assert entry.line() == "   0 everything GET /client/v4/zones -> cut (answer lost)"


def test_an_entry_reads_as_one_line(world: World) -> None:
    world.raw().get("/zones?name=example.com")

    assert world.simulation.log[0].line() == "   0 everything GET /client/v4/zones?name=example.com -> 200"


def test_hooks_are_called_around_each_request_with_its_index(world: World) -> None:
    calls: list[tuple[str, int, str, int]] = []

    def uploads() -> int:
        return len(world.simulation.state.certificates[ACCOUNT])

    world.simulation.before_request.append(lambda index, request: calls.append(("<", index, request.method, uploads())))
    world.simulation.after_request.append(lambda index, request: calls.append((">", index, request.method, uploads())))

    world.raw().get("/zones")
    world.upload(ca())

    assert calls == [("<", 0, "GET", 0), (">", 0, "GET", 0), ("<", 1, "POST", 0), (">", 1, "POST", 1)]


def test_a_hook_can_send_requests_of_its_own_in_between(world: World) -> None:
    certificate_id = world.upload(ca())
    body = {"hostnames": ["theirs.example.com"], "mtls_certificate_id": certificate_id}
    path = f"/zones/{ZONE}/certificate_authorities/hostname_associations"
    world.simulation.faults.add(Fault(Call(lambda _, __: world.raw().put(path, json=body)), Match("GET")))

    seen = world.hostnames(certificate_id)

    assert seen == ["theirs.example.com"]
    assert [(entry.index, entry.method) for entry in world.simulation.log] == [(0, "POST"), (2, "PUT"), (1, "GET")]


def test_listeners_hear_of_each_entry(world: World) -> None:
    heard: list[LogEntry] = []
    world.simulation.on_entry.append(heard.append)

    world.raw().get("/zones")

    assert heard == world.simulation.log


def test_the_same_seed_and_requests_give_the_same_bytes() -> None:
    assert _story(seed=7) == _story(seed=7)


def test_another_seed_gives_other_ids() -> None:
    assert _story(seed=7) != _story(seed=8)


ROOT = ca("Deterministic")


def _story(seed: int) -> list[str]:
    world = make_world(seed=seed)
    certificate_id = world.upload(ROOT)
    world.associate(certificate_id, "a.example.com", "b.example.com")
    world.foreign_rules("theirs")
    world.hostnames(certificate_id)
    return [entry.answer_body for entry in world.simulation.log]
