"""The simulation behind a real HTTP server."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cloudflare
import httpx
import pytest

from testbed.cloudflare.faults import AnswerStatus, Cut, Delay, Fault, Garble, Moment
from testbed.cloudflare.server import CloudflareServer
from tests.contract.cloudflare_simulation.world import ACCOUNT, HOST, PHASE, TOKEN, ZONE, World, ca

HEADERS = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def server(world: World) -> Iterator[CloudflareServer]:
    """The world behind a server on a free port; delays pass on the world's clock."""
    with CloudflareServer(world.simulation, sleep=world.clock.advance) as running:
        yield running


@pytest.fixture
def client(server: CloudflareServer) -> Iterator[cloudflare.Cloudflare]:
    """The official client over a real connection."""
    with cloudflare.Cloudflare(api_token=TOKEN, base_url=server.url, max_retries=0) as opened:
        yield opened


def test_the_official_client_does_the_whole_job_over_http(client: cloudflare.Cloudflare, world: World) -> None:
    created = client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=ca().pem, name="mine")
    assert created is not None
    certificate_id = str(created.id)
    lists = client.certificate_authorities.hostname_associations
    lists.update(zone_id=ZONE, hostnames=["a.example.com"], mtls_certificate_id=certificate_id)
    client.rulesets.create(zone_id=ZONE, kind="zone", name="default", phase=PHASE, rules=[])
    client.rulesets.rules.create(world.ruleset.id, zone_id=ZONE, action="block", expression=HOST, ref="ours")
    rule = client.rulesets.phases.get(PHASE, zone_id=ZONE).rules[0]
    client.rulesets.rules.delete(str(rule.id), ruleset_id=world.ruleset.id, zone_id=ZONE)
    lists.update(zone_id=ZONE, hostnames=[], mtls_certificate_id=certificate_id)
    client.mtls_certificates.delete(certificate_id, account_id=ACCOUNT)

    assert world.simulation.state.certificates[ACCOUNT] == {}
    assert world.simulation.state.lists == {}
    assert world.refs() == []


def test_a_refusal_reaches_the_client_with_its_status(client: cloudflare.Cloudflare) -> None:
    with pytest.raises(cloudflare.BadRequestError):
        client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates="x")


def test_a_query_is_decoded(client: cloudflare.Cloudflare, world: World) -> None:
    list(client.zones.list(name="a b&c=ü"))

    assert world.simulation.log[0].query == (("name", "a b&c=ü"),)


def test_a_connection_is_kept_alive(server: CloudflareServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.origin.rsplit(":", 1)[1]))
    connection.request("GET", "/client/v4/zones", headers=HEADERS)
    connection.getresponse().read()
    first = connection.sock

    connection.request("GET", "/client/v4/zones", headers=HEADERS)
    second = connection.getresponse()

    assert second.status == 200
    assert first is not None
    assert connection.sock is first
    connection.close()


@pytest.mark.parametrize(("moment", "uploads"), [(Moment.BEFORE, 0), (Moment.AFTER, 1)])
def test_a_cut_connection_ends_without_an_answer(
    client: cloudflare.Cloudflare, world: World, moment: Moment, uploads: int
) -> None:
    world.simulation.faults.add(Fault(Cut(moment)))

    with pytest.raises(cloudflare.APIConnectionError):
        client.mtls_certificates.create(account_id=ACCOUNT, ca=True, certificates=ca().pem)

    assert len(world.simulation.state.certificates[ACCOUNT]) == uploads


def test_a_garbled_answer_arrives_as_it_is(server: CloudflareServer, world: World) -> None:
    world.simulation.faults.add(Fault(Garble.TRUNCATED))

    answer = httpx.get(f"{server.url}/zones", headers=HEADERS)

    assert answer.status_code == 200
    assert not answer.text.endswith("}")


def test_a_delay_is_slept(server: CloudflareServer, world: World) -> None:
    world.simulation.faults.add(Fault(Delay(30)))
    start = world.clock()

    httpx.get(f"{server.url}/zones", headers=HEADERS)

    assert world.clock() - start == 30


def test_requests_at_the_same_time_are_handled_one_by_one(server: CloudflareServer, world: World) -> None:
    moments: list[str] = []
    world.simulation.before_request += [lambda *_: moments.append("in"), lambda *_: time.sleep(0.001)]
    world.simulation.after_request.append(lambda *_: moments.append("out"))

    with httpx.Client(base_url=server.url, headers=HEADERS) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.get, ["/zones"] * 64))

    assert moments == ["in", "out"] * 64
    assert {answer.status_code for answer in answers} == {200}
    assert [entry.index for entry in world.simulation.log] == list(range(64))
    assert len({answer.headers["ratelimit"] for answer in answers}) == 64


