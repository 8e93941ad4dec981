"""Rules one by one: the client and Cloudflare understand each other."""

from __future__ import annotations

import pytest

from mtls_operator.cloudflare import AlreadyExists, NotFound, QuotaExceeded, Rejected
from mtls_operator.domain.observed import BlockResponse, RuleBody
from testbed.cloudflare.settings import Settings
from tests.contract.cloudflare_client.simulated import ZONE, World, rule

MISSING = "f" * 32


async def test_a_zone_without_rules_has_no_entry_point() -> None:
    assert await World().client.get_entrypoint(ZONE) is None


async def test_an_unknown_zone_is_not_one_without_rules() -> None:
    with pytest.raises(NotFound):
        await World().client.get_entrypoint(MISSING)


async def test_the_entry_point_is_created_with_its_first_rules() -> None:
    world = World()

    created = await world.client.create_entrypoint(ZONE, [rule("one"), rule("two")])

    assert [entry.body for entry in created.rules] == [rule("one"), rule("two")]
    assert await world.client.get_entrypoint(ZONE) == created


async def test_a_second_entry_point_exists_already() -> None:
    world = World()
    await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(AlreadyExists):
        await world.client.create_entrypoint(ZONE, [rule("two")])


async def test_a_rule_is_added_last_or_before_another() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    await world.client.add_rule(ZONE, ruleset.id, rule("last"))
    after = await world.client.add_rule(ZONE, ruleset.id, rule("first"), before=ruleset.rules[0].id)

    assert [entry.body.ref for entry in after.rules] == ["first", "one", "last"]
    assert after.version == ruleset.version + 2


async def test_a_rule_is_updated_as_a_whole_and_stays_in_its_place() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one"), rule("two")])
    block = RuleBody(
        ref="one",
        action="block",
        expression="(not cf.tls_client_auth.cert_verified)",
        description="changed",
        enabled=True,
        response=BlockResponse(403, "text/plain", "certificate required"),
    )

    after = await world.client.update_rule(ZONE, ruleset.id, ruleset.rules[0].id, block)

    assert [entry.body for entry in after.rules] == [block, rule("two")]
    assert after.rules[0].id == ruleset.rules[0].id


async def test_an_updated_rule_moves_before_another() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one"), rule("two")])
    one, two = ruleset.rules

    after = await world.client.update_rule(ZONE, ruleset.id, two.id, two.body, before=one.id)

    assert [entry.id for entry in after.rules] == [two.id, one.id]


async def test_a_rule_that_no_longer_answers_for_itself_loses_its_response() -> None:
    world = World()
    answering = RuleBody("one", "block", "(true)", "d", enabled=True, response=BlockResponse(403, "text/plain", "no"))
    ruleset = await world.client.create_entrypoint(ZONE, [answering])

    silent = rule("one", action="block", enabled=True)
    after = await world.client.update_rule(ZONE, ruleset.id, ruleset.rules[0].id, silent)

    assert after.rules[0].body == silent


async def test_the_last_rule_is_deleted_and_the_ruleset_stays_empty() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    after = await world.client.delete_rule(ZONE, ruleset.id, ruleset.rules[0].id)

    assert after.rules == ()
    assert await world.client.get_entrypoint(ZONE) == after


async def test_rules_of_others_are_read_as_they_are() -> None:
    world = World()
    foreign = world.cloudflare.add_foreign_rule(
        ZONE, expression='(http.request.uri.path eq "/admin")', action="managed_challenge", description="theirs"
    )

    ruleset = await world.client.get_entrypoint(ZONE)

    assert ruleset is not None
    assert ruleset.rules[0].id == foreign.id
    assert ruleset.rules[0].body == RuleBody(
        ref=foreign.ref,
        action="managed_challenge",
        expression='(http.request.uri.path eq "/admin")',
        description="theirs",
        enabled=True,
    )


async def test_a_rule_that_is_gone_is_not_found() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(NotFound):
        await world.client.update_rule(ZONE, ruleset.id, MISSING, rule("one"))
    with pytest.raises(NotFound):
        await world.client.delete_rule(ZONE, ruleset.id, MISSING)


async def test_a_ruleset_that_is_gone_is_not_found() -> None:
    world = World()
    await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(NotFound):
        await world.client.add_rule(ZONE, MISSING, rule("two"))


TOO_LONG = "(http.host in {" + '"a.example.com" ' * 300 + "})"


@pytest.mark.parametrize("expression", ["(http.host in {)", "(no.such.field)", TOO_LONG])
async def test_a_bad_expression_is_rejected(expression: str) -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(Rejected):
        await world.client.add_rule(ZONE, ruleset.id, rule("two", expression=expression))


async def test_a_ref_that_is_taken_is_rejected() -> None:
    world = World()
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(Rejected, match="same ref"):
        await world.client.add_rule(ZONE, ruleset.id, rule("one"))


async def test_a_rule_too_many_exceeds_the_quota() -> None:
    world = World(settings=Settings(rules_by_plan={"enterprise": 1}))
    ruleset = await world.client.create_entrypoint(ZONE, [rule("one")])

    with pytest.raises(QuotaExceeded):
        await world.client.add_rule(ZONE, ruleset.id, rule("two"))
