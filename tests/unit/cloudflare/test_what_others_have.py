"""How answers about what others have in a zone are read."""

from __future__ import annotations

from typing import Any

import pytest

from mtls_operator.cloudflare import MalformedAnswer
from mtls_operator.domain.observed import AccessRule, DnsRecord
from tests.unit.cloudflare.answering import ACCOUNT, ZONE, Bench, rule_json, ruleset_json, success

ALLOWED = {"id": "1", "mode": "whitelist", "configuration": {"target": "ip", "value": "203.0.113.7"}}


async def test_only_rules_that_allow_are_asked_for_and_returned() -> None:
    bench = Bench(success([ALLOWED, {**ALLOWED, "id": "2", "mode": "block"}]))

    assert await bench.client.list_zone_allowances(ZONE) == (AccessRule("1", "whitelist", "ip", "203.0.113.7"),)
    assert dict(bench.script.requests[0].url.params) == {"mode": "whitelist", "per_page": "100"}


async def test_the_rules_of_an_account_are_asked_for_at_the_account() -> None:
    bench = Bench(success([]))

    assert await bench.client.list_account_allowances(ACCOUNT) == ()
    assert bench.script.requests[0].url.path.endswith(f"/accounts/{ACCOUNT}/firewall/access_rules/rules")


async def test_a_listing_without_a_number_of_pages_is_read_until_all_are_there() -> None:
    bench = Bench(
        success([ALLOWED], result_info={"page": 1, "total_count": 2}),
        success([{**ALLOWED, "id": "2"}], result_info={"page": 2, "total_count": 2}),
    )

    assert len(await bench.client.list_zone_allowances(ZONE)) == 2


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        ["x"],
        [{"id": "1", "mode": "whitelist"}],
        [{"mode": "whitelist", "configuration": {"target": "ip", "value": "203.0.113.7"}}],
        [{**ALLOWED, "configuration": {"target": "ip"}}],
    ],
)
async def test_rules_that_cannot_be_read_are_no_empty_list(broken: object) -> None:
    with pytest.raises(MalformedAnswer):
        await Bench(success(broken)).client.list_zone_allowances(ZONE)


async def test_a_record_that_does_not_say_that_it_is_proxied_is_not() -> None:
    bench = Bench(success([{"id": "1", "name": "A.example.com", "type": "TXT"}]))

    assert await bench.client.list_records(ZONE) == (DnsRecord("1", "a.example.com", "TXT", proxied=False),)


@pytest.mark.parametrize("broken", [None, [{"id": "1", "type": "A"}], [{"name": "a.example.com", "type": "A"}]])
async def test_records_that_cannot_be_read_are_no_empty_list(broken: object) -> None:
    with pytest.raises(MalformedAnswer):
        await Bench(success(broken)).client.list_records(ZONE)


async def test_the_managed_list_is_asked_for_without_a_certificate() -> None:
    bench = Bench(success({"hostnames": ["a.example.com"]}))

    assert await bench.client.get_managed_hostnames(ZONE) == {"a.example.com"}
    assert (bench.script.requests[0].method, bench.script.requests[0].url.query) == ("GET", b"")


@pytest.mark.parametrize(
    ("fields", "skips"),
    [
        ({"action": "skip", "action_parameters": {"ruleset": "current"}}, True),
        ({"action": "skip", "action_parameters": {"phase": "current"}}, True),
        ({"action": "skip", "action_parameters": {"phases": ["http_request_firewall_custom"]}}, True),
        ({"action": "skip", "action_parameters": {"phases": ["http_request_firewall_managed"]}}, False),
        ({"action": "skip", "action_parameters": {"products": ["waf"]}}, False),
        ({"action": "skip"}, False),
        ({"action": "block", "action_parameters": {"ruleset": "current"}}, False),
    ],
)
async def test_which_skip_rules_skip_the_rules_behind_them(fields: dict[str, Any], skips: bool) -> None:
    ruleset = await Bench(success(ruleset_json(rule_json(**fields)))).client.get_entrypoint(ZONE)

    assert ruleset is not None
    assert ruleset.rules[0].skips_the_rest is skips