def test_a_closed_server_serves_nobody_not_even_old_connections(world: World) -> None:
    with httpx.Client(headers=HEADERS) as client:
        with CloudflareServer(world.simulation) as server:
            client.get(f"{server.url}/zones")

        with pytest.raises(httpx.TransportError):
            client.get(f"{server.url}/zones")

    assert len(world.simulation.log) == 1


def test_control_shows_the_log_from_an_index_on(server: CloudflareServer) -> None:
    httpx.get(f"{server.url}/zones", headers=HEADERS)
    httpx.get(f"{server.url}/user/tokens/verify", headers=HEADERS)

    entries = httpx.get(f"{server.origin}/simulation/log", params={"since": 1}).json()

    assert [(entry["index"], entry["path"]) for entry in entries] == [(1, "/client/v4/user/tokens/verify")]


def test_control_shows_the_truth_without_tokens(server: CloudflareServer, world: World) -> None:
    certificate_id = world.upload(ca(), "mine")
    world.associate(certificate_id, "a.example.com")
    world.foreign_rules("theirs")

    answer = httpx.get(f"{server.origin}/simulation/state")

    state = answer.json()
    assert TOKEN not in answer.text
    assert [item["name"] for item in state["certificates"][ACCOUNT]] == ["mine"]
    assert state["lists"] == [{"zone_id": ZONE, "certificate_id": certificate_id, "hostnames": ["a.example.com"]}]
    assert [rule["ref"] for rule in state["rulesets"][ZONE]["rules"]] == ["theirs"]


@pytest.mark.parametrize(
    ("effect", "armed"),
    [
        ({"kind": "status", "status": 503, "retry_after": 3}, AnswerStatus(503, 3)),
        ({"kind": "truncated"}, Garble.TRUNCATED),
        ({"kind": "malformed"}, Garble.MALFORMED),
        ({"kind": "cut", "moment": "before"}, Cut(Moment.BEFORE)),
        ({"kind": "delay", "seconds": 1.5}, Delay(1.5)),
    ],
)
def test_control_arms_faults(server: CloudflareServer, world: World, effect: object, armed: object) -> None:
    body = {"effect": effect, "match": {"method": "GET", "path": "/zones"}, "times": 1}

    httpx.post(f"{server.origin}/simulation/faults", json=body).raise_for_status()

    assert world.simulation.faults.armed[0].effect == armed


def test_control_clears_faults(server: CloudflareServer, world: World) -> None:
    world.simulation.faults.add(Fault(AnswerStatus(500)))

    httpx.delete(f"{server.origin}/simulation/faults").raise_for_status()

    assert world.simulation.faults.armed == ()


def test_control_puts_hostnames_and_rules_of_somebody_else(server: CloudflareServer, world: World) -> None:
    certificate_id = world.upload(ca())
    body = {"zone_id": ZONE, "certificate_id": certificate_id, "hostnames": ["theirs.example.com"]}

    httpx.post(f"{server.origin}/simulation/hostnames", json=body).raise_for_status()
    httpx.post(f"{server.origin}/simulation/rules", json={"zone_id": ZONE, "expression": HOST}).raise_for_status()

    assert world.hostnames(certificate_id) == ["theirs.example.com"]
    assert [rule.expression for rule in world.ruleset.rules] == [HOST]


def test_control_shows_no_violations_of_a_good_client(server: CloudflareServer) -> None:
    httpx.get(f"{server.url}/zones", headers=HEADERS)

    assert httpx.get(f"{server.origin}/simulation/violations").json() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/simulation/nothing", {}, 404),
        ("/simulation/faults", {}, 400),
        ("/simulation/faults", {"effect": {"kind": "unheard of"}}, 400),
        ("/simulation/faults", [], 400),
        ("/simulation/hostnames", {"zone_id": ZONE, "hostnames": "a"}, 400),
    ],
)
def test_control_refuses_what_makes_no_sense(server: CloudflareServer, path: str, body: object, status: int) -> None:
    answer = httpx.post(f"{server.origin}{path}", json=body)

    assert answer.status_code == status
    assert answer.json()["error"]
