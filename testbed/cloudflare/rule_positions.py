"""Where a rule goes in its ruleset: `{before: id}`, `{after: id}` or `{index: n}`.

Source: Cloudflare's "Change the order of a rule in a ruleset". An empty id means the very first or last place,
`index` counts from 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from testbed.cloudflare.calls import checked_object
from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.state import Rule


def placed(others: Sequence[Rule], rule: Rule, position: object) -> list[Rule]:
    """The other rules with `rule` among them. Raises RefusalError for a position that does not exist."""
    fields = checked_object(position, {"before", "after", "index"}, (), "/position")
    if len(fields) != 1:
        raise _refused("must have exactly one of before, after and index")
    ((kind, value),) = fields.items()
    at = _index(value, len(others)) if kind == "index" else _neighbour(others, kind, value)
    return [*others[:at], rule, *others[at:]]


def _index(value: object, others: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= others + 1:
        raise _refused(f"index must be a number from 1 to {others + 1}")
    return value - 1


def _neighbour(others: Sequence[Rule], kind: str, value: object) -> int:
    if value == "":
        return 0 if kind == "before" else len(others)
    for at, other in enumerate(others):
        if other.id == value:
            return at if kind == "before" else at + 1
    raise _refused(f"{kind} must be the id of another rule of the ruleset")


def _refused(message: str) -> RefusalError:
    return RefusalError(400, 20020, f"invalid position: {message}", pointer="/position")
