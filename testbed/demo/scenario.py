"""The steps of the demo. Each waits for what must be seen, never for time, and fails if it is not."""

from __future__ import annotations

import shlex
import threading

from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import State
from testbed.demo import order
from testbed.demo.calls import Call, Reader
from testbed.demo.holdings import differences, holdings
from testbed.demo.resources import Resource, ResourceWatch
from testbed.demo.screen import Screen
from testbed.demo.stage import QUICKSTART, ROOT, Stage

NAMESPACE = "quickstart"
AUTHORITY = "mtlsca/partners"
BINDING = "mtlshb/partner-api"
PATIENCE = "--timeout=60s"


class DemoFailedError(RuntimeError):
    """Something was not as it must be. The text says what was wanted and what was seen."""


class Journal:
    """Every call so far, with its meaning, shown as it comes."""

    def __init__(self, simulation: CloudflareSimulation, screen: Screen) -> None:
        self._simulation = simulation
        self._screen = screen
        self._reader = Reader()
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        simulation.on_entry.append(self._take)

    def calls(self, since: int = 0) -> tuple[Call, ...]:
        """All calls, or those from the one with that number (from 0) on."""
        with self._lock:
            return tuple(self._calls[since:])

    def _take(self, entry: LogEntry) -> None:
        call = self._reader.read(entry)
        with self._lock:
            self._calls.append(call)
        self._screen.call(call)
        self._screen.cloudflare(holdings(self._simulation.state))


class Scenario:
    """The quickstart, set up and torn down. `before` is what Cloudflare held before the operator came."""

    def __init__(self, stage: Stage, screen: Screen, journal: Journal, before: State) -> None:
        self._stage = stage
        self._screen = screen
        self._journal = journal
        self._before = before

    def play(self) -> tuple[str, ...]:
        """All of it; what was proved, a line each. Raises DemoFailedError and CommandFailedError."""
        with ResourceWatch(self._stage.control_plane, self._screen.resources) as resources:
            self._set_up()
            self._delete_authority(resources)
            self._delete_binding()
            return self._prove(resources)

    def _set_up(self) -> None:
        self._screen.step("apply the quickstart, and wait until both resources are Ready")
        self._kubectl("apply", "-f", str(QUICKSTART))
        self._kubectl("wait", "--for=condition=Ready", *self._both(), PATIENCE)
        self._set_up_calls = self._journal.calls()
        self._must_agree("set-up", order.differs(self._set_up_calls, order.SET_UP))
        self._screen.step("what is at Cloudflare now")
        for line in holdings(self._stage.simulation.state):
            self._screen.say(line)

    def _delete_authority(self, resources: ResourceWatch) -> None:
        self._screen.step("delete the CA first: it must wait, for a binding uses it")
        self._kubectl("delete", *self._named(AUTHORITY), "--wait=false")
        in_use = '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=InUse'
        self._kubectl("wait", in_use, *self._named(AUTHORITY), PATIENCE)
        authority = _only(resources.look(), "mtlsca")
        if "partner-api" not in authority.message:
            raise DemoFailedError(f"the CA should name the binding that uses it, but says: {authority.message}")
        written = order.writes(self._journal.calls(len(self._set_up_calls)))
        self._must_agree("a CA in use", None if not written else f"wrote {order.in_words(written)}")
        self._screen.say(f"the CA waits: {authority.message}")

    def _delete_binding(self) -> None:
        self._screen.step("delete the binding: it goes, and the CA after it")
        self._kubectl("delete", *self._named(BINDING), PATIENCE)
        self._kubectl("wait", "--for=delete", *self._named(AUTHORITY), PATIENCE)

    def _prove(self, resources: ResourceWatch) -> tuple[str, ...]:
        self._screen.step("prove that nothing is left")
        calls = self._journal.calls(len(self._set_up_calls))
        self._must_agree("tear-down", order.differs(calls, order.TEAR_DOWN))
        self._must_agree(
            "what is left at Cloudflare", "; ".join(differences(self._before, self._stage.simulation.state))
        )
        self._must_agree("what is left in Kubernetes", ", ".join(each.name for each in resources.look()))
        violations = self._stage.simulation.monitor.finish()
        self._must_agree("the safety invariants", "; ".join(map(str, violations)))
        every = len(self._journal.calls())
        return (
            f"set-up in order:    {order.in_words(order.SET_UP)}",
            f"tear-down in order: {order.in_words(order.TEAR_DOWN)}",
            "the CA, deleted first, waited for its binding",
            "nothing of ours is left: no resource, certificate, list entry or rule",
            "what others have there is untouched: certificate, hostname and rule are as they were",
            f"safety invariants checked on each of {every} calls: 0 violations",
            f"{len(self._set_up_calls)} calls for the set-up, {len(calls)} for the tear-down",
        )

    def _must_agree(self, what: str, difference: str | None) -> None:
        if difference:
            raise DemoFailedError(f"{what}: {difference}")

    def _kubectl(self, *arguments: str) -> None:
        # Shown as the user would type it, in the checkout.
        self._screen.command(shlex.join(("kubectl", *arguments)).replace(f"{ROOT}/", ""))
        for line in self._stage.control_plane.kubectl(*arguments).stdout.splitlines():
            self._screen.say(line)

    def _both(self) -> tuple[str, ...]:
        return (*self._named(AUTHORITY), BINDING)

    def _named(self, resource: str) -> tuple[str, ...]:
        return ("--namespace", NAMESPACE, resource)


def _only(resources: tuple[Resource, ...], kind: str) -> Resource:
    (resource,) = (each for each in resources if each.kind == kind)
    return resource
