"""What would be done in an account for a CA that is only observed, in lines for people (`status.plan`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mtls_operator.api.certificate_authority import RotationPhase
from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan, plan_account
from mtls_operator.domain.account_steps import AccountStep, DeleteCertificate, RecordCertificate, RecordRotation, Upload
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.rotation import Rotation
from mtls_operator.domain.zone_knowledge import Reading
from mtls_operator.domain.zone_places import Timing

_LONG_AGO = -1e9


def foresee(
    demand: Demand, others: tuple[Demand, ...], known: AccountKnowledge, timing: Timing, *, limit: int, owner: str
) -> tuple[str, ...] | None:
    """What would be done if the CA were managed, as if the account had been known for long. None while its token has
    not listed the account."""
    if demand.token not in known.listings:
        return None
    listed = known.listed_by(demand.token)
    reading = Reading(listed, 0.0)
    long_known = replace(known, started=_LONG_AGO, doubted=_LONG_AGO, sent={}, listings={demand.token: reading})
    acting = replace(demand, idle=False, observed=False)
    plan = plan_account((acting, *others), long_known, 0.0, timing, limit=limit, owner=owner)
    return (*_obstacles(acting, plan, limit), *_lines(acting, plan.steps, listed))


def _obstacles(demand: Demand, plan: AccountPlan, limit: int) -> Iterator[str]:
    if demand.halted:
        yield "write nothing: another cluster uses our ownerId"
    if demand.authority in plan.without_slot:
        yield f"wait for a free slot: all {limit} of the account are occupied"
    if found := plan.not_adopted.get(demand.authority):
        yield (
            f"leave certificate {found.id} ({found.name}) alone: it holds the same CA certificates without a mark of"
            " this operator, and spec.adoptionPolicy is Never"
        )


def _lines(demand: Demand, steps: tuple[AccountStep, ...], listed: tuple[Certificate, ...]) -> Iterator[str]:
    names = {each.id: each.name for each in listed}
    for step in steps:
        match step:
            case Upload(demand.authority, bundle, name):
                yield f"upload {len(bundle.certificates)} CA certificate(s), {bundle.subject}, as {name}"
            case RecordCertificate(demand.authority, certificate_id, _, _, _):
                yield f"use certificate {certificate_id} ({_named(names, certificate_id)}), which holds the same"
            case RecordRotation(demand.authority, Rotation(RotationPhase.WIDENING), _, _):
                yield "put the CA certificates of the source in force beside those of before, and withdraw these later"
            case DeleteCertificate(demand.authority, certificate_id):
                yield f"delete certificate {certificate_id} ({_named(names, certificate_id)})"
            case _:
                continue


def _named(names: dict[CertificateId, str], certificate: CertificateId) -> str:
    return names.get(certificate, "without a name")
