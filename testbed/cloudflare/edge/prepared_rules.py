"""Rulesets made ready to be asked often: they remember what they decided.

Chaos and crash runs ask about the same few requests at every instant, and most instants change nothing of a ruleset.
A ruleset is known again by being the same object: states share what did not change.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from testbed.cloudflare.edge.firewall import Decision, decide_by_rules
from testbed.cloudflare.expressions import Values
from testbed.cloudflare.state import Ruleset

_MOST_RULESETS: Final = 256
_OF_THE_CLOCK: Final = "http.request.timestamp"


class PreparedRules:
    """The rules of one ruleset. Rules that look at the clock are asked anew each time."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self._remembers = not any(_OF_THE_CLOCK in rule.expression for rule in ruleset.rules)
        self._decided: dict[Hashable, Decision] = {}

    def decide(self, request: Hashable, values: Callable[[], Values]) -> Decision:
        """What becomes of a request. `request` stands for all that `values` come from but the clock."""
        known = self._decided.get(request)
        if known is None:
            known = decide_by_rules(self.ruleset.rules, values())
            if self._remembers:
                self._decided[request] = known
        return known


_PREPARED: OrderedDict[int, PreparedRules] = OrderedDict()
_LOCK = threading.Lock()


def prepared(ruleset: Ruleset) -> PreparedRules:
    """The ruleset, prepared once for as long as it is among those used last."""
    with _LOCK:
        found = _PREPARED.get(id(ruleset))
        if found is None:
            # What is kept holds its ruleset, so no other can have its id meanwhile.
            found = _PREPARED[id(ruleset)] = PreparedRules(ruleset)
        _PREPARED.move_to_end(id(ruleset))
        while len(_PREPARED) > _MOST_RULESETS:
            _PREPARED.popitem(last=False)
        return found
