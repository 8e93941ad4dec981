"""What is known of a zone after a call that failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard

from mtls_operator.cloudflare.errors import CloudflareError, NotFound, QuotaExceeded
from mtls_operator.domain.marks import Installation, Revocation, read_mark
from mtls_operator.domain.observed import Rule
from mtls_operator.domain.zone_knowledge import ZoneKnowledge
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_steps import DeleteRule, ReadList, WriteList, WriteRule
from mtls_operator.engine.zone_calls import CloudflareStep


def after_failure(
    known: ZoneKnowledge, step: CloudflareStep, error: CloudflareError, now: float, *, us: Installation, timing: Timing
) -> ZoneKnowledge:
    """A write that may have been carried out makes what it was about unknown; one that was refused rested on something
    that is not so, and one that was never sent changes nothing."""
    if error.answer_lost and isinstance(step, WriteRule | DeleteRule):
        return known.with_rules_unknown(now + timing.late_write)
    if error.status is None and not error.answer_lost:
        return known
    if isinstance(step, WriteRule | DeleteRule):
        if isinstance(error, QuotaExceeded) and isinstance(step, WriteRule) and step.rule_id is None:
            known = known.with_revocations_limited(us, give_way=not _is_revocation(step))
        return replace(known, rules_must_be_read=True)
    if isinstance(step, ReadList | WriteList) and is_missing(step, error):
        return known.with_list_missing(step.certificate, now)
    if isinstance(step, WriteList):
        return known.with_list_write_lost(step.certificate, now)
    return known


def is_missing(step: CloudflareStep, error: CloudflareError) -> bool:
    """Whether Cloudflare does not have the certificate whose list was asked for."""
    return isinstance(error, NotFound) and isinstance(step, ReadList | WriteList)


def has_gone(
    step: CloudflareStep, before: ZoneKnowledge, after: ZoneKnowledge, window: float
) -> TypeGuard[ReadList | WriteList]:
    """Whether it is known only now, after two answers, that there is no certificate whose list was asked for."""
    if not isinstance(step, ReadList | WriteList):
        return False
    return after.is_gone(step.certificate, window) and not before.is_gone(step.certificate, window)


def is_no_failure(before: ZoneKnowledge, after: ZoneKnowledge, step: CloudflareStep, error: CloudflareError) -> bool:
    """Whether what was refused is known now and says nothing of the token: what else is to be done goes on. That the
    zone's plan has no rule left is told as what does not fit, be it for one more about revoked certificates or for what
    one of those has to give way to."""
    return is_missing(step, error) or before.most_revocation_rules != after.most_revocation_rules


def _is_revocation(step: WriteRule) -> bool:
    return isinstance(read_mark(Rule("new", step.body)), Revocation)
