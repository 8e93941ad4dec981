"""What a CA resource's revocation lists say now, and what is told of them.

| the source of the lists                      | what is told              | what is in force                          |
|----------------------------------------------|---------------------------|-------------------------------------------|
| is not named                                 | nothing                   | goes                                      |
| is missing, or its key                       | `RevocationListMissing`   | stays                                     |
| cannot be read, or has not been yet          | `SourceUnreadable`        | stays                                     |
| has a list that is none, or of an unknown CA | `RevocationListInvalid`   | stays, and the good lists add to it       |
| has a list that is past its nextUpdate       | `RevocationListExpired`   | stays, and the list adds to it            |

As long as something is wrong with a source nothing is taken back: a list that cannot be read may be a part of any CA's,
and what was revoked stays revoked when its list is over.

A certificate of a CA that retires may not be known any more (the source has another one, the account was not listed
since the start). A list of nobody known is not called invalid then, because it may be of that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus
from mtls_operator.api.conditions import Condition
from mtls_operator.api.reasons import Reason
from mtls_operator.api.times import format_moment
from mtls_operator.domain.certificates import CaCertificate
from mtls_operator.domain.revocation_lists import IssuerList, ReadLists, read_lists
from mtls_operator.domain.revoked import NONE_WANTED, Revocations
from mtls_operator.domain.sources import Contents, SourceKey, Unreadable
from mtls_operator.domain.verdicts import Verdict, blocked, waiting

_STAYS = "What is in force stays."
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class RevocationAssessment:
    """What follows from a CA's revocation lists."""

    revoked: Revocations | None
    """None: that is not known, and what is in force stays."""
    problem: Verdict | None = None
    changes_at: datetime | None = None
    """When a list is due to be replaced."""


NOT_KNOWN = RevocationAssessment(None)


@dataclass(frozen=True, slots=True)
class InForce:
    """The CA certificates that lists may be signed by."""

    known: frozenset[CaCertificate]
    complete: bool
    """Whether these are all that are in force."""


def in_force(
    status: CertificateAuthorityStatus, of_source: Iterable[CaCertificate], uploaded: Mapping[str, CaCertificate]
) -> InForce:
    """The certificates of the source and those that the status says are accepted. `uploaded` are those that were seen
    in the account, by fingerprint."""
    fingerprints = frozenset(status.fingerprints).union(*(each.fingerprints for each in status.retiring))
    mine = {each.fingerprint: each for each in of_source}
    others = {name: uploaded[name] for name in fingerprints - mine.keys() if name in uploaded}
    return InForce(frozenset((*mine.values(), *others.values())), fingerprints <= mine.keys() | others.keys())


def assess_revocation(
    source: tuple[SourceKey, str] | None,
    contents: Contents,
    authorities: InForce,
    now: datetime,
    before: Condition | None = None,
) -> RevocationAssessment:
    """Judge the revocation lists of a CA, at an object and key of it. `before` is what was said of its sources last."""
    if source is None:
        return RevocationAssessment(NONE_WANTED)
    key, name = source
    if key not in contents:
        return RevocationAssessment(None, waiting(Reason.PROGRESSING, f"{key} is being read"))
    data = contents[key]
    if isinstance(data, Unreadable):
        return RevocationAssessment(
            None,
            waiting(Reason.SOURCE_UNREADABLE, f"{key} with revocation lists cannot be read ({data.why}). {_STAYS}"),
        )
    if data is None or name not in data:
        missing = f"{key} with revocation lists does not exist" if data is None else f"{key} has no key {name}"
        return RevocationAssessment(None, waiting(Reason.REVOCATION_LIST_MISSING, f"{missing}. {_STAYS}"))
    return _judged(f"{key}, key {name}", read_lists(data[name], authorities.known), authorities, now, before)


def _judged(
    what: str, read: ReadLists, authorities: InForce, now: datetime, before: Condition | None
) -> RevocationAssessment:
    expired = [(issuer, each) for issuer, each in read.by_issuer if _is_over(each, now)]
    problem = _invalid(what, read, authorities, before) or _expired(what, expired)
    is_whole = not (read.problems or read.strangers)
    lists = (
        (issuer, each.revoked if is_whole and not _is_over(each, now) else each.revoked.in_part)
        for issuer, each in read.by_issuer
    )
    updates = (each.next_update for _, each in read.by_issuer if each.next_update is not None)
    return RevocationAssessment(
        Revocations(tuple(lists)), problem, min((at for at in updates if now < at), default=None)
    )


def _is_over(each: IssuerList, now: datetime) -> bool:
    return each.next_update is not None and now >= each.next_update


def _invalid(what: str, read: ReadLists, authorities: InForce, before: Condition | None) -> Verdict | None:
    unsigned = tuple(f"{each} is not signed by a CA in force" for each in read.strangers)
    if read.problems or (unsigned and authorities.complete):
        return blocked(Reason.REVOCATION_LIST_INVALID, f"{what}: {_listed((*read.problems, *unsigned))}. {_STAYS}")
    if unsigned and before is not None and before.reason == Reason.REVOCATION_LIST_INVALID:
        return blocked(Reason.REVOCATION_LIST_INVALID, before.message)
    return None


def _expired(what: str, expired: Sequence[tuple[str, IssuerList]]) -> Verdict | None:
    if not expired:
        return None
    named = (f"{issuer} (on {format_moment(each.next_update)})" for issuer, each in expired if each.next_update)
    return blocked(
        Reason.REVOCATION_LIST_EXPIRED,
        f"{what}: the list of the CA with this key identifier had to be replaced: {_listed(tuple(named))}. {_STAYS}",
    )


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - _NAMED_AT_MOST} more" if len(items) > _NAMED_AT_MOST else ""
    return "; ".join(items[:_NAMED_AT_MOST]) + more
