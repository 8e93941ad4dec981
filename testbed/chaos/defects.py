"""Defects to be planted: per safety invariant of the design the smallest change of the source that breaks it.

Where two parts of the operator each keep the promise by themselves, both are changed; `sound` is in its file exactly
once, or the table is out of date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Change:
    """Of a file of the package `mtls_operator`."""

    file: str
    sound: str
    broken: str


@dataclass(frozen=True)
class Defect:
    """`invariant` of the design that is broken first of all; others may be found before it. 0: none that a request
    could be blamed for; what a status says is not so, which only visitors see."""

    name: str
    invariant: int
    what: str
    changes: tuple[Change, ...]


DEFECTS: Final = (
    Defect(
        "list-of-nobody",
        1,
        "a list is written without the certificate whose it is",
        (
            Change(
                "cloudflare/decoding.py",
                'return {"mtls_certificate_id": str(certificate_id), "hostnames"',
                'return {"hostnames"',
            ),
        ),
    ),
    Defect(
        "settle-time",
        2,
        "a hostname is enforced as soon as it was put, not when it has settled",
        (
            Change(
                "domain/zone_lists.py",
                "    return max(put + settle, late_write",
                "    return max(put, late_write",
            ),
        ),
    ),
    Defect(
        "early-release",
        2,
        "the claim becomes leaving while the rule still covers the hostname",
        (
            Change(
                "domain/zone_rules.py",
                "    return not (relying or named) or zone.has_moved(hostname)",
                "    return True",
            ),
        ),
    ),
    Defect(
        "foreign-hostnames",
        3,
        "a list is written with what installations claim, and nothing else",
        (
            Change(
                "domain/zone_lists.py",
                "return (observed - given_up) |",
                "return (observed - observed) | given_up - given_up |",
            ),
        ),
    ),
    Defect(
        "key-in-an-upload",
        4,
        "a source is sent as it is, with all that is in it",
        (
            Change(
                "domain/certificates.py",
                "    return Bundle(tuple(_describe(each) for each in distinct.values()))\n\n\ndef _load_all(",
                "    whole = (replace(_describe(each), pem=text.decode()) for each in distinct.values())\n"
                "    return Bundle(tuple(whole))\n\n\nfrom dataclasses import replace\n\n\ndef _load_all(",
            ),
            Change("cloudflare/client.py", 'if "PRIVATE KEY" in pem:', "if False:"),
        ),
    ),
    Defect(
        "unmarked-deletion",
        5,
        "an adopted certificate without a mark is deleted with its CA",
        (
            Change(
                "domain/marks.py",
                '    return match["owner"] if match else None',
                '    return match["owner"] if match else "cluster-a"',
            ),
        ),
    ),
    Defect(
        "no-overlap",
        6,
        "previous CAs are retired as soon as the new ones are in force",
        (
            Change(
                "domain/rotation.py",
                "retire_after=now + overlap if retiring.fingerprints else now",
                "retire_after=now",
            ),
        ),
    ),
    Defect(
        "second-upload",
        7,
        "what may have been sent is sent again at once",
        (
            Change(
                "domain/account_upload.py",
                "    return since is None or looked_long_enough(account, agenda, demand, bundle.fingerprint, since)",
                "    return True",
            ),
        ),
    ),
    Defect(
        "early-removal",
        8,
        "work begins before the resources of the cluster are listed",
        (
            Change(
                "engine/engine.py",
                "            await self._listing.complete()\n            self.listed",
                "            self.listed",
            ),
        ),
    ),
    Defect(
        "rules-of-others",
        9,
        "the marks of another installation are taken for one's own",
        (
            Change(
                "domain/zone_view.py",
                "        if isinstance(mark, Claim | Enforcement | Revocation) and mark.installation == us\n",
                "        if isinstance(mark, Claim | Enforcement | Revocation)\n",
            ),
        ),
    ),
    Defect(
        "given-up-in-doubt",
        10,
        "a binding that cannot be reconciled wants nothing any more",
        (
            Change(
                "domain/stakes.py",
                "        wants = _as_recorded(managed, authority_of(record))",
                "        wants = {}",
            ),
        ),
    ),
    Defect(
        "no-finalizer",
        11,
        "a binding is never held",
        (
            Change(
                "domain/zone_plan.py",
                "if stake.wants and not stake.has_finalizer",
                "if False and not stake.has_finalizer",
            ),
        ),
    ),
    Defect(
        "late-record",
        11,
        "a hostname is recorded when it has been added",
        (
            Change(
                "domain/zone_plan.py",
                "            *_cluster_steps(zone, gone),\n            *zone_rules",
                "            *zone_rules",
            ),
            Change(
                "domain/zone_plan.py",
                "*zone_lists.steps(zone, agenda),\n        ),",
                "*zone_lists.steps(zone, agenda),\n            *_cluster_steps(zone, gone),\n        ),",
            ),
        ),
    ),
    Defect(
        "no-consent",
        12,
        "a CA admits the bindings of every namespace",
        (
            Change(
                "domain/consent.py",
                "        return namespace == authority.namespace",
                "        return True",
            ),
        ),
    ),
    Defect(
        "gap-in-a-move",
        13,
        "a hostname leaves its rule before it enters another",
        (
            Change(
                "domain/zone_rules.py",
                "for edit in edits or removals(zone.view.enforcement, wanted)]",
                "for edit in removals(zone.view.enforcement, wanted) or edits]",
            ),
        ),
    ),
    Defect(
        "ready-too-soon",
        0,
        "a binding is Ready when Cloudflare's API has its rule, not when the edge has it",
        (
            Change(
                "domain/zone_places.py",
                'enforced_since.get((hostname, action), float("inf")) + self.timing.settle',
                'enforced_since.get((hostname, action), float("inf"))',
            ),
        ),
    ),
    Defect(
        "ready-unseen",
        0,
        "what was said of a spec is said of another one before anybody has looked",
        (
            Change(
                "domain/binding_status.py",
                "previous.observed_generation != generation",
                "previous.observed_generation is None",
            ),
        ),
    ),
)
