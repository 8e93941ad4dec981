"""The steps of the demo. Each waits for what must be seen, never for time, and fails if it is not."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from testbed.cloudflare.edge.edge import Edge
from testbed.cloudflare.journal import LogEntry
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import State
from testbed.demo import order, quickstart, verification
from testbed.demo.calls import Call, Meaning, Reader
from testbed.demo.client_ca import Client, ClientCa
from testbed.demo.holdings import differences, holdings
from testbed.demo.resources import Resource, ResourceWatch
from testbed.demo.screen import Screen
from testbed.demo.stage import ROOT, Stage

NAMESPACE = "quickstart"
AUTHORITY = "mtlsca/partners"
BINDING = "mtlshb/partner-api"
HOSTNAME = "api.example.com"
PATIENCE = 60.0
"""Seconds."""
_TIMEOUT = f"--timeout={PATIENCE:.0f}s"
_LOOKS = 0.05
"""Seconds between two looks at what is waited for."""


class DemoFailedError(RuntimeError):
    """Something was not as it must be. The text says what was wanted and what was seen."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who got through in the end, as `cfmtls verify` shows it, and what was proved, a line each."""

    table: str
    proved: tuple[str, ...]


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
    """The quickstart, set up, asked for by good and bad clients, and torn down. `before` is what Cloudflare held before
    the operator came."""

    def __init__(self, stage: Stage, screen: Screen, journal: Journal, before: State) -> None:
        self._stage = stage
        self._screen = screen
        self._journal = journal
        self._before = before
        self._told = 0
        self._directory = stage.control_plane.directory / "demo"
        self._directory.mkdir()
        self._ca = ClientCa(self._directory)
        self._good, self._leaked = self._ca.issue("billing"), self._ca.issue("reporting")

    def play(self) -> Outcome:
        """All of it. Raises DemoFailedError and CommandFailedError."""
        with ResourceWatch(self._stage.control_plane, self._screen.resources) as resources:
            set_up = self._set_up()
            self._screen.step("ask from outside: who gets through?")
            self._verify(client=self._leaked)
            self._revoke()
            table = self._verify(client=self._good, revoked=self._leaked)
            self._delete_authority(resources)
            self._delete_binding()
            return Outcome(table, self._prove(resources, set_up))

    def _set_up(self) -> int:
        self._screen.step("apply the quickstart, with a CA that we have the key of, and wait until both are Ready")
        self._kubectl("apply", "-f", str(quickstart.with_ca(self._ca.pem, self._directory)))
        self._kubectl("wait", "--for=condition=Ready", *self._both(), _TIMEOUT)
        calls = self._must_have_done("set-up", order.SET_UP)
        self._screen.step("what is at Cloudflare now")
        for line in holdings(self._stage.simulation.state):
            self._screen.say(line)
        return calls

    def _verify(self, **clients: Client) -> str:
        where = verification.whereabouts(self._stage.edge, self._stage.edge_ca)
        words = verification.arguments(HOSTNAME, where, clients)
        self._screen.command(verification.as_typed(words))
        report = verification.run(words)
        self._screen.table(tuple(report.table.splitlines()))
        if not report.is_good:
            raise DemoFailedError(f"not everybody was answered as they should be:\n{report.table}")
        return report.table

    def _revoke(self) -> None:
        self._screen.step("the key of the client reporting has leaked: publish a revocation list, and ask again")
        revoked = self._ca.revoke(self._leaked)
        self._kubectl("create", "configmap", "revoked", "--namespace", NAMESPACE, f"--from-file={revoked}")
        source = {"spec": {"revocation": {"configMapRef": {"name": "revoked", "key": revoked.name}}}}
        self._kubectl("patch", *self._named(AUTHORITY), "--type=merge", f"--patch={json.dumps(source)}")
        self._until(
            lambda: Meaning.REVOKE in order.writes(self._journal.calls(self._told)), "a rule for who is revoked"
        )
        self._must_have_done("revocation", order.REVOCATION)
        self._until(self._edge_is_up_to_date, "the rule at the edge")

    def _edge_is_up_to_date(self) -> bool:
        simulation = self._stage.simulation
        return Edge(simulation).replica().rules.rulesets == simulation.state.rulesets

    def _delete_authority(self, resources: ResourceWatch) -> None:
        self._screen.step("delete the CA first: it must wait, for a binding uses it")
        self._kubectl("delete", *self._named(AUTHORITY), "--wait=false")
        in_use = '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=InUse'
        self._kubectl("wait", in_use, *self._named(AUTHORITY), _TIMEOUT)
        authority = _only(resources.look(), "mtlsca")
        if "partner-api" not in authority.message:
            raise DemoFailedError(f"the CA should name the binding that uses it, but says: {authority.message}")
        written = order.writes(self._journal.calls(self._told))
        self._must_agree("a CA in use", None if not written else f"wrote {order.in_words(written)}")
        self._screen.say(f"the CA waits: {authority.message}")

    def _delete_binding(self) -> None:
        self._screen.step("delete the binding: it goes, and the CA after it")
        self._kubectl("delete", *self._named(BINDING), _TIMEOUT)
        self._kubectl("wait", "--for=delete", *self._named(AUTHORITY), _TIMEOUT)

    def _prove(self, resources: ResourceWatch, set_up_calls: int) -> tuple[str, ...]:
        self._screen.step("prove that nothing is left")
        calls = self._must_have_done("tear-down", order.TEAR_DOWN)
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
            "who gets through: good clients alone; the one that did at first no longer after its revocation",
            "the CA, deleted first, waited for its binding",
            "nothing of ours is left: no resource, certificate, list entry or rule",
            "what others have there is untouched: certificate, hostname and rule are as they were",
            f"safety invariants checked on each of {every} calls: 0 violations",
            f"{set_up_calls} calls for the set-up, {calls} for the tear-down",
        )

    def _must_have_done(self, what: str, wanted: tuple[Meaning, ...]) -> int:
        """How many calls have come since the last time, which must have written this in that order."""
        calls = self._journal.calls(self._told)
        self._must_agree(what, order.differs(calls, wanted))
        self._told += len(calls)
        return len(calls)

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise DemoFailedError(f"waited {PATIENCE:.0f} s in vain for {what}")
            time.sleep(_LOOKS)

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
