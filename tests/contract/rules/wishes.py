"""What bindings wish, and the rules that the operator's plan comes to: every expression that it writes is among them.

The plan is carried out to its end in a calm zone, so that rules are made, filled, split and put in order by the code
that does it in the operator. Nothing here looks into an expression.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.revoked import Revocations, RevokedSerials
from mtls_operator.domain.serial_numbers import serial_number
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import DeleteRule, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import BLOCK, LOG, Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_installation import Cluster, Operator, Troubles
from tests.unit.domain.simulated_zone import Past, SimulatedZone
from tests.unit.domain.virtual_time import Chance, VirtualTime

ZONE_NAME: Final = "example.com"
LONGEST_HOSTNAME: Final = 253
LONGEST_LABEL: Final = 63
LONGEST_IDENTIFIER: Final = 64
"""In bytes: the longest that `additionalIssuers` takes."""
SERIALS_AT_THE_LIMITS: Final = (
    *(0, 1, 0xF, 0x10, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0x0ABC),
    *(0x7F << 144, 0x80 << 144, (1 << 152) - 1),
    *(1 << 152, 0x7F << 152, (1 << 159) - 1, 1 << 159, (1 << 160) - 1),
)
"""Of one and two bytes and of twenty, with a first bit, nibble or byte of zero and without: 0x80 << 144 is the one that
DER writes as 20 bytes of which the first is zero."""
FOREIGN: Final = Rule("waf", RuleBody("waf", "block", '(http.request.uri.path eq "/admin")', "closed", enabled=True))
_SETTLED: Final = 5_000.0
_MOST_WRITES: Final = 300


@dataclass(frozen=True)
class Wish:
    """One binding: hostnames, whom they accept (None: anybody who is verified), what becomes of others, and the serial
    numbers that each CA has revoked, by its key identifier."""

    hostnames: frozenset[str]
    accepted: frozenset[str] | None
    action: str = BLOCK
    response: BlockResponse | None = None
    revoked: Mapping[str, frozenset[int]] = field(default_factory=dict)
    tolerant: bool = False


class Rules:
    """The ruleset of a zone, as the plan keeps it."""

    def __init__(self, wishes: Sequence[Wish] = ()) -> None:
        self._time = VirtualTime()
        lists = {_certificate(number): Past([0.0], [frozenset[str]()]) for number in range(max(1, len(wishes)))}
        ruleset = Past[Ruleset | None]([0.0], [Ruleset("set", 1, (FOREIGN,))])
        self._zone = SimulatedZone(Chance(1), lambda: self._time.now, 0.0, lists, ruleset)
        self._cluster = Cluster(Installation("us", "11111111-2222-4333-8444-555555555555"))
        self._writes: list[ZoneStep] = []
        self._operator = Operator(
            self._time,
            Chance(1),
            self._zone,
            self._cluster,
            Timing(window=90.0, settle=90.0),
            Troubles(slowest=0.1),
            before_step=lambda _operator, step: self._note(step),
        )
        self._cluster.changed = self._operator.process.wake
        self._operator.process.start(0.0)
        self.fulfil(wishes)

    def fulfil(self, wishes: Sequence[Wish]) -> int:
        """Wish something and wait until it is done; how many writes of rules that took. Raises AssertionError where
        it never is."""
        self._writes.clear()
        for number, wish in enumerate(wishes):
            key = ResourceKey("apps", f"binding-{number}")
            before = self._cluster.bindings.get(key)
            binding = Binding(key, tuple(sorted(wish.hostnames)), _target(wish, number))
            if before is not None:
                binding = Binding(
                    key, binding.hostnames, binding.target, managed=before.managed, has_finalizer=before.has_finalizer
                )
            self._cluster.put(binding)
        until = self._time.now + _SETTLED
        self._time.run(until)
        self._time.now = until
        assert not any(plan.steps for plan in self._operator.plans()), "there is something left to do"
        return len(self._writes)

    def _note(self, step: ZoneStep) -> None:
        if isinstance(step, WriteRule | DeleteRule):
            self._writes.append(step)
        assert len(self._writes) < _MOST_WRITES, "one rule after the other is written"

    @property
    def bodies(self) -> tuple[RuleBody, ...]:
        """All rules in their order."""
        ruleset = self._zone.ruleset.now
        assert ruleset is not None
        return tuple(rule.body for rule in ruleset.rules)

    @property
    def ours(self) -> tuple[RuleBody, ...]:
        """Those that the operator has written."""
        return tuple(body for body in self.bodies if body != FOREIGN.body)

    @property
    def claims(self) -> tuple[RuleBody, ...]:
        """Those that register hostnames and act on nothing."""
        return tuple(body for body in self.ours if " claim " in body.description)

    @property
    def expressions(self) -> tuple[str, ...]:
        """Of all rules that the operator has written."""
        return tuple(body.expression for body in self.ours)


def _certificate(number: int) -> CertificateId:
    return CertificateId(f"{number:08x}-0000-4000-8000-000000000000")


def _target(wish: Wish, number: int) -> Target:
    fingerprints = frozenset({f"{number:016x}"})
    return Target(
        _certificate(number),
        fingerprints,
        fingerprints,
        Policy(wish.accepted, wish.action, wish.response, wish.tolerant),
        issuers=frozenset(wish.accepted or wish.revoked),
        revoked=Revocations(
            tuple(
                (issuer, _listed(wish.revoked.get(issuer, frozenset())))
                for issuer in sorted({*(wish.accepted or ()), *wish.revoked})
            )
        ),
    )


def _listed(numbers: Iterable[int]) -> RevokedSerials:
    return RevokedSerials(tuple((float(-number % 1000), serial_number(number)) for number in sorted(numbers)))


def stretched(label: str, length: int) -> str:
    """A hostname of so many characters that begins with the label; its other labels are as long as they may be."""
    labels, room = [label], length - len(label) - len(ZONE_NAME) - 1
    while room > 1:
        size = min(LONGEST_LABEL, room - 1)
        size -= room - 1 - size == 1
        labels.append("w" * size)
        room -= size + 1
    return ".".join((*labels, ZONE_NAME))


_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?|xn--k[a-z0-9]{1,4}", fullmatch=True)
hostnames = st.one_of(
    st.just(ZONE_NAME),
    _labels.map(lambda label: f"{label}.{ZONE_NAME}"),
    st.builds(stretched, _labels, st.sampled_from([90, LONGEST_HOSTNAME])),
)
identifiers = (
    st.sampled_from([1, 20, 20, 32, LONGEST_IDENTIFIER])
    .flatmap(lambda size: st.binary(min_size=size, max_size=size))
    .map(lambda identifier: identifier.hex().upper())
)
serials = st.sampled_from(SERIALS_AT_THE_LIMITS) | st.integers(0, (1 << 160) - 1)
_responses = st.none() | st.builds(
    BlockResponse, st.sampled_from([401, 403]), st.just("application/json"), st.sampled_from(["{}", '{"why": "mTLS"}'])
)


@st.composite
def _wish(draw: st.DrawFn, names: frozenset[str], *, tolerant: bool) -> Wish:
    authorities = draw(st.frozensets(identifiers, min_size=1, max_size=3))
    additional = draw(st.frozensets(identifiers, max_size=2))
    pinned, action = draw(st.booleans()), draw(st.sampled_from([BLOCK, BLOCK, LOG, "none"]))
    revoked = {
        issuer: draw(st.frozensets(serials, max_size=8))
        for issuer in draw(st.sets(st.sampled_from(sorted(authorities))))
    }
    return Wish(
        names,
        authorities | additional if pinned else None,
        action,
        draw(_responses) if action == BLOCK else None,
        revoked,
        tolerant,
    )


@st.composite
def wish_lists(draw: st.DrawFn) -> list[Wish]:
    """One to three bindings of an installation, whose hostnames are apart."""
    names = draw(st.lists(hostnames, min_size=1, max_size=24, unique=True))
    many, tolerant = draw(st.integers(1, min(3, len(names)))), draw(st.booleans())
    return [draw(_wish(frozenset(names[number::many]), tolerant=tolerant)) for number in range(many)]
