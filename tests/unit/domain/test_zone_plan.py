"""The straight path of a binding, and single situations on the way, in a zone where nothing goes wrong by chance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from mtls_operator.domain.marks import Claim, ClaimState, Enforcement, Installation, claim_body, read_mark
from mtls_operator.domain.observed import BlockResponse, CertificateId, Rule, RuleBody, Ruleset
from mtls_operator.domain.records import ResourceKey
from mtls_operator.domain.zone_knowledge import nothing_known
from mtls_operator.domain.zone_places import Timing, ZoneState
from mtls_operator.domain.zone_plan import plan_zone
from mtls_operator.domain.zone_progress import HostProgress, HostStage
from mtls_operator.domain.zone_stakes import Desired, Target
from mtls_operator.domain.zone_steps import ReadRules, WriteRule, ZoneStep
from mtls_operator.domain.zone_view import Policy
from tests.unit.domain.simulated_binding import Binding
from tests.unit.domain.simulated_installation import Cluster, Operator, Troubles
from tests.unit.domain.simulated_zone import Past, SimulatedZone
from tests.unit.domain.virtual_time import Chance, VirtualTime

US = Installation("us", "11111111-2222-4333-8444-555555555555")
OTHERS = Installation("them", "99999999-2222-4333-8444-555555555555")
CERTIFICATE = CertificateId("aaaaaaaa-0000-4000-8000-000000000000")
AIM = frozenset({"a" * 16})
TARGET = Target(CERTIFICATE, AIM, AIM, Policy(frozenset({"AA01"}), "block"), issuers=frozenset({"AA01"}))
API, WEB = "api.example.com", "www.example.com"
FOREIGN = Rule("waf", RuleBody("waf", "block", "(true)", "closed for lunch", enabled=True))
KEY = ResourceKey("apps", "binding")
TIMING = Timing(window=90.0, settle=90.0)
SET_UP = [
    "ReadRules",
    "AddFinalizer",
    "RecordManaged",
    "WriteRule",
    "ReadList",
    "WriteList",
    "ReadList",
    "ReadRules",
    "ReadList",
    "WriteRule",
    "WriteRule",
]
TEAR_DOWN = [
    "DeleteRule",
    "WriteRule",
    "ReadRules",
    "ReadList",
    "WriteList",
    "ReadList",
    "ReadRules",
    "Conclude",
    "DeleteRule",
    "RecordManaged",
    "RemoveFinalizer",
]


@dataclass
class CalmZone:
    """A zone read as it is, and one operator whose calls take a moment and never fail."""

    rules: tuple[Rule, ...] = (FOREIGN,)
    hostnames: frozenset[str] = frozenset({"old.example.com"})
    time: VirtualTime = field(default_factory=VirtualTime)
    steps: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        lists, ruleset = Past([0.0], [self.hostnames]), Past[Ruleset | None]([0.0], [Ruleset("set", 1, self.rules)])
        self.zone = SimulatedZone(Chance(1), lambda: self.time.now, 0.0, {CERTIFICATE: lists}, ruleset)
        self.cluster = Cluster(US)
        calm = Troubles(slowest=0.1)
        self.operator = Operator(self.time, Chance(1), self.zone, self.cluster, TIMING, calm, before_step=self._note)
        self.cluster.changed = self.operator.process.wake
        self.operator.process.start(0.0)
        self.time.run(1.0)

    def _note(self, _operator: Operator, step: ZoneStep) -> None:
        self.steps.append(type(step).__name__)

    def after(self, binding: Binding, seconds: float = 5_000.0) -> list[str]:
        """The steps that follow when a binding is put into the cluster, up to some time later."""
        self.steps.clear()
        self.cluster.put(binding)
        return self.wait(seconds)

    def wait(self, seconds: float) -> list[str]:
        until = self.time.now + seconds
        self.time.run(until)
        self.time.now = until
        return self.steps

    def begin_again(self) -> None:
        """The process dies and forgets all."""
        self.steps.clear()
        self.operator.process.kill()
        self.operator.process.start(0.0)

    def state(self, desired: Desired) -> ZoneState:
        """Desired and known side by side, as the plan sees them."""
        known = self.operator.known
        assert known.rules is not None
        return ZoneState(desired, known, known.rules, self.time.now, TIMING)

    def stage(self, hostname: str = API) -> HostProgress:
        (plan,) = self.operator.plans()
        assert plan.progress is not None
        return plan.progress[KEY][hostname]

    def add_rules(self, *rules: Rule) -> None:
        """Somebody adds rules, last; without a look nobody knows."""
        ruleset = self.zone.ruleset.now
        self.zone.set_rules((*(ruleset.rules if ruleset else ()), *rules))

    def marks(self) -> list[object]:
        ruleset = self.zone.ruleset.now
        return [read_mark(rule) for rule in ruleset.rules] if ruleset else []

    @property
    def listed(self) -> frozenset[str]:
        return self.zone.lists[CERTIFICATE].now

    def ours(self) -> Binding:
        return self.cluster.bindings[KEY]


def wanted(*hostnames: str, target: Target = TARGET) -> Binding:
    return Binding(KEY, hostnames or (API,), target)


def claim(state: ClaimState, *hostnames: str, by: Installation = US) -> Claim:
    aim = frozenset() if state is ClaimState.LEAVING else frozenset({"a" * 16})
    in_force = aim if state is ClaimState.HELD else frozenset[str]()
    return Claim(by, state, frozenset({CERTIFICATE}), frozenset(hostnames or (API,)), aim, in_force)


def enforced(*hostnames: str, response: BlockResponse | None = None) -> Enforcement:
    return Enforcement(US, frozenset(hostnames or (API,)), frozenset({"AA01"}), "block", response, enabled=True)


def test_set_up_takes_these_steps_in_this_order() -> None:
    zone = CalmZone()

    assert zone.after(wanted()) == SET_UP
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.listed == {"old.example.com", API}


def test_tear_down_takes_these_steps_in_this_order_and_leaves_what_was_there_before() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), deleting=True)) == TEAR_DOWN
    assert zone.marks() == [None]
    assert zone.listed == {"old.example.com"}
    assert zone.cluster.bindings == {}


def test_a_ruleset_is_created_only_just_after_it_was_not_there() -> None:
    cluster = Cluster(US)
    cluster.put(replace(wanted(), has_finalizer=True, managed={CERTIFICATE: frozenset({API})}))
    known = nothing_known(0.0).with_rules_read(None, begun=100.0, now=101.0, us=US, window=TIMING.window)
    (desired,) = cluster.desired()

    (first, *_) = plan_zone(desired, known, 110.0, TIMING).steps

    assert isinstance(first, WriteRule)
    assert plan_zone(desired, known, 110.5, TIMING).steps == (ReadRules(),)


def test_a_new_process_gives_up_no_claim_before_it_can_see_the_rules_of_the_one_before_it() -> None:
    cluster = Cluster(US)
    cluster.put(replace(wanted(WEB), has_finalizer=True, managed={CERTIFICATE: frozenset({API, WEB})}))
    held = Rule("held", claim_body(claim(ClaimState.HELD, API, WEB), "held"))
    known = nothing_known(0.0).with_rules_read(
        Ruleset("set", 1, (held, FOREIGN)), begun=5.0, now=6.0, us=US, window=TIMING.window
    )
    (desired,) = cluster.desired()

    steps = plan_zone(desired, known, 7.0, TIMING).steps

    written = [read_mark(Rule("new", step.body)) for step in steps if isinstance(step, WriteRule)]
    assert [mark.state for mark in written if isinstance(mark, Claim)] == []


def test_when_all_is_well_nothing_is_done_and_nothing_waited_for() -> None:
    zone = CalmZone()
    zone.after(wanted())

    (plan,) = zone.operator.plans()

    assert (plan.steps, plan.wake_at) == ((), None)


def test_a_binding_that_never_wanted_anything_is_released_without_a_look_at_the_zone() -> None:
    zone = CalmZone()

    assert zone.after(Binding(KEY, (API,), TARGET, blocked=True, has_finalizer=True, deleting=True)) == [
        "RemoveFinalizer"
    ]


def test_many_hostnames_cost_no_more_calls_than_one() -> None:
    zone = CalmZone()

    assert zone.after(wanted(*(f"h{number}.example.com" for number in range(50)))) == SET_UP


def test_a_hostname_is_pending_arriving_and_enforced_and_says_until_when_it_settles() -> None:
    zone = CalmZone()
    zone.cluster.put(wanted())
    (unread,) = zone.operator.plans()
    zone.wait(5.0)
    arriving = zone.stage()
    zone.wait(5_000.0)

    assert unread.progress is None
    assert arriving.stage is HostStage.ARRIVING
    assert arriving.until == pytest.approx(92.0, abs=2.0)
    assert zone.stage() == HostProgress(HostStage.ENFORCED)


def test_where_another_installation_shares_the_list_a_hostname_settles_two_windows_and_a_minute() -> None:
    theirs = Rule("theirs", claim_body(claim(ClaimState.HELD, WEB, by=OTHERS), "theirs"))
    zone = CalmZone(rules=(theirs,), hostnames=frozenset({WEB}))

    zone.after(wanted(), seconds=5.0)

    assert zone.stage().until == pytest.approx(242.0, abs=2.0)


def test_a_hostname_that_is_given_up_is_leaving_until_others_had_time_to_see_it() -> None:
    zone = CalmZone()
    zone.after(wanted())
    begun = zone.time.now

    zone.after(replace(zone.ours(), hostnames=(WEB,)), seconds=5.0)

    assert zone.stage(API).stage is HostStage.LEAVING
    assert zone.stage(API).until == pytest.approx(begun + 90.0, abs=2.0)
    assert zone.stage(WEB).stage is HostStage.ARRIVING


def test_after_a_start_rules_that_are_as_wanted_are_read_twice_the_second_time_when_they_are_exact() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.begin_again()

    assert zone.wait(5_000.0) == ["ReadRules", "ReadRules"]


@pytest.mark.parametrize("seed", range(6))
def test_a_new_process_takes_nothing_off_that_it_reads_too_early_to_see_claimed_and_listed(seed: int) -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=5.0)
    zone.after(replace(zone.ours(), hostnames=(API, WEB)), seconds=5.0)
    zone.zone.lag, zone.zone.rng = 8.0, Chance(seed)
    zone.begin_again()

    at_once = list(zone.wait(80.0))
    zone.wait(300.0)

    assert at_once == ["ReadRules"]
    assert [len(each) for each in zone.zone.lists[CERTIFICATE].values] == [1, 2, 3, 3]
    assert zone.marks() == [enforced(API, WEB), None, claim(ClaimState.HELD, API, WEB)]


@pytest.mark.parametrize("seed", range(6))
def test_a_new_process_enforces_nothing_anew_while_it_may_not_see_yet_that_it_is_being_given_up(seed: int) -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.after(replace(zone.ours(), hostnames=(WEB,)), seconds=5.0)
    held_without_a_rule = zone.zone.ruleset.values[-2]
    zone.zone.ruleset = Past([0.0, zone.time.now], [held_without_a_rule, zone.zone.ruleset.now])
    zone.zone.lag, zone.zone.rng = 8.0, Chance(seed)
    zone.begin_again()
    seen: list[list[object]] = []
    zone.zone.watch = lambda: seen.append(zone.marks())

    zone.after(replace(zone.ours(), hostnames=(API,)))

    assert not any(enforced() in marks and claim(ClaimState.HELD) not in marks for marks in seen)
    assert enforced() in zone.marks()


def test_a_held_hostname_without_its_rule_is_enforced_as_soon_as_it_is_read_on_the_list() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.zone.delete_rule("rule-2")
    zone.begin_again()

    assert zone.wait(1.0) == ["ReadRules", "ReadList", "WriteRule"]
    assert enforced() in zone.marks()


def test_a_hostname_that_was_covered_gets_its_rule_back_at_once_beside_one_that_never_was() -> None:
    zone = CalmZone()
    zone.after(wanted(API, WEB))
    zone.zone.delete_rule("rule-2")
    zone.cluster.bindings[KEY] = replace(zone.ours(), enforced=frozenset({API}))
    zone.begin_again()

    assert zone.wait(1.0) == ["ReadRules", "ReadList", "WriteRule"]
    assert enforced(API, WEB) in zone.marks()


def test_a_held_hostname_that_vanished_from_the_list_arrives_again_before_it_is_enforced() -> None:
    zone = CalmZone()
    zone.after(wanted())
    zone.zone.delete_rule("rule-2")
    zone.zone.put_list(CERTIFICATE, frozenset())
    zone.begin_again()

    at_once = list(zone.wait(1.0))
    zone.wait(95.0)
    arriving = zone.marks()
    zone.wait(5_000.0)

    assert at_once == ["ReadRules", "ReadList"]
    assert arriving == [None, claim(ClaimState.ARRIVING)]
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]
    assert zone.listed == {API}


def test_a_policy_changes_in_place_by_a_single_write() -> None:
    zone = CalmZone()
    zone.after(wanted())
    told = BlockResponse(403, "text/plain", "no")
    assert TARGET.policy is not None

    changed = replace(zone.ours(), target=replace(TARGET, policy=replace(TARGET.policy, response=told)))

    assert [step for step in zone.after(changed) if step.startswith(("Write", "Delete"))] == ["WriteRule"]
    assert enforced(response=told) in zone.marks()


def test_a_binding_that_cannot_be_reconciled_keeps_what_is_in_force() -> None:
    zone = CalmZone()
    zone.after(wanted())

    assert zone.after(replace(zone.ours(), blocked=True, hostnames=(WEB,))) == []
    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_a_binding_that_cannot_be_reconciled_does_not_hold_up_another_that_wants_the_same() -> None:
    zone = CalmZone()
    zone.after(wanted(), seconds=5.0)
    zone.cluster.put(replace(zone.ours(), blocked=True))

    zone.after(Binding(ResourceKey("apps", "a-second"), (API,), TARGET))

    assert zone.marks() == [enforced(), None, claim(ClaimState.HELD)]


def test_what_is_ours_by_mark_but_in_no_status_is_left_as_it_is() -> None:
    orphan = Rule("orphan", claim_body(claim(ClaimState.HELD, WEB), "orphan"))
    zone = CalmZone(rules=(orphan,), hostnames=frozenset({WEB}))

    zone.after(wanted())
    zone.after(replace(zone.ours(), deleting=True))

    assert zone.marks() == [claim(ClaimState.HELD, WEB)]
    assert zone.listed == {WEB}


@pytest.mark.parametrize("description", ["mtls-operator/2 claim of a later version", "mtls-operator/1 damaged"])
def test_a_hostname_that_an_unreadable_mark_names_stays_on_the_list_when_we_give_it_up(description: str) -> None:
    unreadable = Rule("later", RuleBody("later", "log", f'something with "{API}"', description, enabled=False))
    zone = CalmZone(rules=(unreadable,))

    zone.after(wanted())
    zone.after(replace(zone.ours(), deleting=True))

    assert zone.listed == {"old.example.com", API}
    assert zone.cluster.bindings == {}


def test_a_hostname_that_another_installation_claims_stays_on_the_list_when_we_give_it_up() -> None:
    theirs = Rule("theirs", claim_body(claim(ClaimState.HELD, by=OTHERS), "theirs"))
    zone = CalmZone(rules=(theirs,), hostnames=frozenset({API}))

    zone.after(wanted())
    steps = zone.after(replace(zone.ours(), deleting=True))

    assert "WriteList" not in steps
    assert zone.listed == {API}
    assert zone.marks() == [claim(ClaimState.HELD, by=OTHERS)]
