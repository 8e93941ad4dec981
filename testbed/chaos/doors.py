"""Who gets in to a hostname, as a data centre of Cloudflare's decides it; asked often, so that it is remembered.

Which of the clients get in depends on the rules that are enabled, on the IP Access rules, on the CAs that count for the
hostname and on how the edge is, and on nothing else: no story's rule looks at the clock, and no certificate expires in
one. Claims are disabled rules, so most writes of a ruleset change nothing here.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Final

from testbed.chaos.clients import Client, clients
from testbed.cloudflare.edge.request_fields import EdgeRequest
from testbed.cloudflare.edge.settings import EdgeSettings
from testbed.cloudflare.edge.trust import trust_in
from testbed.cloudflare.edge.visit import Replica, answer, open_connection
from testbed.cloudflare.state import Ruleset

_MOST_REMEMBERED: Final = 50_000
_ANSWERED: dict[Hashable, frozenset[Client]] = {}
"""Of all stories of this process."""


class Doors:
    """Of one kind of edge. `moment`: Unix time in seconds of a handshake."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = replace(settings, lists_delay=0.0, rules_delay=0.0)
        self._rules: dict[int, tuple[Ruleset, Hashable]] = {}
        """By the identity of a ruleset, which is kept so that no other can have it, what of it decides."""

    def admitted(self, replica: Replica, zone_id: str, hostname: str, moment: float) -> frozenset[Client]:
        """Those who get through to the origin of a hostname."""
        by_address = tuple(replica.rules.access_rules.items())
        trust = trust_in(replica.lists, hostname, self._settings)
        key = (self._settings, hostname, trust, self._deciding(replica.rules.rulesets.get(zone_id)), by_address)
        found = _ANSWERED.get(key)
        if found is None:
            if len(_ANSWERED) >= _MOST_REMEMBERED:
                _ANSWERED.clear()
            found = _ANSWERED[key] = frozenset(
                each for each in clients() if self._admits(replica, hostname, each, moment)
            )
        return found

    def _admits(self, replica: Replica, hostname: str, client: Client, moment: float) -> bool:
        connection = open_connection(replica, hostname, client.chain, self._settings, moment)
        return answer(replica, connection, EdgeRequest(hostname), self._settings, moment).passed

    def _deciding(self, ruleset: Ruleset | None) -> Hashable:
        if ruleset is None:
            return ()
        known = self._rules.get(id(ruleset))
        if known is None:
            rules = (each for each in ruleset.rules if each.enabled)
            deciding = tuple((each.action, each.expression, repr(each.action_parameters)) for each in rules)
            known = self._rules[id(ruleset)] = (ruleset, deciding)
        return known[1]
