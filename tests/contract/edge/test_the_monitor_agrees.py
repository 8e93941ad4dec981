"""What the invariant monitor concludes from lists and rules is what clients meet at the edge.

The monitor reads the shape of rules, the edge evaluates them: neither knows the other's code.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.edge.settings import EdgeSettings, SeveralCas
from testbed.cloudflare.monitor.truth import covered, locked_out
from testbed.cloudflare.monitor.validity import valid_issuers
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import Rule, Ruleset, State
from tests.contract.cloudflare_simulation.world import ACCOUNT, ZONE, Clock
from tests.contract.edge.clients import Identity, authority, identity
from tests.contract.edge.world import hosts_expression

RED, BLUE = authority("Red root"), authority("Blue root")
CLIENTS = {each.key_identifier: identity("client", each) for each in (RED, BLUE)}
BUNDLES: tuple[tuple[Identity, ...], ...] = ((RED,), (BLUE,), (RED, BLUE))
HOSTNAMES = ("a.example.com", "b.example.com")
MARK = "mtls-operator/1 enforce owner=east cluster=0b1f5e60-4f3c-4f0e-9f57-0d3c6d1d2a11"

names = st.sets(st.sampled_from(HOSTNAMES)).map(frozenset)
issuers = st.none() | st.sets(st.sampled_from([RED, BLUE]), min_size=1).map(lambda found: tuple(sorted(found, key=id)))


@dataclass(frozen=True)
class Guarding:
    """One enforcement rule: the hostnames it covers and whom it accepts, None for everybody who verifies."""

    hostnames: frozenset[str]
    accepted: tuple[Identity, ...] | None
    enabled: bool
    action: str


guardings = st.builds(
    Guarding,
    names.filter(bool),
    issuers,
    st.sampled_from([True, True, True, False]),
    st.sampled_from(["block", "block", "block", "log"]),
)


@dataclass(frozen=True)
class Scene:
    """Which hostnames each bundle's list has, and the rules in their order."""

    lists: tuple[frozenset[str], ...]
    rules: tuple[Guarding, ...]

    def play(self, settings: EdgeSettings) -> tuple[State, Edge]:
        clock = Clock()
        simulation = CloudflareSimulation(clock)
        simulation.add_account(ACCOUNT)
        simulation.add_zone(ZONE, "example.com", ACCOUNT)
        for bundle, hostnames in zip(BUNDLES, self.lists, strict=True):
            clock.advance(1)
            certificate_id = simulation.add_certificate(ACCOUNT, "".join(each.pem for each in bundle))
            simulation.put_foreign_hostnames(ZONE, certificate_id, hostnames, settled=True)
        rules = tuple(_rule(number, rule) for number, rule in enumerate(self.rules))
        ruleset = Ruleset("f" * 32, "default", "", 1, rules, clock())
        simulation.install(lambda state: state.with_ruleset(ZONE, ruleset), settled=True)
        return simulation.state, Edge(simulation, settings)


def _rule(number: int, rule: Guarding) -> Rule:
    expression = hosts_expression(rule.hostnames, rule.accepted)
    return Rule(f"{number:032x}", f"ref{number}", 1, rule.action, expression, MARK, rule.enabled, 0.0)


scenes = st.builds(Scene, st.tuples(names, names, names), st.lists(guardings, max_size=3).map(tuple))


def _coming_through(edge: Edge, hostname: str) -> set[str]:
    """The issuers whose clients come through."""
    return {issuer for issuer, client in CLIENTS.items() if edge.visit(hostname, client.chain).passed}


@given(scenes)
def test_nobody_without_a_certificate_comes_through_to_what_is_covered(scene: Scene) -> None:
    state, edge = scene.play(EdgeSettings())

    open_ = {hostname for hostname in HOSTNAMES if edge.visit(hostname).passed}

    assert open_ == set(HOSTNAMES) - covered(state, ZONE).get("east", frozenset())


@given(scenes)
def test_exactly_the_clients_of_valid_issuers_come_through_where_all_associated_cas_count(scene: Scene) -> None:
    state, edge = scene.play(EdgeSettings(several_cas=SeveralCas.ALL))
    valid = valid_issuers(state, ZONE)

    found = {hostname: _coming_through(edge, hostname) for hostname in valid}

    assert found == {hostname: set(each) for hostname, each in valid.items()}


@given(scenes)
def test_no_others_come_through_where_the_most_recent_ca_alone_counts(scene: Scene) -> None:
    state, edge = scene.play(EdgeSettings(several_cas=SeveralCas.MOST_RECENT))

    wrongly = {
        hostname: _coming_through(edge, hostname) - valid for hostname, valid in valid_issuers(state, ZONE).items()
    }

    assert not any(wrongly.values())


@given(scenes)
def test_nobody_comes_through_to_a_hostname_that_is_locked_out(scene: Scene) -> None:
    state, edge = scene.play(EdgeSettings())

    locked = {hostname for _, hostname in locked_out(state, ZONE, marked_only=True)}

    assert not any(_coming_through(edge, hostname) for hostname in locked)
