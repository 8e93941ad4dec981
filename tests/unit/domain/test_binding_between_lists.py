"""What is said of hostnames that are on their way from one list to another, or that others keep from theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtls_operator.api.conditions import ConditionType
from mtls_operator.api.host_binding import HostnameStatus
from mtls_operator.api.policies import Action
from mtls_operator.domain.binding_status import binding_status
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from tests.unit.domain.test_binding_status import API, NOW, TWO, UNTIL, WWW, condition, conditions, view


def test_a_hostname_that_moves_is_covered_and_the_binding_not_ready_until_it_is_there() -> None:
    moving = HostProgress(HostStage.MOVING, UNTIL, meanwhile=Action.BLOCK)

    found = conditions(view({API: HostStage.ENFORCED, WWW: moving}))

    told = (
        "Rotating",
        "moving from what is in force to what is wanted, covered all the while: www.example.com"
        " (until 2026-03-01T12:01:30Z at least)",
    )
    assert condition(found, ConditionType.ASSOCIATED) == ("False", *told)
    assert condition(found, ConditionType.RECONCILING) == ("True", *told)
    assert condition(found, ConditionType.ENFORCED)[0] == "True"


def test_while_a_hostname_moves_its_status_says_what_happens_to_requests() -> None:
    seen = view(
        {
            API: HostProgress(HostStage.MOVING, meanwhile=Action.LOG),
            WWW: HostProgress(HostStage.MOVING, meanwhile=Action.BLOCK),
        }
    )

    assert binding_status(TWO, seen, NOW).hostnames == (
        HostnameStatus(name=API, state="Moving", meanwhile="Log"),
        HostnameStatus(name=WWW, state="Moving", meanwhile="Block"),
    )


def test_a_hostname_whose_rule_somebody_took_away_is_open_until_it_is_back() -> None:
    found = conditions(view({API: HostStage.ENFORCED, WWW: HostProgress(HostStage.MOVING)}))

    assert condition(found, ConditionType.ENFORCED) == (
        "False",
        "RuleAltered",
        "somebody has removed our rule, and requests get through until it is back: www.example.com",
    )
    assert condition(found, ConditionType.ASSOCIATED) == (
        "False",
        "RuleAltered",
        "somebody removed their rule, which is put back first: www.example.com",
    )
    assert condition(found, ConditionType.READY)[:2] == ("False", "RuleAltered")


def test_a_hostname_that_waits_for_other_installations_names_them() -> None:
    waits = HostProgress(HostStage.MOVING, None, ("east", "west"), meanwhile=Action.BLOCK)
    seen = view({API: HostStage.ENFORCED, WWW: waits})

    reason, message = condition(conditions(seen), ConditionType.ASSOCIATED)[1:]

    assert reason == "WaitingForOthers"
    assert message.startswith("installation east, installation west must accept the same CAs")
    assert binding_status(TWO, seen, NOW).hostnames[-1] == HostnameStatus(
        name=WWW, state="Moving", meanwhile="Block", message="waits for installation east, installation west"
    )


def test_a_hostname_whose_clients_others_refuse_names_them_and_the_way_out() -> None:
    refused = HostProgress(HostStage.MOVING, None, ("east", "west"), refused=True)
    waits = HostProgress(HostStage.MOVING, None, ("north",))

    reason, message = condition(conditions(view({API: waits, WWW: refused})), ConditionType.ASSOCIATED)[1:]

    assert (reason, message) == (
        "WaitingForOthers",
        "clients of the CA are refused by rules of others, or were a moment ago: www.example.com (installation east,"
        " installation west). Give the other installation the same CA, or the hostname to one of both.",
    )


@pytest.mark.parametrize("refused", [False, True], ids=["not ready", "refuses clients"])
def test_installations_that_may_be_gone_are_named_as_takeover_wants_them_listed(*, refused: bool) -> None:
    waits = HostProgress(HostStage.MOVING, None, ("007", "east", "west"), refused=refused)
    clusters = {"007": ["uid-7"], "east": ["uid-1", "uid-2"], "north": ["uid-3"]}

    message = condition(conditions(replace(view({API: waits}), clusters=clusters)), ConditionType.ASSOCIATED)[2]

    assert message.endswith(
        '. If one of them is gone, list it in takeover of the operator\'s chart: {ownerId: "007", clusterUID: "uid-7"},'
        ' {ownerId: "east", clusterUID: "uid-1"}, {ownerId: "east", clusterUID: "uid-2"}.'
    )


def test_a_hostname_that_somebody_keeps_taking_off_is_a_conflict_though_all_is_in_force_again() -> None:
    seen = view({API: HostStage.ENFORCED, WWW: HostProgress(HostStage.ENFORCED, contested=True)})

    reason, message = condition(conditions(seen), ConditionType.STALLED)[1:]

    assert reason == "ManagementConflict"
    assert message.startswith("somebody keeps taking www.example.com off")


def test_a_hostname_whose_rules_somebody_keeps_undoing_is_a_conflict_of_its_own() -> None:
    undone = HostProgress(HostStage.ENFORCED, overruled=True)
    seen = view({API: HostProgress(HostStage.ENFORCED, contested=True), WWW: undone})

    reason, both = condition(conditions(seen), ConditionType.STALLED)[1:]
    rules_alone = condition(conditions(view({API: HostStage.ENFORCED, WWW: undone})), ConditionType.STALLED)[2]

    assert reason == "ManagementConflict"
    assert both.startswith("somebody keeps taking api.example.com off")
    assert both.endswith(rules_alone)
    assert rules_alone.startswith("somebody keeps changing or removing our rules for www.example.com, and they are put")


def test_a_hostname_that_is_off_its_list_is_said_to_be_put_back_and_covered() -> None:
    found = conditions(view({API: HostStage.ENFORCED, WWW: HostProgress(HostStage.ENFORCED, missing=True)}))

    told = (
        "Arriving",
        "somebody took them off the list; they have to be seen there and to settle: www.example.com",
    )
    assert condition(found, ConditionType.ASSOCIATED) == ("False", *told)
    assert condition(found, ConditionType.ENFORCED)[0] == "True"
