"""Random histories of an account's CA certificates, run by the real planner.

Usage: python -m tests.unit.domain.account_world RUNS [FIRST_SEED]

Sources change, bindings come, follow their CA and go. Listings are as old as the consistency window, calls are slow,
answers and status writes are lost, and the process dies at any moment and forgets all but the statuses. Cloudflare may
or may not refuse identical certificates, in part or as a whole, or new and previous CAs in one upload: we must not
depend on it. What a change of a status narrows is judged by `account_watch`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import AccountKnowledge
from mtls_operator.domain.account_plan import AccountPlan, plan_account
from mtls_operator.domain.account_steps import (
    AccountStep,
    ClearPendingUpload,
    ConfirmGone,
    DeleteCertificate,
    ReadCertificates,
    RecordCertificate,
    RecordPendingUpload,
    RecordRotation,
    Upload,
)
from mtls_operator.domain.certificates import Bundle, bundle_fingerprint
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate, CertificateId
from mtls_operator.domain.records import AddFinalizer, RemoveFinalizer, ResourceKey
from mtls_operator.domain.rotation import Standing
from mtls_operator.domain.zone_places import Timing
from tests.unit.domain.account_bindings import SimulatedBinding
from tests.unit.domain.account_shapes import ONE, TWO, US, USER, WINDOW, Shape
from tests.unit.domain.account_watch import AccountWatch, fingerprints_of
from tests.unit.domain.simulated_zone import Past
from tests.unit.domain.virtual_time import Chance


@dataclass
class AccountWorld:
    """One history."""

    seed: int
    now: float = 0.0
    violations: list[str] = field(default_factory=list)
    demands: dict[ResourceKey, Demand] = field(default_factory=dict)
    bindings: dict[ResourceKey, SimulatedBinding] = field(default_factory=dict)
    """The binding of each CA that has one, by the CA."""
    in_use: set[CertificateId] = field(default_factory=set)
    """Used by somebody whom we do not know."""
    claimed: set[CertificateId] = field(default_factory=set)
    """Claimed by another installation in some zone."""
    left_to_others: set[CertificateId | None] = field(default_factory=set)
    steps_done: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self.rng = Chance(self.seed)
        self.shape = Shape.drawn(self.rng)
        self.known = AccountKnowledge(started=0.0)
        there = (self._certificate(self.shape.adoptable, ONE.pem),) if self.shape.adoptable else ()
        self.account: Past[tuple[Certificate, ...]] = Past([-1000.0], [there])
        self.events = sorted((self.rng.uniform(0, 3000), number) for number in range(self.rng.randint(1, 14)))
        self.end = self.events[-1][0] + self.rng.uniform(0, 600)
        self.watch = AccountWatch(self)

    def run(self) -> list[str]:
        """Play the history to its end; what went wrong in it."""
        while self.now < 60_000 and self.steps_done < 3_000:
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
        first = plan.steps[0]
        if isinstance(first, RecordRotation) and first.kept is not None:
            self.left_to_others.add(first.kept)
        self.left_to_others |= self.claimed

    @property
    def slots(self) -> int:
        return 12

    def _plan(self) -> AccountPlan:
        timing = Timing(window=WINDOW, settle=WINDOW)
        asked = tuple(self._asked(demand) for demand in self.demands.values())
        return plan_account(asked, self.known, self.now, timing, limit=self.slots, owner=US)

    def _asked(self, demand: Demand) -> Demand:
        """The demand with what its binding says."""
        binding = self.bindings.get(demand.authority)
        names = frozenset(binding.names) if binding else frozenset[CertificateId]()
        return replace(
            demand,
            used_by=(USER,) if binding is not None and (binding.wanted or names) else (),
            occupied=names & frozenset(demand.objects),
            behind=(USER,) if binding is not None and binding.is_behind(demand, self.now) else (),
            claimed_by_others=frozenset(self.claimed),
        )

    @property
    def _doubts_at(self) -> float:
        """When even the oldest reading shows what somebody did by hand."""
        return self.end + 2 * WINDOW

    @property
    def is_quiet(self) -> bool:
        return self.now >= self.end

    def _sleep(self, plan: AccountPlan) -> bool:
        """False when nothing will ever happen again."""
        due = [moment for moment, _ in self.events] + ([plan.wake_at] if plan.wake_at is not None else [])
        due += [at for each in self.bindings.values() if (at := each.due(self.now)) < inf]
        if self.end > self.now:
            due.append(self.end)
        if self._doubts_at > self.now:
            due.append(self._doubts_at)
        if not due:
            return False
        self.now = max(self.now, min(due)) + 0.001
        return True

    def _let_users_act(self) -> None:
        while self.events and self.events[0][0] <= self.now:
            self.events.pop(0)
            self._change_something()
        if self.is_quiet:
            self._come_to_an_end()
        for key, binding in list(self.bindings.items()):
            binding.act(self.demands.get(key), self.now)
            if not binding.wanted and not binding.names:
                del self.bindings[key]
        self.watch.look()

    def _come_to_an_end(self) -> None:
        """Nothing fails any more, whoever used certificates is gone, what Cloudflare refuses is asked otherwise, and
        what was read before is doubted once."""
        if self.known.doubted < self._doubts_at <= self.now:
            self.known = replace(self.known, doubted=self.now)
        self.in_use.clear()
        for key, demand in list(self.demands.items()):
            leaves = demand.deleting or self.shape.all_go
            if leaves and key in self.bindings:
                self.bindings[key].wanted = False
            chosen = demand.side_by_side or not self.shape.takes_bundles
            settled = replace(demand, deleting=leaves, side_by_side=chosen)
            if settled.bundle is None:
                settled = replace(settled, bundle=TWO)
            if settled != demand:
                self._put(settled)

    def _change_something(self) -> None:
        key = ResourceKey("pki", self.rng.choice(["ca1", "ca2"]))
        demand = self.demands.get(key)
        if demand is None:
            self._put(self._created(key))
            return
        roll = self.rng.random()
        if roll < 0.45:
            self._put(replace(demand, bundle=self.rng.choice([*self.shape.bundles, None])))
        elif roll < 0.65:
            self._change_binding(key)
        elif roll < 0.75:
            self._put(replace(demand, deleting=True))
        elif roll < 0.8:
            self._put(replace(demand, side_by_side=not demand.side_by_side))
        elif roll < 0.85:
            self.in_use |= set(demand.objects)
        elif roll < 0.9:
            self.known = replace(self.known, doubted=self.now)
        else:
            self.claimed ^= set(self.rng.sample([each.id for each in self.account.now], min(1, len(self.account.now))))

    def _created(self, key: ResourceKey) -> Demand:
        return Demand(
            key,
            token=self.rng.choice(["t1", "t1", "t2"]),
            bundle=self.rng.choice(self.shape.bundles),
            display_name="ca",
            overlap=self.shape.overlap,
            side_by_side=self.shape.side_by_side,
        )

    def _change_binding(self, key: ResourceKey) -> None:
        if key in self.bindings:
            self.bindings[key].wanted = False
        elif not self.demands[key].deleting:
            self.bindings[key] = SimulatedBinding(self.rng)

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
            case ClearPendingUpload(key):
                self._write(replace(self.demands[key], pending_upload=frozenset()))
            case RecordCertificate(key, certificate_id, ownership, bundle, retiring):
                record = replace(self.demands[key], certificate_id=certificate_id, ownership=ownership)
                rotation = record.standing.rotation
                standing = Standing(bundle.fingerprints, bundle.key_identifiers, rotation, retiring)
                self._write(replace(record, pending_upload=frozenset(), standing=standing))
            case RecordRotation(key, rotation, retiring, _):
                demand = self.demands[key]
                standing = replace(demand.standing, rotation=rotation, retiring=retiring)
                self._write(replace(demand, standing=standing))

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
        exists = any(self._is_refused_beside(each, step.bundle) for each in self.account.now)
        refused = exists or (self.shape.picky and len(step.bundle.certificates) > 1)

        def effect() -> None:
            if not refused:
                self._become((*self.account.now, new))

        deaths = self.deaths
        if self._called(effect) and not refused:
            self.known = self.known.with_uploaded(demand.token, new, self.now)
        elif self.deaths == deaths and exists:
            self.known = self.known.with_upload_existing(fingerprint, self.now)
        elif self.deaths == deaths and refused:
            self.known = self.known.with_upload_refused(fingerprint, "one at a time", self.now)
            self.now += self.rng.uniform(1, 60)
        elif self.deaths == deaths:
            self.known = self.known.with_upload_lost(fingerprint, self.now)

    def _is_refused_beside(self, there: Certificate, bundle: Bundle) -> bool:
        held = fingerprints_of(there.pem)
        some = self.shape.unique == "any" and held & bundle.fingerprints
        return bool(some) or (self.shape.unique is not None and held == bundle.fingerprints)

    def _delete(self, step: DeleteCertificate) -> None:
        certificate_id = step.certificate_id
        present = next((each for each in self.account.now if each.id == certificate_id), None)
        if present is not None and certificate_owner(present.name) is None:
            self.violations.append(f"deletes {present.name}, which has no mark")
        if certificate_id in self.claimed:
            self.violations.append(f"deletes {certificate_id}, which another installation claims")
        if any(each.certificate_id == certificate_id and not each.deleting for each in self.demands.values()):
            self.violations.append(f"deletes {certificate_id}, which another CA of the cluster uses")
        if any(certificate_id in each.names for each in self.bindings.values()):
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
            self.known = (
                self.known.with_found(token, found, begun) if found else self.known.with_gone(step.certificate_id)
            )

    def _called(self, effect: Callable[[], None]) -> bool:
        """Make a call that takes its time; False when no answer came, or nobody is there to take it."""
        seconds = self.rng.uniform(0.05, self.rng.choice([1.0, 8.0]))
        lost = not self.is_quiet and self.rng.random() < self.shape.lost
        dies = not self.is_quiet and self.rng.random() < self.shape.deadly
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
        if not self.is_quiet and self.rng.random() < self.shape.lost:
            self.now += self.rng.uniform(1, 40)
        else:
            self.watch.before(demand)
            self._put(demand)
            self.watch.look()
        if not self.is_quiet and self.rng.random() < self.shape.deadly:
            self._begin_again()

    def _begin_again(self) -> None:
        self.deaths += 1
        self.now += self.rng.choice([1.0, self.rng.uniform(1, 200)])
        pending = [each.pending_upload for each in self.demands.values() if each.pending_upload]
        sent = {bundle_fingerprint(each): self.now for each in pending}
        self.known = AccountKnowledge(started=self.now, sent=sent, unanswered=frozenset(sent))

    def _become(self, certificates: tuple[Certificate, ...]) -> None:
        self.account.become(self.now, certificates)
        ours = [fingerprints_of(each.pem) for each in certificates if certificate_owner(each.name) == US]
        if len(ours) > len(set(ours)):
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
            elif demand.bundle is None or demand.standing.in_force != demand.bundle.fingerprints:
                self.violations.append(f"{demand.authority} has other certificates in force than its source")
            elif demand.standing.rotation is not None or demand.standing.retiring or demand.pending_upload:
                self.violations.append(f"{demand.authority} is not through: {demand.standing}")
        for key, binding in self.bindings.items():
            wanted_by_ca = [self.demands[key].certificate_id] if key in self.demands else []
            if list(binding.names) != wanted_by_ca:
                self.violations.append(f"the binding of {key} is left on {list(binding.names)}")
        ours = {each.id for each in self.account.now if certificate_owner(each.name) == US}
        wanted = {each.certificate_id for each in self.demands.values()}
        if ours - self.left_to_others - wanted:
            self.violations.append("a certificate of ours is left behind")
        if self.shape.adoptable == "uploaded by hand" and not any(
            each.name == self.shape.adoptable for each in self.account.now
        ):
            self.violations.append("a certificate without a mark is gone")


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
