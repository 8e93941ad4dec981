"""Revocation lists of a CA: which certificates are kept out, what it costs, and what is told."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from testbed.cloudflare.state import Rule, State
from tests.certificates import Ca, crl_pem, make_ca, make_crl
from tests.e2e.resources import Manifest
from tests.e2e.story import writes
from tests.e2e.tenant import Tenant
from tests.e2e.waiting import until
from tests.e2e.world import World

SOURCE = {"secretRef": {"name": "crl", "key": "crl.pem"}}
OTHER = make_ca("Somebody else")


def lists(tenant: Tenant, *crls: x509.CertificateRevocationList) -> Manifest:
    return tenant.secret("crl", **{"crl.pem": crl_pem(*crls)})


def apply_revoking(tenant: Tenant, *serials: int, by: Ca | None = None, days: float = 7) -> None:
    tenant.apply(lists(tenant, make_crl(by or tenant.ca, serials, days=days)))


def set_up(tenant: Tenant, *serials: int) -> None:
    """A CA with a list, a binding, and both ready."""
    apply_revoking(tenant, *serials)
    tenant.apply(tenant.secret(), tenant.authority(revocation=SOURCE), tenant.binding("api"))
    tenant.wait_ready()


def rules(tenant: Tenant) -> list[Rule]:
    return [rule for rule in tenant.rules() if rule.description.startswith("mtls-operator/1 revoke ")]


def revoked(tenant: Tenant) -> set[str]:
    """Every spelling of a serial number that a rule in force names."""
    expressions = " ".join(rule.expression.split("cert_serial in")[1] for rule in rules(tenant) if rule.enabled)
    return set(re.findall(r'"([0-9A-F]+)"', expressions))


def wait_revoked(tenant: Tenant, *spellings: str) -> None:
    until(lambda: revoked(tenant) == set(spellings), f"exactly {spellings} are kept out")


def test_what_is_revoked_is_kept_out_from_before_the_hostname_is_enforced_until_it_is_given_up(tenant: Tenant) -> None:
    set_up(tenant, 0x1F, 0xABC)

    (rule,) = rules(tenant)
    host, issuer = tenant.zone.host("api"), tenant.ca.key_identifier
    assert rule.expression == (
        f'(lower(http.host) in {{"{host}"}} and cf.tls_client_auth.cert_issuer_ski in {{"{issuer}"}}'
        ' and cf.tls_client_auth.cert_serial in {"0ABC" "1F" "ABC"})'
    )
    assert (rule.action, rule.enabled) == ("block", True)
    made = [each for each in writes(tenant.history) if each.startswith("create rule")]
    assert made == ["create ruleset: claim arriving", "create rule: revoke", "create rule: enforce"]

    begun = len(tenant.history)
    tenant.tear_down()

    left = [each for each in writes(tenant.history[begun:]) if "rule" in each]
    assert left.index("delete rule: revoke") < left.index("change rule: claim leaving")
    assert (tenant.certificates, tenant.lists, tenant.rules()) == ([], {}, ())


def test_one_more_is_one_call_and_a_list_that_says_the_same_is_none(tenant: Tenant) -> None:
    set_up(tenant, 0x11, 0x12)
    begun = len(tenant.history)

    apply_revoking(tenant, 0x11, 0x12, 0x13)
    wait_revoked(tenant, "11", "12", "13")
    apply_revoking(tenant, 0x13, 0x12, 0x11, days=9)
    apply_revoking(tenant, 0x12, 0x13)
    wait_revoked(tenant, "12", "13")

    # A call is in the history when its answer is there, which is after what it did can be seen.
    until(lambda: len(writes(tenant.history[begun:])) > 1, "the second call is in the history")
    assert writes(tenant.history[begun:]) == ["change rule: revoke", "change rule: revoke"]


def test_without_lists_in_the_spec_the_rules_go(tenant: Tenant) -> None:
    set_up(tenant, 0x11)

    tenant.apply(tenant.authority())
    wait_revoked(tenant)

    assert rules(tenant) == []


def test_der_in_a_config_map_is_read_like_pem_in_a_secret(tenant: Tenant) -> None:
    data = make_crl(tenant.ca, [0x77]).public_bytes(Encoding.DER)
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "crl", "namespace": tenant.namespace},
        "binaryData": {"partners.crl": base64.b64encode(data).decode()},
    }
    source = {"configMapRef": {"name": "crl", "key": "partners.crl"}}

    tenant.apply(manifest, tenant.secret(), tenant.authority(revocation=source), tenant.binding("api"))
    tenant.wait_ready()

    assert revoked(tenant) == {"77"}


def break_missing(tenant: Tenant) -> None:
    tenant.kubectl("delete", "secret", "crl")


def break_key(tenant: Tenant) -> None:
    tenant.apply(tenant.secret("crl", other="nothing"))


def break_text(tenant: Tenant) -> None:
    tenant.apply(tenant.secret("crl", **{"crl.pem": "nothing"}))


def break_signer(tenant: Tenant) -> None:
    apply_revoking(tenant, 0x99, by=OTHER)


def break_expired(tenant: Tenant) -> None:
    tenant.apply(lists(tenant, make_crl(tenant.ca, [0x11], now=datetime.now(UTC) - timedelta(days=30))))


@pytest.mark.parametrize(
    ("breaks", "reason"),
    [
        (break_missing, "RevocationListMissing"),
        (break_key, "RevocationListMissing"),
        (break_text, "RevocationListInvalid"),
        (break_signer, "RevocationListInvalid"),
        (break_expired, "RevocationListExpired"),
    ],
    ids=["missing", "no key", "no list", "another signer", "expired"],
)
def test_bad_lists_leave_in_force_what_is_in_force_and_are_told(
    tenant: Tenant, breaks: Callable[[Tenant], None], reason: str
) -> None:
    set_up(tenant, 0x11)
    before, begun = tenant.rules(), len(tenant.history)

    breaks(tenant)
    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", reason)

    assert tenant.rules() == before
    assert writes(tenant.history[begun:]) == []
    assert tenant.condition("mtlshb/api", "Ready")["status"] == "True"
    assert tenant.wait_warning("partners", reason)

    apply_revoking(tenant, 0x11, 0x12)
    tenant.wait_ready("mtlsca/partners")
    wait_revoked(tenant, "11", "12")


def test_a_list_expires_without_anybody_touching_it(tenant: Tenant) -> None:
    due = timedelta(seconds=8) / timedelta(days=1)
    apply_revoking(tenant, 0x11, days=due)
    tenant.apply(tenant.secret(), tenant.authority(revocation=SOURCE), tenant.binding("api"))
    tenant.wait_ready("mtlshb/api")

    tenant.wait_condition("mtlsca/partners", "SourceResolved", "False", "RevocationListExpired")

    assert revoked(tenant) == {"11"}


def test_bad_lists_keep_no_ca_from_being_uploaded(tenant: Tenant) -> None:
    apply_revoking(tenant, 0x11, by=OTHER)

    tenant.apply(tenant.secret(), tenant.authority(revocation=SOURCE), tenant.binding("api"))
    tenant.wait_ready("mtlshb/api")

    assert len(tenant.certificates) == 1
    assert tenant.condition("mtlsca/partners", "SourceResolved")["reason"] == "RevocationListInvalid"


def test_a_rotation_keeps_out_what_both_cas_revoked(tenant: Tenant) -> None:
    new = make_ca(f"New CA of {tenant.namespace}")
    set_up(tenant, 0x11)
    tenant.apply(tenant.authority(revocation=SOURCE, rotation={"overlap": "1h"}))

    tenant.apply(lists(tenant, make_crl(new, [0x22])), tenant.secret(**{"ca.crt": new.pem}))
    until(lambda: tenant.get("mtlsca/partners")["status"].get("rotation", {}).get("phase") == "Overlap", "the overlap")

    assert revoked(tenant) == {"11", "22"}
    widened = [
        {
            rule.description.split()[1]
            for rule in tenant_rules(each.after, tenant)
            if new.key_identifier in rule.expression
        }
        for each in tenant.history
    ]
    assert {"enforce"} not in widened
    assert widened[-1] == {"enforce", "revoke"}


def tenant_rules(state: State, tenant: Tenant) -> tuple[Rule, ...]:
    ruleset = state.rulesets.get(tenant.zone.id)
    return () if ruleset is None else ruleset.rules


def test_a_rule_that_somebody_deletes_comes_back(tenant: Tenant) -> None:
    set_up(tenant, 0x11)
    (gone,) = rules(tenant)

    def without(state: State) -> State:
        ruleset = state.rulesets[tenant.zone.id]
        left = tuple(rule for rule in ruleset.rules if rule.id != gone.id)
        return state.with_ruleset(tenant.zone.id, replace(ruleset, rules=left, version=ruleset.version + 1))

    tenant.world.simulation.install(without, settled=True)
    tenant.kubectl("annotate", "mtlshb/api", "apishield-mtls.io/reconcile-requested-at=now")

    wait_revoked(tenant, "11")


def test_a_restart_finds_nothing_new_to_do_or_say(tenant: Tenant) -> None:
    set_up(tenant, 0x11)
    before, begun = tenant.get("mtlsca/partners"), len(tenant.history)

    tenant.world.restart()
    tenant.apply(tenant.binding("other", name="other"))
    tenant.wait_ready("mtlshb/other")

    assert tenant.get("mtlsca/partners")["status"]["conditions"] == before["status"]["conditions"]
    assert "delete rule: revoke" not in writes(tenant.history[begun:])
    (rule,) = rules(tenant)
    assert all(tenant.zone.host(label) in rule.expression for label in ("api", "other"))


@pytest.fixture
def few_rules(module_world: World) -> Iterator[Tenant]:
    """A tenant of an operator that may have one rule about revoked certificates in a zone."""
    with module_world.configured({"revocation": {"maxRulesPerZone": 1}}):
        yield Tenant.arrive(module_world)


def test_what_does_not_fit_is_said_and_the_newest_are_kept_out(few_rules: Tenant) -> None:
    tenant, now = few_rules, datetime.now(UTC).replace(microsecond=0)
    moments = {10**40 + number: now - timedelta(minutes=number) for number in range(300)}
    tenant.apply(lists(tenant, make_crl(tenant.ca, moments)))
    tenant.apply(tenant.secret(), tenant.authority(revocation=SOURCE), tenant.binding("api"))
    tenant.wait_ready("mtlshb/api")

    message = tenant.wait_condition("mtlshb/api", "Enforced", "True", "RevocationIncomplete")

    assert len(rules(tenant)) == 1
    newest, oldest = f"{10**40:X}", f"{10**40 + 299:X}"
    assert (newest in revoked(tenant), oldest in revoked(tenant)) == (True, False)
    left_out = int(re.findall(r"but (\d+) revoked", message)[0])
    assert left_out == 300 - len(revoked(tenant)) > 150
    assert tenant.wait_warning("api", "RevocationIncomplete")
