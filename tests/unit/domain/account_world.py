"""Random histories of an account's CA certificates, run by the real planner.

Usage: python -m tests.unit.domain.account_world RUNS [FIRST_SEED]

Listings are as old as the consistency window, calls are slow, answers and status writes are lost, and the process dies
at any moment and forgets all but the statuses. Cloudflare may or may not refuse identical certificates: we must not
depend on it.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan, plan_account
from mtls_operator.domain.account_steps import (
    AccountStep,
    ConfirmGone,
    DeleteCertificate,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    Upload,
)
from mtls_operator.domain.certificates import bundle_fingerprint, read_bundle, uploaded_bundle
from mtls_operator.domain.marks import certificate_name, certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.zone_places import Timing
from tests.certificates import make_ca
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.virtual_time import Chance

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BUNDLES = tuple(read_bundle(make_ca(name, now=NOW).pem.encode(), NOW) for name in ("One", "Two"))
WINDOW = 90.0
US, OTHERS = "cluster-0", "cluster-1"
USER = ResourceKey("apps", "binding")


@dataclass(frozen=True)
class Shape:
    """What kind of history it is."""

    unique: bool
    """Whether Cloudflare refuses identical certificates."""
    adoptable: str | None
    """How a certificate is named that was there before, if one was."""
    lost: float
    deadly: float
    all_go: bool

    @classmethod
    def drawn(cls, rng: random.Random) -> Shape:
        """Any kind of history."""
        by_others = certificate_name("theirs", BUNDLES[0].fingerprint, OTHERS)
        return cls(
            unique=rng.random() < 0.5,
            adoptable=rng.choice([None, None, "uploaded by hand", by_others]),
            lost=rng.choice([0.0, 0.1, 0.3]),
            deadly=rng.choice([0.0, 0.05, 0.2]),
            all_go=rng.random() < 0.6,
        )


@dataclass
class AccountWorld:
    """One history."""

    seed: int
    now: float = 0.0
    violations: list[str] = field(default_factory=list)
    demands: dict[ResourceKey, Demand] = field(default_factory=dict)
    in_use: set[CertificateId] = field(default_factory=set)
    """Used by somebody whom we do not know."""
    left_to_others: set[CertificateId | None] = field(default_factory=set)
    steps_done: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self.rng = Chance(self.seed)
        self.shape = Shape.drawn(self.rng)
        self.known = AccountKnowledge(started=0.0)
        there = (self._certificate(self.shape.adoptable, BUNDLES[0].pem),) if self.shape.adoptable else ()
        self.account: Past[tuple[Certificate, ...]] = Past([-1000.0], [there])
        self.events = sorted((self.rng.uniform(0, 900), number) for number in range(self.rng.randint(1, 8)))
        self.end = self.events[-1][0] + self.rng.uniform(0, 600)

    def run(self) -> list[str]:
        """Play the history to its end; what went wrong in it."""
        while self.now < 20_000 and self.steps_done < 3_000:
            self._let_users_act()
            plan = self._plan()
            if plan.steps:
                self._excuse(plan)
                self._take(plan.steps[0])
            elif not self._sleep(plan):
                self._check_end()
                return self.violations
        self.violations.append("does not come to rest")
        return self.violations

    def _excuse(self, plan: AccountPlan) -> None:
        """A certificate that stays because somebody else uses it."""
        self.left_to_others |= {self.demands[key].certificate_id for key in plan.in_use_elsewhere}

    def _plan(self) -> AccountPlan:
        timing = Timing(window=WINDOW, settle=WINDOW)
        return plan_account(tuple(self.demands.values()), self.known, self.now, timing, limit=5, owner=US)

    @property
    def _is_quiet(self) -> bool:
        return self.now >= self.end

    def _sleep(self, plan: AccountPlan) -> bool:
        """False when nothing will ever happen again."""
        due = [moment for moment, _ in self.events] + ([plan.wake_at] if plan.wake_at is not None else [])
        if self.end > self.now:
            due.append(self.end)
        if not due:
            return False
        self.now = max(self.now, min(due)) + 0.001
        return True

    def _let_users_act(self) -> None:
        while self.events and self.events[0][0] <= self.now:
            self.events.pop(0)
            self._change_something()
        if self._is_quiet:
            self.in_use.clear()
            for demand in list(self.demands.values()):
                self._put(replace(demand, used_by=(), deleting=demand.deleting or self.shape.all_go))

    def _change_something(self) -> None:
        key = ResourceKey("pki", self.rng.choice(["ca1", "ca2"]))
        demand = self.demands.get(key)
        if demand is None:
            self._put(self._with_bundle(Demand(key, token=self.rng.choice(["t1", "t1", "t2"]))))
        elif self.rng.random() < 0.5:
            self._put(replace(demand, deleting=True, used_by=self.rng.choice([(), (USER,)])))
        elif demand.certificate_id is None:
            # With a certificate in force a change of the source is a rotation, which is not accepted yet.
            self._put(self._with_bundle(demand))
        elif self.rng.random() < 0.5:
            self.in_use.add(demand.certificate_id)

    def _with_bundle(self, demand: Demand) -> Demand:
        bundle = self.rng.choice(BUNDLES)
        return replace(demand, bundle=bundle, name=certificate_name("ca", bundle.fingerprint, US))

    def _put(self, demand: Demand) -> None:
        self.demands[demand.authority] = demand
        if demand.deleting and not demand.has_finalizer:
            del self.demands[demand.authority]

    def _take(self, step: AccountStep) -> None:
        self.steps_done += 1
        match step:
            case ReadCertificates(authority):
                self._read(self.demands[authority].token)
            case Upload():
                self._upload(step)
            case DeleteCertificate():
                self._delete(step)
            case ConfirmGone():
                self._confirm_gone(step)
            case AddFinalizer(key) | RemoveFinalizer(key):
                self._write(replace(self.demands[key], has_finalizer=isinstance(step, AddFinalizer)))
            case RecordPendingUpload(key, bundle):
                self._write(replace(self.demands[key], pending_upload=bundle.fingerprints))
            case RecordCertificate(key, certificate_id, ownership, _):
                record = replace(self.demands[key], certificate_id=certificate_id, ownership=ownership)
                self._write(replace(record, pending_upload=frozenset()))

    def _read(self, token: str) -> None:
        begun = self.now
        if self._called(lambda: None):
            age = self.rng.choice([0.0, self.rng.uniform(0, WINDOW), WINDOW])
            seen = self.account.at(self.rng.uniform(begun, self.now) - age)
            self.known = self.known.with_listing(token, seen, begun)

    def _upload(self, step: Upload) -> None:
        demand, fingerprint = self.demands[step.authority], step.bundle.fingerprint
        if not demand.has_finalizer or demand.pending_upload != step.bundle.fingerprints:
            self.violations.append(f"{step.authority} uploads before it is held and has announced it")
        new = self._certificate(step.name, step.bundle.pem)
        refused = self.shape.unique and any(_holds(each, fingerprint) for each in self.account.now)

        def effect() -> None:
            if not refused:
                self._become((*self.account.now, new))

        deaths = self.deaths
        if self._called(effect) and not refused:
            self.known = self.known.with_uploaded(demand.token, new, self.now)
        elif self.deaths == deaths:
            self.known = self.known.with_upload_sent(fingerprint, self.now)

    def _delete(self, step: DeleteCertificate) -> None:
        certificate_id = step.certificate_id
        present = next((each for each in self.account.now if each.id == certificate_id), None)
        if present is not None and certificate_owner(present.name) != US:
            self.violations.append(f"deletes {present.name}, which is not ours")
        if any(each.certificate_id == certificate_id and not each.deleting for each in self.demands.values()):
            self.violations.append(f"deletes {certificate_id}, which another CA of the cluster uses")
        if self.demands[step.authority].used_by:
            self.violations.append(f"deletes {certificate_id}, which a binding uses")
        refused = certificate_id in self.in_use

        def effect() -> None:
            if not refused:
                self._become(tuple(each for each in self.account.now if each.id != certificate_id))

        if self._called(effect):
            refuse = self.known.with_deletion_refused
            self.known = refuse(certificate_id, self.now) if refused else self.known.with_gone(certificate_id)

    def _confirm_gone(self, step: ConfirmGone) -> None:
        begun = self.now
        if self._called(lambda: None):
            seen = self.account.at(begun - self.rng.choice([0.0, WINDOW]))
            found = next((each for each in seen if each.id == step.certificate_id), None)
            token = self.demands[step.authority].token
            self.known = self.known.with_found(token, found) if found else self.known.with_gone(step.certificate_id)

    def _called(self, effect: Callable[[], None]) -> bool:
        """Make a call that takes its time; False when no answer came, or nobody is there to take it."""
        seconds = self.rng.uniform(0.05, self.rng.choice([1.0, 8.0]))
        lost = not self._is_quiet and self.rng.random() < self.shape.lost
        dies = not self._is_quiet and self.rng.random() < self.shape.deadly
        at = self.rng.uniform(0, seconds)
        self.now += at
        if not (lost or dies) or self.rng.random() < 0.5:
            effect()
        self.now += seconds - at
        if dies:
            self._begin_again()
        elif lost:
            self.now += self.rng.uniform(1, 10)
        return not (lost or dies)

    def _write(self, demand: Demand) -> None:
        """Write to the cluster; a write that fails pauses the engine."""
        if not self._is_quiet and self.rng.random() < self.shape.lost:
            self.now += self.rng.uniform(1, 40)
        else:
            self._put(demand)
        if not self._is_quiet and self.rng.random() < self.shape.deadly:
            self._begin_again()

    def _begin_again(self) -> None:
        self.deaths += 1
        self.now += self.rng.choice([1.0, self.rng.uniform(1, 200)])
        pending = [each.pending_upload for each in self.demands.values() if each.pending_upload]
        sent = {bundle_fingerprint(each): self.now for each in pending}
        self.known = AccountKnowledge(started=self.now, sent=sent)

    def _become(self, certificates: tuple[Certificate, ...]) -> None:
        self.account.become(self.now, certificates)
        for bundle in BUNDLES:
            ours = [e for e in certificates if _holds(e, bundle.fingerprint) and certificate_owner(e.name) == US]
            if len(ours) > 1:
                self.violations.append(f"{self.now:.1f}: the same certificates are uploaded twice")

    def _certificate(self, name: str, pem: str) -> Certificate:
        digits = f"{self.rng.getrandbits(128):032x}"
        parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
        return Certificate(CertificateId("-".join(parts)), name, pem)

    def _check_end(self) -> None:
        present = {each.id for each in self.account.now}
        for demand in self.demands.values():
            if demand.deleting:
                self.violations.append(f"{demand.authority} is never released")
            elif demand.certificate_id not in present:
                self.violations.append(f"{demand.authority} relies on a certificate that is not there")
        ours = {each.id for each in self.account.now if certificate_owner(each.name) == US}
        if not self.demands and ours - self.left_to_others:
            self.violations.append("a certificate of ours is left behind")
        if self.shape.adoptable and not any(each.name == self.shape.adoptable for each in self.account.now):
            self.violations.append("a certificate that is not ours is gone")


def _holds(certificate: Certificate, fingerprint: str) -> bool:
    bundle = uploaded_bundle(certificate.pem)
    return bundle is not None and bundle.fingerprint == fingerprint


def failures(seeds: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """The seeds whose histories go wrong, with what goes wrong."""
    for seed in seeds:
        violations = AccountWorld(seed).run()
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
