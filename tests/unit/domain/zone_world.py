"""Random histories of a zone that several installations share, each run by the real planner.

Usage: python -m tests.unit.domain.zone_world RUNS [FIRST_SEED]

The same question as the design's `sharing_protocol_sim.py` asks of the protocol, asked of `plan_zone`: are there
histories with stale reads, slow and lost calls, deaths and unrelated writers in which a client is locked out, a
foreign hostname is lost, or something is left behind? Each history follows from its seed alone.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from mtls_operator.domain.marks import (
    Claim,
    ClaimState,
    Enforcement,
    Installation,
    claim_body,
    read_mark,
    rule_ref,
)
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_places import Timing
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_installation import Cluster, Operator, Troubles
from tests.unit.domain.simulated_zone import Past, SimulatedZone
from tests.unit.domain.virtual_time import Body, Chance, Process, VirtualTime
from tests.unit.domain.zone_end import FOREIGN, check_end
from tests.unit.domain.zone_meddling import meddle
from tests.unit.domain.zone_watch import Watch

WINDOW = 90.0
CERTIFICATES = tuple(CertificateId(f"{digit * 8}-0000-4000-8000-000000000000") for digit in "abc")
OLD, NEW, BOTH = CERTIFICATES
ISSUERS = {OLD: frozenset({"AA01"}), NEW: frozenset({"BB02"}), BOTH: frozenset({"AA01", "BB02"})}
ROTATION = (OLD, BOTH, NEW)
HOSTNAMES = tuple(f"h{number}.example.com" for number in range(1, 5))
FOREIGN_RULE = Rule(
    "rule-0", RuleBody("waf", "block", '(http.request.uri.path eq "/admin")', "closes /admin", enabled=True)
)


@dataclass(frozen=True)
class Shape:
    """What kind of history it is."""

    installations: int
    certificates: int
    hostnames: int
    parties: int
    """How many tokens the bindings of an installation act with."""
    hurry: bool
    """Whether users change their minds sooner than anything settles."""
    unrelated_writers: int
    dashboard: bool
    meddling: bool
    """Whether somebody changes what is ours, which a look that is due every now and then finds."""
    empty: bool
    """Whether the zone has no custom ruleset at first."""
    troubles: Troubles
    moves: bool
    rotation: bool
    """Whether each installation goes through a rotation of the one CA that all hostnames have, at its own pace."""
    all_goes: bool
    settle: float
    varied: bool = False
    """Whether bindings ask for rules that block, log or do nothing, with or without pinned issuers."""

    @classmethod
    def drawn(cls, rng: random.Random) -> Shape:
        """Any kind of history."""
        installations = rng.choice([1, 1, 2, 2, 3])
        unrelated_writers = rng.choice([0, 0, 1, 2])
        rotation = rng.random() < 0.3
        return cls(
            installations=installations,
            certificates=3 if rotation else rng.choice([1, 1, 2]),
            rotation=rotation,
            hostnames=rng.choice([2, 3, 4]),
            parties=rng.choice([1, 1, 2]),
            hurry=rng.random() < 0.3,
            unrelated_writers=unrelated_writers,
            dashboard=rng.random() < 0.5,
            meddling=rng.random() < 0.25,
            empty=unrelated_writers == 0 and rng.random() < 0.5,
            troubles=Troubles(
                slowest=rng.choice([1.0, 8.0, 8.0]),
                lost=rng.choice([0.0, 0.0, 0.03, 0.1]),
                late=rng.choice([0.0, 20.0]),
                deadly=rng.choice([0.0, 0.02, 0.05, 0.2]),
            ),
            moves=installations == 1 and not rotation and rng.random() < 0.5,
            all_goes=rng.random() < 0.6,
            settle=rng.choice([WINDOW, WINDOW, 150.0]),
        )


class World:
    """One history."""

    def __init__(self, seed: int, shape: Shape | None = None) -> None:
        self.rng, self.variety = Chance(seed), random.Random(f"variety of {seed}")
        self.shape = shape or replace(Shape.drawn(self.rng), varied=self.variety.random() < 0.4)
        self.time = VirtualTime()
        self.certificates = CERTIFICATES[: self.shape.certificates]
        self.users_at_work = self.shape.installations
        self.phases = dict.fromkeys(range(self.shape.installations), 0)
        self.quiet_from = float("inf")
        self.zone = self._zone()
        self.operators = [self._operator(number) for number in range(self.shape.installations)]
        self.watch = Watch(
            zone=self.zone,
            clusters=[each.cluster for each in self.operators],
            issuers={c: ISSUERS[c] for c in self.certificates},
            slowest=self.shape.troubles.slowest + self.shape.troubles.late,
            unrelated=frozenset(f"x{number}.example.com" for number in range(self.shape.unrelated_writers)),
            foreign_rules=() if self.shape.empty else (FOREIGN_RULE,),
        )
        self.zone.watch = self.watch.zone_changed
        self._start()

    def run(self) -> list[str]:
        """Play the history to its end; what went wrong in it."""
        if not self.time.run(until=60_000.0):
            self.watch.complain("does not come to rest")
        else:
            check_end(self)
        return self.watch.violations

    def _zone(self) -> SimulatedZone:
        rng = self.rng
        listed = {
            c: frozenset({"old.example.com"} | set(rng.sample(HOSTNAMES, rng.choice([0, 0, 1]))))
            for c in self.certificates
        }
        rules = (
            FOREIGN_RULE,
            *(_unrelated_claim(self.certificates[0], n) for n in range(self.shape.unrelated_writers)),
        )
        return SimulatedZone(
            rng=rng,
            clock=lambda: self.time.now,
            lag=WINDOW,
            lists={c: Past([0.0], [names]) for c, names in listed.items()},
            ruleset=Past([0.0], [None if self.shape.empty else Ruleset("the-ruleset", 1, rules)]),
        )

    def _operator(self, number: int) -> Operator:
        cluster = Cluster(Installation(f"cluster-{number}", f"{number:08d}-0000-4000-8000-000000000000"))
        cluster.issuers = frozenset[str]().union(*ISSUERS.values()) if self.shape.varied else None
        timing = Timing(window=WINDOW, settle=self.shape.settle)
        return Operator(
            self.time, self.rng, self.zone, cluster, timing, self.shape.troubles, peaceful=lambda: self.is_quiet
        )

    def _start(self) -> None:
        for certificate, history in self.zone.lists.items():
            self.watch.foreign_since |= {(certificate, name): 0.0 for name in history.now - set(HOSTNAMES)}
        for operator in self.operators:
            operator.before_step = self.watch.before_step
            operator.cluster.changed = _both(operator.process.wake, self.watch.cluster_changed)
            operator.process.start(self.rng.uniform(0, 100))
            self._begin(self._user(operator))
        for number in range(self.shape.unrelated_writers):
            self._begin(self._unrelated_writer(number))
        if self.shape.dashboard:
            self._begin(self._dashboard())
        if self.shape.meddling:
            self._begin(meddle(self))
        if self.shape.meddling or self.shape.rotation or self.shape.varied:
            for operator in self.operators:
                self._begin(self._looks(operator))

    def _looks(self, operator: Operator) -> Body:
        """From time to time, and some more times when nobody interferes any more: installations wait for each other."""
        while not self.is_quiet:
            yield self.rng.uniform(300, 900)
            operator.look()
        for _ in range(5):
            yield 900.0
            operator.look()

    def _begin(self, body: Body) -> None:
        Process(self.time, self.rng, lambda: body).start(self.rng.uniform(0, 50))

    @property
    def is_quiet(self) -> bool:
        """Whether calls no longer fail, nobody dies and nobody else writes."""
        return self.time.now >= self.quiet_from

    def _user(self, operator: Operator) -> Body:
        cluster = operator.cluster
        longest = 2_500.0 if self.shape.rotation else 150.0 if self.shape.hurry else 900.0
        for _ in range(self.rng.randint(2 if self.shape.rotation else 1, 7)):
            yield self.rng.choice(
                [0.0, self.rng.uniform(0, 20), self.rng.uniform(0, 300), self.rng.uniform(0, longest)]
            )
            if self.shape.rotation and cluster.bindings and self.rng.random() < 0.5:
                self._rotate(cluster)
            else:
                cluster.put(self._changed(cluster))
            if self.rng.random() < 0.1:
                operator.forget_rules()
        yield self.rng.uniform(0, 900)
        while self.shape.rotation and self._phase_of(cluster) < 2:
            yield self.rng.uniform(0, longest)
            self._rotate(cluster)
        for binding in list(cluster.bindings.values()):
            current = cluster.bindings.get(binding.key, binding)
            gone = self.shape.all_goes or current.deleting
            cluster.put(replace(current, deleting=gone, blocked=False, suspended=False))
        self.users_at_work -= 1
        if not self.users_at_work:
            self.quiet_from = self.time.now + self.rng.choice([0.0, 1500.0])

    def _phase_of(self, cluster: Cluster) -> int:
        return self.phases[int(cluster.installation.owner.rsplit("-", 1)[1])]

    def _rotate(self, cluster: Cluster) -> None:
        """One phase further, for all bindings: they have one CA resource."""
        number = int(cluster.installation.owner.rsplit("-", 1)[1])
        self.phases[number] = min(2, self.phases[number] + 1)
        for binding in list(cluster.bindings.values()):
            if not binding.deleting:
                response = binding.target.policy.response if binding.target.policy else None
                cluster.put(replace(binding, target=_rotated(self.phases[number], response)))

    def _changed(self, cluster: Cluster) -> Binding:
        rng = self.rng
        key = ResourceKey("apps", rng.choice(["b1", "b2", "b3"][: rng.choice([1, 2, 3])]))
        present = cluster.bindings.get(key)
        if present is None:
            target = self._target(cluster)
            party, retained = rng.randrange(self.shape.parties), rng.random() < 0.2
            return Binding(key, self._hostnames(target), target, party=party, retained=retained)
        if rng.random() < (0.3 if present.deleting else 0.05):
            return replace(present, retained=not present.retained)
        if present.deleting or rng.random() < 0.3:
            return replace(present, deleting=True)
        if rng.random() < 0.15:
            return replace(present, blocked=True)
        if rng.random() < 0.15:
            return replace(present, suspended=not present.suspended)
        target = self._target(cluster) if self.shape.moves or rng.random() < 0.2 else present.target
        if self.shape.installations > 1 and not self.shape.rotation:
            target = _moved(target, present.target.certificate)
        return replace(present, hostnames=self._hostnames(target), target=target, blocked=False)

    def _hostnames(self, target: Target) -> tuple[str, ...]:
        """With several installations a hostname belongs to one certificate, because their rules are ANDed."""
        choice = HOSTNAMES[: self.shape.hostnames]
        if self.shape.installations > 1 and len(self.certificates) > 1 and not self.shape.rotation:
            choice = choice[self.certificates.index(target.certificate) :: 2]
        return tuple(sorted(self.rng.sample(choice, self.rng.randint(1, min(3, len(choice))))))

    def _target(self, cluster: Cluster) -> Target:
        response = self.rng.choice([None, None, BlockResponse(403, "text/plain", "no")])
        if self.shape.rotation:
            return _rotated(self._phase_of(cluster), response)
        overlap = self.rng.choice([0.0, 400.0]) if self.shape.moves else 0.0
        target = replace(_target(self.rng.choice(self.certificates), response), overlap=overlap)
        return self._varied(target) if self.shape.varied else target

    def _varied(self, target: Target) -> Target:
        """The same place under another policy."""
        issuers = ISSUERS[target.certificate]
        policy = self.variety.choice(
            [
                Policy(issuers, "block"),
                Policy(issuers | {"EE09"}, "block"),
                Policy(None, "block"),
                Policy(issuers, "log"),
                Policy(None, "log"),
                Policy(issuers, "none"),
                Policy(issuers, "block", tolerant=True),
            ]
        )
        return replace(target, policy=policy, issuers=issuers)

    def _unrelated_writer(self, number: int) -> Body:
        """Another installation with another hostname on the first list, whose writes rest on its own old readings."""
        certificate, seen = self.certificates[0], 0.0
        while not self.is_quiet:
            yield self.rng.uniform(20, 200)
            rules = self.zone.read_rules(seen)
            seen = self._moment_of(rules)
            yield self._latency()
            observed = self.zone.read_list(certificate)
            yield self._latency()
            self.zone.put_list(certificate, _by_the_formula(rules, observed, certificate, f"x{number}.example.com"))

    def _moment_of(self, rules: Ruleset | None) -> float:
        return self.zone.ruleset.moments[self.zone.ruleset.values.index(rules)]

    def _dashboard(self) -> Body:
        """Somebody who adds foreign hostnames, seeing the list as it is."""
        for name in sorted(FOREIGN)[: self.rng.randint(1, 4)]:
            yield self.rng.uniform(0, 900)
            certificate = self.rng.choice(self.certificates)
            self.watch.foreign_since[certificate, name] = self.time.now
            self.zone.put_list(certificate, self.zone.lists[certificate].now | {name})

    def _latency(self) -> float:
        return self.rng.uniform(0.05, self.rng.choice([1.0, 8.0]))

    @property
    def ever_wanted(self) -> set[tuple[CertificateId, str]]:
        """Every place that a binding has had in its status."""
        return {place for operator in self.operators for place in operator.cluster.ever_managed}


def _moved(target: Target, certificate: CertificateId) -> Target:
    """The same response to bad clients, with another certificate."""
    response = target.policy.response if target.policy else None
    return _target(certificate, response)


def _target(certificate: CertificateId, response: BlockResponse | None) -> Target:
    aim = frozenset({certificate[:8] * 2})
    issuers = ISSUERS[certificate]
    return Target(certificate, aim, aim, Policy(issuers, "block", response), issuers=issuers)


def _rotated(phase: int, response: BlockResponse | None) -> Target:
    """What a CA asks of its hostnames before, during and after the overlap of a rotation."""
    certificate = ROTATION[phase]
    aim = frozenset({"a" * 16 if phase == 0 else "b" * 16})
    in_force = frozenset({"a" * 16, "b" * 16}) if phase == 1 else aim
    issuers = ISSUERS[certificate]
    return Target(certificate, aim, in_force, Policy(issuers, "block", response), issuers=issuers)


def _unrelated_claim(certificate: CertificateId, number: int) -> Rule:
    installation = Installation(f"unrelated-{number}", f"{number:08d}-1111-4000-8000-000000000000")
    names = frozenset({f"x{number}.example.com"})
    claim = Claim(installation, ClaimState.HELD, frozenset({certificate}), names, frozenset({"0" * 16}), frozenset())
    return Rule(f"unrelated-{number}", claim_body(claim, rule_ref(installation, "claim")))


def _by_the_formula(
    rules: Ruleset | None, observed: frozenset[str], certificate: CertificateId, own: str
) -> frozenset[str]:
    """design.md: observed, without what is claimed only as leaving, with what is claimed as arriving or held; and what
    is in a retained rule stays."""
    marks = [read_mark(rule) for rule in (rules.rules if rules else ())]
    claims = [mark for mark in marks if isinstance(mark, Claim)]
    retained = {name for mark in marks if isinstance(mark, Enforcement) and mark.retained for name in mark.hostnames}
    relied_on: set[str] = {own}
    leaving: set[str] = set()
    for claim in claims:
        if certificate in claim.certificate_ids:
            (leaving if claim.state is ClaimState.LEAVING else relied_on).update(claim.hostnames)
    return (observed - (leaving - relied_on - retained)) | relied_on


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        second()
        first()

    return call


def failures(seeds: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """The seeds whose histories go wrong, with what goes wrong."""
    for seed in seeds:
        violations = World(seed).run()
        if violations:
            yield seed, violations


def main(runs: int, first: int) -> int:
    """Play histories and print those that go wrong."""
    bad = 0
    for seed, violations in failures(range(first, first + runs)):
        bad += 1
        print(f"seed {seed}: {violations[0]}" + (f" (and {len(violations) - 1} more)" if violations[1:] else ""))
    print(f"{runs} histories from seed {first}: {bad} with violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
