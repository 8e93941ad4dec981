"""Server names and Host headers: nothing makes them the same, and nobody knows what `http.host` keeps of the latter."""

from __future__ import annotations

import httpx
import pytest

from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, EdgeSettings, HostForm
from tests.contract.edge.clients import authority, identity
from tests.contract.edge.world import HOSTNAME, EdgeWorld, edge_world, guard_expression

ROOT, OTHER = authority("Root"), authority("Other root")
OPEN = "open.example.com"
THEIRS = "theirs.example.com"
TOLERANT = r'(lower(http.host) matches "^(?:a\.example\.com)\.?(?::[0-9]+)?$" and not cf.tls_client_auth.cert_verified)'
VARIANTS = ["a.example.com", "A.Example.COM", "a.example.com:443", "a.example.com.", "A.example.com.:8443"]


def test_the_server_name_of_an_open_hostname_is_no_way_into_a_guarded_one(world: EdgeWorld) -> None:
    world.trust(ROOT)
    world.guard(ROOT)

    answer = world.get(OPEN, identity("client", ROOT), host=HOSTNAME)

    assert answer.status_code == 403


@pytest.mark.parametrize(("pinned", "status"), [(False, 200), (True, 403)])
def test_a_client_of_another_hostnames_ca_gets_past_a_rule_only_where_that_is_not_pinned(
    world: EdgeWorld, pinned: bool, status: int
) -> None:
    world.trust(ROOT)
    world.trust(OTHER, hostname=THEIRS)
    world.guard(*([ROOT] if pinned else []))

    answer = world.get(THEIRS, identity("client of theirs", OTHER), host=HOSTNAME)

    assert answer.status_code == status


def test_the_rules_of_the_zone_of_the_host_header_count(world: EdgeWorld) -> None:
    world.guard(hostname="www.example.org")
    world.block('http.host eq "www.example.org"')

    answer = world.get(HOSTNAME, host="www.example.org")

    assert answer.status_code == 200


def test_a_host_header_of_no_zone_gets_to_no_origin(world: EdgeWorld) -> None:
    answer = world.get(HOSTNAME, host="a.example.net")

    assert answer.status_code == 409
    assert "x-simulated-origin" not in answer.headers


@pytest.mark.parametrize("server_name", ["A.EXAMPLE.com", "a.example.com."])
def test_a_server_name_means_the_same_in_any_case_and_with_a_dot(world: EdgeWorld, server_name: str) -> None:
    world.trust(ROOT)

    assert world.edge.connect(server_name).trust.asks


def test_a_client_that_gives_no_server_name_gets_no_handshake(world: EdgeWorld) -> None:
    with pytest.raises(httpx.ConnectError, match="HANDSHAKE_FAILURE"):
        httpx.get(f"https://127.0.0.1:{world.site.port}/")


@pytest.mark.parametrize(
    ("form", "blocked"),
    [
        (AS_SENT, [True, True, False, False, False]),
        (HostForm(case=False), [True, True, False, False, False]),
        (HostForm(port=False), [True, True, True, False, False]),
        (HostForm(dot=False), [True, True, False, True, False]),
        (NORMALISED, [True, True, True, True, True]),
    ],
)
def test_an_exact_rule_covers_a_variant_only_where_the_edge_takes_away_what_differs(
    form: HostForm, blocked: list[bool]
) -> None:
    with edge_world(EdgeSettings(host=form)) as world:
        world.trust(ROOT)
        world.guard(ROOT)

        answers = [world.get(HOSTNAME, host=variant) for variant in VARIANTS]

    assert [answer.status_code == 403 for answer in answers] == blocked


@pytest.mark.parametrize("form", [AS_SENT, NORMALISED])
def test_a_tolerant_rule_covers_every_variant(form: HostForm) -> None:
    with edge_world(EdgeSettings(host=form)) as world:
        world.trust(ROOT)
        world.block(TOLERANT)

        answers = [world.get(HOSTNAME, host=variant) for variant in VARIANTS]

    assert [answer.status_code for answer in answers] == [403] * len(VARIANTS)


def test_case_is_kept_where_the_form_says_so() -> None:
    with edge_world(EdgeSettings(host=AS_SENT)) as world:
        world.block('http.host eq "A.Example.COM"')

        answers = [world.get(HOSTNAME, host=host) for host in ("A.Example.COM", HOSTNAME)]

    assert [answer.status_code for answer in answers] == [403, 200]


def test_a_whole_url_as_target_counts_before_the_host_header(world: EdgeWorld) -> None:
    world.block(guard_expression(HOSTNAME))

    with world.site.client() as client:
        target = httpx.Request("GET", f"https://127.0.0.1:{world.site.port}/", headers={"host": OPEN})
        target.extensions = {"sni_hostname": OPEN, "target": f"https://{HOSTNAME}/".encode()}
        answer = client.send(target)

    assert answer.status_code == 403
