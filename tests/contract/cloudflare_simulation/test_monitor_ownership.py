"""Invariant 9: whose rules an installation writes."""

import pytest

from testbed.cloudflare.monitor import Monitor
from testbed.cloudflare.monitor.case import SENT_HEADER
from tests.contract.cloudflare_simulation.monitored import CLUSTER, RULESETS, WINDOW, Monitored, hosts, make_monitored
from tests.contract.cloudflare_simulation.world import ZONE

HOST = "a.example.com"
WHOLE = {"name": "default", "kind": "zone", "phase": "http_request_firewall_custom", "rules": []}
ENTRY_POINT = f"{RULESETS}/phases/http_request_firewall_custom/entrypoint"


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


def test_an_installation_may_create_change_and_delete_its_own_rules(world: Monitored) -> None:
    world.serve(HOST)
    rule = world.east.enforce(HOST)
    claim = world.east.claim("arriving", world.certificate, "b.example.com")
    world.east.claim("held", world.certificate, HOST, "b.example.com", rule=claim, ref="mtls_operator_x")
    world.east.drop(rule)

    assert world.violated == []


@pytest.mark.parametrize("description", ["", "by hand", "mtls-operator/9 enforce owner=east"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_touching_a_rule_without_a_readable_mark_violates_invariant_9(
    world: Monitored, method: str, description: str
) -> None:
    rule = world.simulation.add_foreign_rule(ZONE, expression="ssl", description=description)
    ruleset = world.simulation.state.rulesets[ZONE].id

    world.east.http.request(method, f"{RULESETS}/{ruleset}/rules/{rule.id}", json={})

    assert world.violated == [9]


@pytest.mark.parametrize(("caller", "expected"), [("east", []), ("west", [9])])
def test_a_rule_whose_expression_somebody_changed_is_still_of_the_installation_that_its_description_names(
    world: Monitored, caller: str, expected: list[int]
) -> None:
    description = f"mtls-operator/1 enforce owner=east cluster={CLUSTER}"
    rule = world.simulation.add_foreign_rule(ZONE, expression="ssl", description=description)

    getattr(world, caller).drop(rule.id)

    assert world.violated == expected


def test_a_person_may_touch_any_rule(world: Monitored) -> None:
    rule = world.simulation.add_foreign_rule(ZONE, expression="ssl")

    world.person.drop(rule.id)

    assert world.violated == []


def test_touching_a_rule_of_another_installation_violates_invariant_9(world: Monitored) -> None:
    claim = world.west.claim("arriving", world.certificate, HOST)

    world.east.drop(claim)

    assert world.violated == [9]


def test_touching_a_rule_of_an_installation_that_was_taken_over_is_fine() -> None:
    world = make_monitored(Monitor(window=WINDOW, takeovers={"east": ["west"]}))
    claim = world.west.claim("arriving", world.certificate, HOST)

    world.east.claim("arriving", world.certificate, HOST, rule=claim)

    assert world.violated == []


def test_taking_a_hostname_out_of_a_retained_rule_of_another_installation_is_fine(world: Monitored) -> None:
    world.serve(HOST, "b.example.com")
    rule = world.west.enforce(HOST, "b.example.com", mark=" retained")

    world.east.enforce(HOST, rule=rule, description=world.simulation.state.rulesets[ZONE].rules[0].description)

    assert world.violated == []


def test_replacing_the_entry_point_violates_invariant_9(world: Monitored) -> None:
    world.east.claim("arriving", world.certificate, HOST)

    world.east.http.put(ENTRY_POINT, json={"rules": []})

    assert world.violated == [9]


def test_creating_the_entry_point_by_put_where_there_is_none_replaces_nothing(world: Monitored) -> None:
    world.east.http.put(ENTRY_POINT, json={"rules": []})

    assert world.violated == []


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_writing_an_existing_ruleset_as_a_whole_violates_invariant_9(world: Monitored, method: str) -> None:
    world.east.claim("arriving", world.certificate, HOST)
    ruleset = world.simulation.state.rulesets[ZONE].id

    world.east.http.request(method, f"{RULESETS}/{ruleset}", json={"rules": []})

    assert world.violated == [9]


def test_creating_a_second_ruleset_violates_invariant_9_though_it_is_refused(world: Monitored) -> None:
    world.simulation.add_foreign_rule(ZONE, expression="ssl")

    world.east.http.post(RULESETS, json=WHOLE)

    assert world.violated == [9]


def test_two_installations_may_race_to_create_the_ruleset(world: Monitored) -> None:
    world.west.http.post(RULESETS, json=WHOLE)

    world.east.http.post(RULESETS, json=WHOLE)

    assert world.violated == []


@pytest.mark.parametrize(("sent_before", "violated"), [(20.0, []), (0.0, [9])], ids=["late", "at once"])
def test_whether_the_ruleset_could_be_seen_is_asked_of_the_moment_at_which_the_request_was_sent(
    world: Monitored, sent_before: float, violated: list[int]
) -> None:
    world.west.http.post(RULESETS, json=WHOLE)
    world.wait(WINDOW + 20)

    sent = world.clock() - sent_before
    world.east.http.post(RULESETS, json=WHOLE, headers={SENT_HEADER: str(sent)})

    assert world.violated == violated


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "mtls"},
        {"description": "mtls-operator/1 claim owner=east"},
        {"description": "mtls-operator/1 enforce owner=east cluster=c"},
        {"expression": f'({hosts(HOST)} and http.request.method eq "GET")'},
        {"expression": '(lower(http.host) in {"b.example.com" "a.example.com"})'},
        {"ref": "claim_1"},
    ],
)
def test_making_a_rule_that_other_installations_cannot_read_violates_invariant_9(
    world: Monitored, fields: dict[str, str]
) -> None:
    world.east.claim("arriving", world.certificate, HOST, **fields)

    assert world.violated == [9]


def test_marking_a_rule_as_another_installation_s_violates_invariant_9(world: Monitored) -> None:
    world.west.owner = "east"

    world.west.claim("arriving", world.certificate, HOST)

    assert world.violated == [9]
