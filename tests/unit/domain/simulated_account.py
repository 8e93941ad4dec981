"""An account that others use too: two slots, certificates of Cloudflare's own, and people who delete by hand.

Usage: python -m tests.unit.domain.simulated_account RUNS [FIRST_SEED]

The histories of `account_world`, in an account where a slot may be missing for a while and a certificate of ours may go
at any moment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from mtls_operator.domain.account_demands import Demand
from mtls_operator.domain.account_knowledge import occupants
from mtls_operator.domain.account_plan import AccountPlan
from mtls_operator.domain.account_steps import AccountStep, Upload
from mtls_operator.domain.certificates import uploaded_bundle
from mtls_operator.domain.marks import certificate_owner
from mtls_operator.domain.observed import Certificate
from mtls_operator.domain.records import RemoveFinalizer
from tests.certificates import make_ca
from tests.unit.domain.account_shapes import NOW, US
from tests.unit.domain.account_world import AccountWorld

SLOTS, ENOUGH_SLOTS = 3, 12
OTHER_PEM = make_ca("Somebody's", now=NOW).pem


@dataclass
class CrowdedAccount(AccountWorld):
    """One history."""

    refused_for_quota: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        others = [self._certificate(name, OTHER_PEM) for name in ("Gateway", "Access", "client", "somebody's")]
        self.occupant = others[3]
        apart = replace(others[0], type="gateway_managed"), replace(others[1], type="access_managed")
        there = (*self.account.now, *apart, replace(others[2], ca=False), self.occupant)
        self.apart = there[-4:-1]
        self.account.become(-999.0, there)

    def _plan(self) -> AccountPlan:
        plan = super()._plan()
        if not plan.steps and plan.wake_at is not None and plan.wake_at <= self.now:
            self.violations.append(f"{self.now:.3f}: wants to be woken in the past, at {plan.wake_at:.3f}")
            self.now = inf
        return plan

    @property
    def slots(self) -> int:
        """In the end there are enough for two CAs and their rotations."""
        return ENOUGH_SLOTS if self.is_quiet else SLOTS

    def _let_users_act(self) -> None:
        super()._let_users_act()
        if self.is_quiet:
            self._remove([self.occupant] if self.occupant in self.account.now else [])

    def _change_something(self) -> None:
        # Where any certificate in common is refused, a bundle that took the place of what was deleted stays for good.
        if self.shape.unique != "any" and self.rng.random() < 0.25:
            unused = [each for each in self.account.now if each.id not in self.in_use]
            ours = [each for each in unused if certificate_owner(each.name) == US]
            self._remove(self.rng.sample(ours, min(1, len(ours))))
        else:
            super()._change_something()

    def _remove(self, certificates: Sequence[Certificate]) -> None:
        """By hand, in the dashboard."""
        if certificates:
            self._become(tuple(each for each in self.account.now if each not in certificates))

    def _take(self, step: AccountStep) -> None:
        if isinstance(step, RemoveFinalizer):
            self._check_release(self.demands[step.resource])
        super()._take(step)

    def _check_release(self, demand: Demand) -> None:
        """Nothing of ours is left that nobody else here would remove, but what somebody else uses."""
        others = [each for each in self.demands.values() if each is not demand]
        known = {certificate for each in others for certificate in each.objects} | self.left_to_others
        sought = {each.pending_upload for each in others if each.pending_upload}
        for certificate in self.account.now:
            bundle = uploaded_bundle(certificate.pem)
            was_theirs = bundle is not None and demand.pending_upload == bundle.fingerprints
            ours = certificate_owner(certificate.name) == US and (was_theirs or certificate.id == demand.certificate_id)
            if ours and bundle and certificate.id not in known and bundle.fingerprints not in sought:
                self.violations.append(f"{self.now:.1f}: {demand.authority} is let go and {certificate.name} stays")

    def _upload(self, step: Upload) -> None:
        if len(occupants(self.account.now)) < self.slots:
            super()._upload(step)
        elif self._called(lambda: None):
            self.refused_for_quota += 1
            self.known = self.known.with_listings_forgotten()
            self.now += self.rng.uniform(1, 60)

    def _check_end(self) -> None:
        super()._check_end()
        if not set(self.apart) <= set(self.account.now):
            self.violations.append("a certificate of Cloudflare's own or of a client is gone")


def failures(seeds: Sequence[int]) -> Iterator[tuple[int, list[str]]]:
    """The seeds whose histories go wrong, with what goes wrong."""
    for seed in seeds:
        violations = CrowdedAccount(seed).run()
        if violations:
            yield seed, violations


def main(runs: int, first: int) -> int:
    """Play histories and print those that go wrong."""
    bad = dict(failures(range(first, first + runs)))
    for seed, violations in bad.items():
        print(f"seed {seed}: {violations[0]}" + (f" (and {len(violations) - 1} more)" if violations[1:] else ""))
    print(f"{runs} histories from seed {first}: {len(bad)} with violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
