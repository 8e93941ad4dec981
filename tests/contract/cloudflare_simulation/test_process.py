"""The simulation as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cloudflare
import pytest

from testbed.cloudflare.__main__ import EXAMPLE_ACCOUNT, EXAMPLE_TOKEN, EXAMPLE_ZONE, build, parser
from testbed.cloudflare.settings import Duplicates, Kind, Staleness

ROOT = Path(__file__).parents[3]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """`python -m testbed.cloudflare` without flags."""
    command = [sys.executable, "-m", "testbed.cloudflare"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as running:
        yield running
        running.kill()


def test_it_prints_its_url_and_each_request_and_ends_on_a_signal(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("URL ").strip()
    control = process.stdout.readline().removeprefix("CONTROL ").strip()

    with cloudflare.Cloudflare(api_token=EXAMPLE_TOKEN, base_url=url) as client:
        zones = [zone.name for zone in client.zones.list(name="example.com")]
    line = process.stdout.readline()
    process.terminate()

    assert zones == ["example.com"]
    assert control == url.replace("/client/v4", "/simulation")
    assert line.endswith("GET /client/v4/zones?name=example.com -> 200\n")
    assert process.wait() == 0


def test_it_shouts_when_an_invariant_is_violated_and_fails(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("URL ").strip()

    with cloudflare.Cloudflare(api_token=EXAMPLE_TOKEN, base_url=url) as client:
        client.certificate_authorities.hostname_associations.update(zone_id=EXAMPLE_ZONE, hostnames=[])
    process.terminate()
    _, shouted = process.communicate()

    assert "SAFETY INVARIANT VIOLATED: invariant 1" in shouted
    assert process.returncode == 1


def test_flags_set_up_the_world() -> None:
    account, zone = "1" * 32, "2" * 32
    flags = [
        *("--account", f"{account}:2", "--zone", f"{zone}:example.net:{account}:business"),
        *("--token", f"{'t' * 40}:cluster-a", "--consistency-delay", "15", "--staleness", "exact"),
        *("--rate-limit", "50", "--duplicates", "any_certificate"),
    ]

    simulation = build(parser().parse_args(flags))

    assert simulation.state.accounts[account].ca_limit == 2
    assert (simulation.state.zones[zone].name, simulation.state.zones[zone].plan) == ("example.net", "business")
    assert simulation.state.tokens["t" * 40].owner == "cluster-a"
    assert simulation.settings.consistency.staleness is Staleness.EXACT
    assert simulation.settings.consistency.delays[Kind.LISTS] == 15
    assert simulation.settings.rate_limit.requests == 50
    assert simulation.settings.duplicates is Duplicates.ANY_CERTIFICATE


def test_without_flags_there_is_an_example_to_play_with() -> None:
    simulation = build(parser().parse_args([]))

    assert set(simulation.state.accounts) == {EXAMPLE_ACCOUNT}
    assert [zone.name for zone in simulation.state.zones.values()] == ["example.com"]
