"""What must be true of a zone at every instant, whatever the planner has in mind.

Read from the truth (lists and ruleset as they are) and from the clusters (statuses, finalizers, what is wanted).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtls_operator.domain.marks import Claim, Enforcement, Installation, Mark, Unreadable, read_mark
from mtls_operator.domain.observed import CertificateId, Rule
from mtls_operator.domain.zone_places import FRESH_SECONDS
from mtls_operator.domain.zone_stakes import Target
from mtls_operator.domain.zone_steps import RecordManaged, WriteList, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import BLOCK
from tests.unit.domain.simulated_installation import Cluster, Operator
from tests.unit.domain.simulated_zone import SimulatedZone

Held = tuple[Installation, str]
Claimed = tuple[Installation, CertificateId, str]


@dataclass
class Watch:
    """Collects violations of the invariants."""

    zone: SimulatedZone
    clusters: Sequence[Cluster]
    issuers: dict[CertificateId, frozenset[str]]
    """The issuers that each certificate holds."""
    slowest: float
    unrelated: frozenset[str]
    """Hostnames that unrelated writers claim."""
    violations: list[str] = field(default_factory=list)
    foreign_since: dict[tuple[CertificateId, str], float] = field(default_factory=dict)
    foreign_rules: tuple[Rule, ...] = ()
    covered: set[Held] = field(default_factory=set)
    wanted_since: dict[Held, float] = field(default_factory=dict)
    locked_out: set[str] = field(default_factory=set)
    meddled_until: float = 0.0
    """Until when what goes wrong may be the doing of somebody who changed what is ours."""

    claimed: set[Claimed] = field(default_factory=set)
    protected: dict[Held, float] = field(default_factory=dict)
    """When a rule that somebody altered, or that was left in force, last named a hostname, and whose rule it was."""
    kept_for_others: set[tuple[CertificateId, str]] = field(default_factory=set)
    """What was let go of while such a rule of another installation named it, which does not say on which list it
    relies: it has to stay on its list, and is nobody's when that rule is gone."""

    def excuse(self, seconds: float) -> None:
        """Somebody is about to change what is ours: for some time we are not to blame."""
        self.meddled_until = self.zone.clock() + seconds

    def zone_changed(self) -> None:
        """After each change of a list or of the ruleset."""
        self._check_lock_out()
        self._check_foreign()
        self._check_coverage(renew=True)
        self._note_claims()

    def cluster_changed(self) -> None:
        """After each change of a binding."""
        now = self.zone.clock()
        wanted = {
            (cluster.installation, name)
            for cluster in self.clusters
            for name in _ruled(cluster.wanted()) | cluster.retained()
        }
        self.wanted_since = {held: self.wanted_since.get(held, now) for held in wanted}
        self._check_coverage(renew=False)

    def before_step(self, operator: Operator, step: ZoneStep) -> None:
        """Before each step: nothing is written before the finalizer and the record of what is written."""
        cluster = operator.cluster
        match step:
            case WriteList(certificate, hostnames):
                added = hostnames - operator.known.lists[certificate].value
                unknown = [name for name in added if not self._is_recorded(name)]
                self._complain_if(unknown, f"PUT adds {unknown}, recorded in no status")
                self._check_readings(operator, certificate)
            case WriteRule(body, _, _):
                mark = read_mark(Rule("new", body))
                names = _hostnames(mark)
                left = {name for _, name in cluster.left_in_force}
                if isinstance(mark, Enforcement) and mark.installation != cluster.installation:
                    # What is left of a rule that another installation retained.
                    left = {name for other in self.clusters for name in other.retained()}
                    left |= {name for other in self.clusters for _, name in other.left_in_force}
                unknown = [name for name in names - left if not cluster.owns(name)]
                self._complain_if(unknown, f"rule written for {unknown}, recorded in no status")
            case RecordManaged(key, managed):
                held = cluster.bindings[key].has_finalizer
                self._complain_if(managed and not held, f"{key} records before it has the finalizer")

    def _check_readings(self, operator: Operator, certificate: CertificateId) -> None:
        """Both fresh, and the rules before the list: a claim that is gone was dropped when the list was clean."""
        rules, hostnames = operator.known.rules, operator.known.lists[certificate]
        fresh = rules is not None and self.zone.clock() - FRESH_SECONDS <= rules.begun <= hostnames.begun
        self._complain_if(not fresh, "PUT rests on old readings, or on a list read before the rules")

    def _is_recorded(self, hostname: str) -> bool:
        return hostname in self.unrelated or any(each.owns(hostname) for each in self.clusters)

    def marks(self) -> list[tuple[Rule, Mark | None]]:
        """The ruleset as it is."""
        ruleset = self.zone.ruleset.now
        return [(rule, read_mark(rule)) for rule in ruleset.rules] if ruleset else []

    def complain(self, what: str) -> None:
        """Note a violation."""
        self.violations.append(f"{self.zone.clock():.1f}: {what}")

    def _complain_if(self, condition: object, what: str) -> None:
        if condition:
            self.complain(what)

    def _enforced(self) -> Iterator[tuple[str, Enforcement]]:
        for _, mark in self.marks():
            if isinstance(mark, Enforcement) and mark.enabled:
                for hostname in mark.hostnames:
                    yield hostname, mark

    def _complain_unless_meddled(self, what: str) -> None:
        if self.zone.clock() >= self.meddled_until:
            self.complain(what)

    def _check_lock_out(self) -> None:
        """Rules are ANDed: some certificate has to be accepted by all of a hostname's rules and be associated."""
        everybody = frozenset[str]().union(*self.issuers.values())
        accepted: dict[str, frozenset[str]] = {}
        for hostname, rule in self._enforced():
            if rule.action != BLOCK:
                continue
            allowed = everybody if rule.issuers is None else rule.issuers
            accepted[hostname] = accepted.get(hostname, everybody) & allowed
        out = {
            hostname
            for hostname, issuers in accepted.items()
            if not any(hostname in self.zone.lists[c].now and issuers & held for c, held in self.issuers.items())
        }
        for hostname in sorted(out - self.locked_out):
            self._complain_unless_meddled(
                f"lock-out: {hostname} is enforced and not on the list of a certificate that is accepted"
            )
        self.locked_out = out

    def _check_foreign(self) -> None:
        """A foreign hostname stays, unless it came so late that no reading could show it."""
        blind = self.zone.lag + FRESH_SECONDS + 2 * self.slowest
        for (certificate, hostname), since in list(self.foreign_since.items()):
            if hostname not in self.zone.lists[certificate].now:
                late = self.zone.clock() - since <= blind
                self._complain_if(not late, f"foreign {hostname} removed from {certificate}")
                del self.foreign_since[certificate, hostname]
        foreign = tuple(rule for rule, mark in self.marks() if mark is None)
        self._complain_if(foreign != self.foreign_rules, "a rule of somebody else was changed")

    def _note_claims(self) -> None:
        now, marks = self.zone.clock(), [mark for _, mark in self.marks()]
        altered = [(mark.installation, mark.names) for mark in marks if isinstance(mark, Unreadable)]
        left = [(m.installation, m.hostnames) for m in marks if isinstance(m, Enforcement) and m.retained]
        naming = [*altered, *left]
        self.protected |= {(whose, name): now for whose, names in naming if whose is not None for name in names}
        claims = [mark for mark in marks if isinstance(mark, Claim)]
        claimed = {(c.installation, place, name) for c in claims for place in c.certificate_ids for name in c.hostnames}
        seen_from = now - self.zone.lag - FRESH_SECONDS - 2 * self.slowest
        for us, certificate, hostname in self.claimed - claimed:
            if any(who != us and name == hostname and at >= seen_from for (who, name), at in self.protected.items()):
                self.kept_for_others.add((certificate, hostname))
        self.claimed = claimed

    def _is_taken_over(self, held: Held, covered: set[str]) -> bool:
        """Whether another installation covers what this one lets go of with everything in force, or wants again since
        so short a time that nobody need have seen it."""
        us, hostname = held
        unseen = self.zone.clock() - self.wanted_since[held] <= self.zone.lag + FRESH_SECONDS + 2 * self.slowest
        let_go = any(
            hostname in cluster.retained() - cluster.wanted().keys()
            for cluster in self.clusters
            if cluster.installation == us
        )
        return (let_go or unseen) and hostname in covered

    def _check_coverage(self, *, renew: bool) -> None:
        """Once covered, a hostname stays covered while it is wanted without a break."""
        enforced = {(rule.installation, hostname) for hostname, rule in self._enforced()}
        for held in sorted(self.covered - enforced, key=str):
            if held in self.wanted_since and not self._is_taken_over(held, {hostname for _, hostname in enforced}):
                self._complain_unless_meddled(f"coverage of {held[1]} by {held[0].owner} was lost")
        self.covered &= enforced & self.wanted_since.keys()
        if renew:
            settled = self.zone.clock() - self.slowest
            self.covered |= {held for held in enforced if self.wanted_since.get(held, settled) < settled}


def _ruled(wanted: Mapping[str, Target]) -> frozenset[str]:
    """Those that are to be covered by a rule."""
    return frozenset(name for name, target in wanted.items() if target.policy is None or not target.policy.is_bare)


def _hostnames(mark: Mark | None) -> frozenset[str]:
    return mark.hostnames if isinstance(mark, Claim | Enforcement) else frozenset()
