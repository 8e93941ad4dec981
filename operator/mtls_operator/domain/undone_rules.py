"""Rules of ours that somebody changed, moved behind others or took away, from one state of a ruleset to another.

What counts is whether a rule stands as we write it: with our marks, readable, enabled if it acts on requests, before
the rules of others. So somebody who enables again what he disabled has undone nothing, and neither has one who puts
back the same rule under another id.
"""

from __future__ import annotations

from collections.abc import Mapping

from mtls_operator.domain.marks import Claim, Installation, Unreadable, read_mark
from mtls_operator.domain.observed import RuleBody, Ruleset
from mtls_operator.domain.zone_view import view_of


def fallen(before: Ruleset | None, after: Ruleset | None, us: Installation) -> frozenset[str]:
    """The hostnames of our rules that stood in `before` and do not in `after`. Rules that were left behind on purpose
    are nobody's to put right."""
    if before == after:
        return frozenset()
    left = _standing(after, us)
    gone = (hostnames for body, hostnames in _standing(before, us).items() if body not in left)
    return frozenset[str]().union(*gone)


def _standing(ruleset: Ruleset | None, us: Installation) -> Mapping[RuleBody, frozenset[str]]:
    view = view_of(ruleset, us)
    amiss = {*view.misplaced, *(rule_id for rule_id, _ in view.defaced)}
    found: dict[RuleBody, frozenset[str]] = {}
    for rule in ruleset.rules if ruleset else ():
        mark = read_mark(rule)
        if mark is None or isinstance(mark, Unreadable) or mark.installation != us or rule.id in amiss:
            continue
        if isinstance(mark, Claim) or (mark.enabled and not mark.retained):
            found[rule.body] = mark.hostnames
    return found
