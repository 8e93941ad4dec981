"""What the client sends, and what it makes of successful answers."""

from __future__ import annotations

import httpx
import pytest

from mtls_operator.cloudflare import MalformedAnswer, NotFound
from mtls_operator.cloudflare.errors import AmbiguousZone
from mtls_operator.domain.observed import BlockResponse, CertificateId, RuleBody
from tests.unit.cloudflare.answering import (
    ACCOUNT,
    CERTIFICATE,
    OTHER_CERTIFICATE,
    RULE,
    RULESET,
    TOKEN,
    ZONE,
    Bench,
    certificate_json,
    refusal,
    rule_json,
    ruleset_json,
    success,
)

CLAIM = RuleBody(ref="mtls_operator_1", action="log", expression="(false)", description="mine", enabled=False)
BLOCK = RuleBody(
    ref="mtls_operator_2",
    action="block",
    expression="(true)",
    description="mine",
    enabled=True,
    response=BlockResponse(403, "text/plain", "certificate required"),
)


async def test_every_request_carries_the_token_and_names_the_operator() -> None:
    bench = Bench(success({"hostnames": []}))

    await bench.client.get_hostnames(ZONE, CERTIFICATE)

    headers = bench.script.requests[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert headers["user-agent"] == "cloudflare-mtls-operator"


async def test_hostnames_are_asked_for_one_certificate() -> None:
    bench = Bench(success({"hostnames": ["b.example.com", "a.example.com"]}))

    names = await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert names == {"a.example.com", "b.example.com"}
    assert bench.script.requests[0].url.params["mtls_certificate_id"] == CERTIFICATE


async def test_no_hostnames_may_be_shown_as_null() -> None:
    bench = Bench(success({"hostnames": None}))

    assert await bench.client.get_hostnames(ZONE, CERTIFICATE) == frozenset()


@pytest.mark.parametrize("result", [None, {}, {"hostnames": "a.example.com"}, {"hostnames": [1]}, []])
async def test_a_list_of_hostnames_that_is_not_there_is_not_taken_for_an_empty_one(result: object) -> None:
    bench = Bench(success(result))

    with pytest.raises(MalformedAnswer):
        await bench.client.get_hostnames(ZONE, CERTIFICATE)


async def test_a_put_names_the_certificate_and_sorts_the_hostnames() -> None:
    bench = Bench(success({"hostnames": []}))

    await bench.client.put_hostnames(ZONE, CERTIFICATE, ["b.example.com", "a.example.com", "b.example.com"])

    assert bench.script.requests[0].method == "PUT"
    assert bench.script.last_body == {
        "mtls_certificate_id": CERTIFICATE,
        "hostnames": ["a.example.com", "b.example.com"],
    }


async def test_an_empty_list_is_not_put_by_accident() -> None:
    bench = Bench(success({"hostnames": []}))

    with pytest.raises(ValueError, match="clear_hostnames"):
        await bench.client.put_hostnames(ZONE, CERTIFICATE, [])

    assert bench.script.requests == []


async def test_one_hostname_is_not_taken_for_a_list_of_letters() -> None:
    bench = Bench(success({"hostnames": []}))

    with pytest.raises(TypeError, match="collection"):
        await bench.client.put_hostnames(ZONE, CERTIFICATE, "a.example.com")

    assert bench.script.requests == []


async def test_the_list_is_emptied_on_purpose_and_still_names_the_certificate() -> None:
    bench = Bench(success({"hostnames": []}))

    await bench.client.clear_hostnames(ZONE, CERTIFICATE)

    assert bench.script.last_body == {"mtls_certificate_id": CERTIFICATE, "hostnames": []}


async def test_an_association_without_a_certificate_is_not_sent() -> None:
    bench = Bench(success({"hostnames": []}))
    smuggled = str.__new__(CertificateId, "")

    with pytest.raises(ValueError, match="not the id of an uploaded certificate"):
        await bench.client.clear_hostnames(ZONE, smuggled)

    assert bench.script.requests == []


@pytest.mark.parametrize("zone_id", ["", "../accounts", "a/b", "a?b", "a#b", "a b", "é"])
async def test_an_id_that_would_address_something_else_is_not_sent(zone_id: str) -> None:
    bench = Bench(success({}))

    with pytest.raises(ValueError, match="zone_id"):
        await bench.client.get_zone(zone_id)

    assert bench.script.requests == []


async def test_certificates_are_listed_over_all_pages() -> None:
    bench = Bench(
        success([certificate_json()], result_info={"page": 1, "total_pages": 2, "total_count": 2}),
        success([certificate_json(OTHER_CERTIFICATE)], result_info={"page": 2, "total_pages": 2, "total_count": 2}),
    )

    listed = await bench.client.list_certificates(ACCOUNT)

    assert [entry.id for entry in listed] == [CERTIFICATE, OTHER_CERTIFICATE]
    assert [request.url.params.get("page") for request in bench.script.requests] == [None, "2"]


async def test_a_listing_without_page_information_is_whole() -> None:
    bench = Bench(success([certificate_json(type="gateway_managed")]))

    listed = await bench.client.list_certificates(ACCOUNT)

    assert [entry.belongs_to_cloudflare for entry in listed] == [True]
    assert len(bench.script.requests) == 1


async def test_a_listing_that_ends_too_early_is_not_returned_as_whole() -> None:
    bench = Bench(success([certificate_json()], result_info={"page": 1, "total_pages": 1, "total_count": 2}))

    with pytest.raises(MalformedAnswer, match="not whole"):
        await bench.client.list_certificates(ACCOUNT)


async def test_an_upload_sends_a_ca_and_reads_the_new_certificate() -> None:
    bench = Bench(success(certificate_json(name="mine", type="custom")))

    uploaded = await bench.client.upload_certificate(ACCOUNT, name="mine", pem="-----BEGIN CERTIFICATE-----")

    assert (uploaded.id, uploaded.name) == (CERTIFICATE, "mine")
    assert bench.script.last_body == {"ca": True, "certificates": "-----BEGIN CERTIFICATE-----", "name": "mine"}


async def test_a_private_key_is_never_uploaded() -> None:
    bench = Bench(success(certificate_json()))

    with pytest.raises(ValueError, match="private key"):
        await bench.client.upload_certificate(ACCOUNT, name="mine", pem="-----BEGIN EC PRIVATE KEY-----")

    assert bench.script.requests == []


async def test_a_certificate_is_deleted_whatever_the_answer_holds() -> None:
    bench = Bench(success(None))

    await bench.client.delete_certificate(ACCOUNT, CERTIFICATE)

    assert bench.script.requests[0].method == "DELETE"
    assert bench.script.requests[0].url.path.endswith(f"/accounts/{ACCOUNT}/mtls_certificates/{CERTIFICATE}")


@pytest.mark.parametrize(("answer", "used"), [(None, False), ([], False), ([{"service": "api_shield"}], True)])
async def test_whether_anybody_uses_a_certificate_is_asked_for_the_whole_account(answer: object, used: bool) -> None:
    bench = Bench(success(answer))

    assert await bench.client.is_certificate_used(ACCOUNT, CERTIFICATE) is used

    path = f"/accounts/{ACCOUNT}/mtls_certificates/{CERTIFICATE}/associations"
    assert bench.script.requests[0].url.path.endswith(path)


async def test_a_zone_that_never_had_rules_has_no_entry_point() -> None:
    bench = Bench(refusal(404, 10003, "could not find entrypoint ruleset in the http_request_firewall_custom phase"))

    assert await bench.client.get_entrypoint(ZONE) is None


async def test_another_404_is_not_taken_for_a_zone_without_rules() -> None:
    bench = Bench(refusal(404, 7003, "Could not route to /zones/..., perhaps your object identifier is invalid?"))

    with pytest.raises(NotFound):
        await bench.client.get_entrypoint(ZONE)


async def test_rules_are_read_in_their_order_with_the_version_of_their_ruleset() -> None:
    response = {"status_code": 403, "content_type": "text/plain", "content": "no"}
    ours = rule_json("1" * 32, ref="mine", action="block", enabled=True, action_parameters={"response": response})
    theirs: dict[str, object] = {"id": "2" * 32, "action": "skip", "expression": "true"}
    bench = Bench(success(ruleset_json(ours, theirs, version="17")))

    ruleset = await bench.client.get_entrypoint(ZONE)

    assert ruleset is not None
    assert (ruleset.id, ruleset.version) == (RULESET, 17)
    assert [rule.id for rule in ruleset.rules] == ["1" * 32, "2" * 32]
    assert ruleset.rules[0].body == RuleBody(
        ref="mine",
        action="block",
        expression="true",
        description="",
        enabled=True,
        response=BlockResponse(403, "text/plain", "no"),
    )
    assert ruleset.rules[1].body == RuleBody(
        ref="2" * 32, action="skip", expression="true", description="", enabled=True
    )


async def test_a_response_belongs_to_blocks_alone() -> None:
    parameters = {"response": {"status_code": 403, "content_type": "text/plain", "content": "no"}}
    bench = Bench(success(ruleset_json(rule_json(action="serve_error", action_parameters=parameters))))

    ruleset = await bench.client.get_entrypoint(ZONE)

    assert ruleset is not None
    assert ruleset.rules[0].body.response is None


async def test_a_ruleset_without_rules_is_empty() -> None:
    bench = Bench(success({"id": RULESET, "version": "1"}))

    ruleset = await bench.client.get_entrypoint(ZONE)

    assert ruleset is not None
    assert ruleset.rules == ()


@pytest.mark.parametrize(
    "result",
    [
        {"id": RULESET, "version": "latest", "rules": []},
        {"id": RULESET, "rules": []},
        {"version": "1", "rules": []},
        {"id": RULESET, "version": "1", "rules": "none"},
        {"id": RULESET, "version": "1", "rules": [{"action": "log"}]},
    ],
)
async def test_a_ruleset_that_lacks_what_identifies_it_is_malformed(result: object) -> None:
    bench = Bench(success(result))

    with pytest.raises(MalformedAnswer):
        await bench.client.get_entrypoint(ZONE)


async def test_the_entry_point_is_created_for_the_custom_phase() -> None:
    bench = Bench(success(ruleset_json(rule_json())))

    await bench.client.create_entrypoint(ZONE, [CLAIM])

    assert bench.script.requests[0].method == "POST"
    assert bench.script.last_body == {
        "name": "default",
        "kind": "zone",
        "phase": "http_request_firewall_custom",
        "rules": [
            {
                "ref": "mtls_operator_1",
                "action": "log",
                "expression": "(false)",
                "description": "mine",
                "enabled": False,
            }
        ],
    }


async def test_a_rule_is_added_before_another_one() -> None:
    bench = Bench(success(ruleset_json(rule_json(), version=4)))

    ruleset = await bench.client.add_rule(ZONE, RULESET, CLAIM, before=RULE)

    assert ruleset.version == 4
    assert bench.script.requests[0].url.path.endswith(f"/zones/{ZONE}/rulesets/{RULESET}/rules")
    assert bench.script.last_body == {
        "ref": "mtls_operator_1",
        "action": "log",
        "expression": "(false)",
        "description": "mine",
        "enabled": False,
        "position": {"before": RULE},
    }


async def test_an_update_sends_the_whole_definition_of_a_rule() -> None:
    bench = Bench(success(ruleset_json(rule_json())))

    await bench.client.update_rule(ZONE, RULESET, RULE, BLOCK)

    assert bench.script.requests[0].method == "PATCH"
    assert bench.script.last_body == {
        "ref": "mtls_operator_2",
        "action": "block",
        "expression": "(true)",
        "description": "mine",
        "enabled": True,
        "action_parameters": {
            "response": {"status_code": 403, "content_type": "text/plain", "content": "certificate required"}
        },
    }


async def test_deleting_a_rule_gives_the_ruleset_that_is_left() -> None:
    bench = Bench(success(ruleset_json(version="9")))

    ruleset = await bench.client.delete_rule(ZONE, RULESET, RULE)

    assert (ruleset.version, ruleset.rules) == (9, ())
    assert bench.script.requests[0].method == "DELETE"


def zone_json(account_id: str, name: str = "example.com") -> dict[str, object]:
    return {"id": ZONE, "name": name, "account": {"id": account_id}, "plan": {"name": "Enterprise Website"}}


async def test_a_zone_is_found_by_its_exact_name() -> None:
    bench = Bench(success([zone_json(ACCOUNT, "other.example.com"), zone_json(ACCOUNT)]))

    zone = await bench.client.find_zone("example.com", ACCOUNT)

    assert zone is not None
    assert (zone.id, zone.name, zone.account_id, zone.plan) == (ZONE, "example.com", ACCOUNT, "Enterprise Website")
    assert dict(bench.script.requests[0].url.params) == {"name": "example.com", "account.id": ACCOUNT}


async def test_a_zone_that_the_token_does_not_see_is_none() -> None:
    bench = Bench(success([]))

    assert await bench.client.find_zone("example.com") is None


async def test_two_zones_of_one_name_are_not_chosen_between() -> None:
    bench = Bench(success([zone_json("1" * 32), zone_json("2" * 32)]))

    with pytest.raises(AmbiguousZone, match="by its id"):
        await bench.client.find_zone("example.com")


async def test_a_users_token_is_verified_as_one() -> None:
    bench = Bench(success({"id": "t", "status": "active", "expires_on": "2027-01-01T00:00:00Z"}))

    status = await bench.client.verify_token()

    assert status.is_active
    assert status.expires_on is not None
    assert bench.script.requests[0].url.path.endswith("/client/v4/user/tokens/verify")


async def test_a_token_of_an_account_is_verified_there() -> None:
    bench = Bench(success({"id": "t", "status": "disabled"}))

    status = await bench.client.verify_token(ACCOUNT)

    assert not status.is_active
    assert bench.script.requests[0].url.path.endswith(f"/accounts/{ACCOUNT}/tokens/verify")


async def test_a_call_is_reported_with_the_template_of_its_path() -> None:
    bench = Bench(success({"hostnames": []}, {"Ratelimit": '"default";r=50;t=30'}))

    await bench.client.put_hostnames(ZONE, CERTIFICATE, ["a.example.com"])

    record = bench.records[0]
    assert (record.method, record.status, record.error, record.remaining) == ("PUT", 200, None, 50)
    assert record.endpoint == "/zones/{zone_id}/certificate_authorities/hostname_associations"


async def test_a_redirect_is_not_followed() -> None:
    bench = Bench(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}))

    with pytest.raises(MalformedAnswer, match="redirect"):
        await bench.client.get_zone(ZONE)

    assert len(bench.script.requests) == 1
