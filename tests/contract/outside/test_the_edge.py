"""What is found of hostnames at the simulated edge, by real TLS clients."""

from __future__ import annotations

import pytest

from mtls_operator.api.reasons import Reason
from mtls_operator.domain.verification import Refusal, judge
from mtls_operator.outside.identities import Imitated
from mtls_operator.outside.visits import Papers
from testbed.cloudflare.edge.settings import AS_SENT, NORMALISED, EdgeSettings, HostForm
from tests.contract.edge.world import HOSTNAME
from tests.contract.outside.guarded import Guarded, effects, guarded_edge, papers_of

UPPER = HOSTNAME.upper()
CLOSED_FORMS = {
    f"WITHOUT {UPPER}": "blocked",
    f"WITHOUT {HOSTNAME}.": "blocked",
    f"WITHOUT {HOSTNAME}:443": "blocked",
    f"WITHOUT {HOSTNAME}.:443": "blocked",
}
TOLERANT = rf'(lower(http.host) matches "^(?:{HOSTNAME})\.?(?::[0-9]+)?$" and not cf.tls_client_auth.cert_verified)'


async def test_a_tolerant_rule_lets_good_clients_through_and_nobody_else() -> None:
    with guarded_edge() as guarded:
        guarded.close(TOLERANT)
        found = await guarded.findings(papers_of(guarded.client()))

    assert effects(found) == {
        "WITHOUT": "blocked",
        "SELF_SIGNED": "blocked",
        "STRANGER": "blocked",
        **CLOSED_FORMS,
        "GOOD": "let through",
    }
    assert judge(found).reason is Reason.VERIFIED


async def test_an_exact_rule_is_enough_where_the_edge_normalises_names() -> None:
    with guarded_edge(EdgeSettings(host=NORMALISED)) as guarded:
        guarded.close()
        found = await guarded.findings()

    assert judge(found).reason is Reason.VERIFIED


@pytest.mark.parametrize(
    ("form", "open_forms"),
    [
        (AS_SENT, {f"{HOSTNAME}.", f"{HOSTNAME}:443", f"{HOSTNAME}.:443"}),
        (HostForm(case=True, port=False, dot=True), {f"{HOSTNAME}.", f"{HOSTNAME}.:443"}),
        (HostForm(case=False, port=True, dot=False), {f"{HOSTNAME}:443", f"{HOSTNAME}.:443"}),
    ],
)
async def test_forms_of_the_name_that_an_exact_rule_does_not_match_are_found(
    form: HostForm, open_forms: set[str]
) -> None:
    with guarded_edge(EdgeSettings(host=form)) as guarded:
        guarded.close()
        found = await guarded.findings()

    assert {each.question.host for each in found if each.is_as_it_should_be is False} == open_forms
    assert judge(found).reason is Reason.HOST_VARIANT_OPEN


async def test_without_a_rule_everybody_gets_through() -> None:
    with guarded_edge() as unguarded:
        found = await unguarded.findings()

    assert set(effects(found).values()) == {"let through"}
    assert judge(found).reason is Reason.BAD_CLIENT_ADMITTED


async def test_a_stranger_that_imitates_name_and_key_identifier_of_the_ca_stays_out(guarded: Guarded) -> None:
    subject = guarded.ours.certificate.subject.rfc4514_string()
    found = await guarded.findings(Papers(Imitated(subject, guarded.ours.key_identifier)))

    assert effects(found)["STRANGER"] == "blocked"


async def test_a_rule_that_asks_for_the_issuer_alone_lets_the_imitating_stranger_in() -> None:
    with guarded_edge() as guarded:
        pinned = f'cf.tls_client_auth.cert_issuer_ski in {{"{guarded.ours.key_identifier}"}}'
        guarded.close(f'(lower(http.host) in {{"{HOSTNAME}"}} and not {pinned})')
        found = await guarded.findings(papers_of(guarded.client()))

    assert (effects(found)["WITHOUT"], effects(found)["STRANGER"]) == ("blocked", "let through")


async def test_a_revoked_client_gets_in_until_a_rule_names_its_serial_number(guarded: Guarded) -> None:
    papers = papers_of(guarded.client(), guarded.client("revoked", serial=0xABCDEF))
    before = effects(await guarded.findings(papers))
    guarded.world.block(f'(http.host eq "{HOSTNAME}" and cf.tls_client_auth.cert_serial in {{"ABCDEF"}})')
    after = effects(await guarded.findings(papers))

    assert (before["REVOKED"], after["REVOKED"]) == ("let through", "blocked")
    assert after["GOOD"] == "let through"


async def test_a_good_client_that_a_rule_refuses_is_found(guarded: Guarded) -> None:
    guarded.world.block(f'(http.host eq "{HOSTNAME}")')
    found = await guarded.findings(papers_of(guarded.client()))

    assert effects(found)["GOOD"] == "blocked"


async def test_a_response_of_the_binding_counts_as_the_block_and_another_one_does_not() -> None:
    response = {"status_code": 451, "content_type": "application/json", "content": "{}"}
    with guarded_edge(EdgeSettings(host=NORMALISED)) as guarded:
        guarded.close(action_parameters={"response": response})
        own = judge(await guarded.findings(refusal=Refusal(451, "application/json")))
        other = judge(await guarded.findings(refusal=Refusal(451, "text/plain")))
        default = judge(await guarded.findings())

    assert own.reason is Reason.VERIFIED
    assert {other.reason, default.reason} == {Reason.BAD_CLIENT_ADMITTED}


async def test_a_hostname_that_the_edge_does_not_serve_tells_nothing(guarded: Guarded) -> None:
    report = await guarded.visitor().visit(["elsewhere.test"], "/", Papers())

    assert {type(answer).__name__ for _, answer in report.answers} == {"Unanswered"}
