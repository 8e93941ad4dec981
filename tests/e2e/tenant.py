"""A user of the operator: a namespace of the cluster, and an account with zones at Cloudflare, shared with nobody."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.cloudflare.faults import Call, Effect, Fault, Moment
from testbed.cloudflare.messages import Request
from testbed.cloudflare.monitor.truth import covered
from testbed.cloudflare.state import Certificate, Rule
from tests.certificates import Ca, make_ca
from tests.e2e import resources
from tests.e2e.resources import AUTHORITY, BINDING, Manifest
from tests.e2e.waiting import PATIENCE, until
from tests.e2e.world import OWNER, Handled, World, namespace_of

RESOURCES = "mtlsca,mtlshb"
_TIMEOUT = f"--timeout={PATIENCE:.0f}s"


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of the tenant."""

    id: str
    name: str

    def host(self, label: str) -> str:
        return f"{label}.{self.name}"

    @property
    def by_name(self) -> dict[str, str]:
        """As a binding names it."""
        return {"name": self.name}

    @property
    def by_id(self) -> dict[str, str]:
        return {"id": self.id}


@dataclass(frozen=True, slots=True, repr=False)
class Tenant:
    """What kubectl and the truth at Cloudflare say about one user."""

    world: World
    namespace: str
    account: str
    zones: tuple[Zone, ...]
    ca: Ca

    @classmethod
    def arrive(cls, world: World, *, zones: int = 1) -> Tenant:
        """A new one, with a namespace, an account and zones of its own, and a CA in a file."""
        number = world.next_number()
        account = f"a{number:031x}"
        world.simulation.add_account(account)
        owned = tuple(Zone(f"{index:x}{number:031x}", f"t{number}-{index}.example") for index in range(1, zones + 1))
        for zone in owned:
            world.simulation.add_zone(zone.id, zone.name, account)
        return cls(world, namespace_of(number), account, owned, make_ca(f"CA of tenant {number}"))

    @property
    def token(self) -> str:
        """An API token of its own, for tests that give it one."""
        return f"t0ken-of-{self.namespace}-{'8hJw' * 6}"

    @property
    def zone(self) -> Zone:
        """The first, for tests that need only one."""
        return self.zones[0]

    # What the user writes

    def secret(self, name: str = AUTHORITY, **data: str) -> Manifest:
        """The Secret of the CA, or another."""
        return resources.secret(self.namespace, name, data or {"ca.crt": self.ca.pem})

    def authority(self, name: str = AUTHORITY, **spec: Any) -> Manifest:
        return resources.authority(self.namespace, self.account, name, **spec)

    def binding(self, *labels: str, zone: Zone | None = None, name: str = BINDING, **spec: Any) -> Manifest:
        """A binding of these first labels of hostnames in the zone."""
        where = zone or self.zone
        hostnames = [where.host(label) for label in labels]
        return resources.binding(self.namespace, where.by_name, *hostnames, name=name, **spec)

    # What the user does

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """In the tenant's namespace, as an administrator; what it prints."""
        return self.run(*arguments, stdin=stdin, check=check).stdout

    def run(self, *arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.world.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin, check=check)

    def apply(self, *manifests: Manifest, flags: Sequence[str] = ()) -> None:
        self.kubectl("apply", *flags, "--filename", "-", stdin=json.dumps(resources.as_list(manifests)))

    def diff(self, *manifests: Manifest, flags: Sequence[str] = ()) -> str:
        """What `kubectl diff` says that applying these would change."""
        done = self.run("diff", *flags, "--filename", "-", stdin=json.dumps(resources.as_list(manifests)), check=False)
        assert done.returncode in {0, 1}, done.stderr
        return done.stdout

    def apply_elsewhere(self, *manifests: Manifest) -> None:
        """The same for objects of other namespaces."""
        self.world.cluster.kubectl("apply", "--filename", "-", stdin=json.dumps(resources.as_list(manifests)))

    def apply_set_up(self, *labels: str) -> None:
        """A Secret, its CA, and one binding of these hostnames, `api` where none is given."""
        self.apply(self.secret(), self.authority(), self.binding(*(labels or ("api",))))

    def set_up(self, *labels: str) -> None:
        """The same, and ready."""
        self.apply_set_up(*labels)
        self.wait_ready()

    def wait_ready(self, what: str = RESOURCES) -> None:
        """Until all of these are ready for what their spec says now."""
        each = ("--all",) if "/" not in what else ()
        self.kubectl("wait", "--for=condition=Ready", _TIMEOUT, what, *each)

    def wait_gone(self, what: str) -> None:
        self.kubectl("wait", "--for=delete", _TIMEOUT, what)

    def delete(self, *what: str) -> None:
        """Without waiting."""
        self.kubectl("delete", "--wait=false", *what)

    def tear_down(self) -> None:
        """Delete the tenant's CAs and bindings, CAs first, and wait until they are gone."""
        self.kubectl("delete", RESOURCES, "--all", _TIMEOUT)

    # What is there

    def get(self, what: str) -> dict[str, Any]:
        """An object, such as `mtlshb/api`."""
        found: dict[str, Any] = json.loads(self.kubectl("get", what, "--output=json"))
        return found

    def condition(self, what: str, kind: str) -> dict[str, Any]:
        """A condition of a resource; empty where it has none of that type."""
        conditions = self.get(what).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def wait_conditions(self, what: str, kind: str, reason: str) -> dict[str, Any]:
        """Until a condition of the resource has this reason; all its conditions then, by type."""
        place = f"{{.status.conditions[?(@.type=='{kind}')].reason}}"
        seen = self.kubectl("wait", f"--for=jsonpath={place}={reason}", "--output=json", _TIMEOUT, what)
        return {each["type"]: each for each in json.loads(seen)["status"]["conditions"]}

    def wait_condition(self, what: str, kind: str, status: str, reason: str) -> str:
        """Until a condition of the resource is this; its message."""
        found = self.wait_conditions(what, kind, reason)[kind]
        assert found["status"] == status, found
        return str(found["message"])

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The events of the namespace, or those about resources of that name."""
        found = json.loads(self.kubectl("get", "events", "--output=json"))["items"]
        return [each for each in found if name in {None, each["involvedObject"]["name"]}]

    def wait_warning(self, name: str, reason: str) -> str:
        """The message of the Warning event about a resource, once there is one with that reason."""

        def found() -> list[str]:
            warnings = (each for each in self.events(name) if each["type"] == "Warning")
            return [each["message"] for each in warnings if each["reason"] == reason]

        return until(found, f"a Warning {reason} about {name} of {self.namespace}")[0]

    # What Cloudflare holds and saw

    @property
    def certificates(self) -> list[Certificate]:
        return list(self.world.simulation.state.certificates[self.account].values())

    @property
    def lists(self) -> dict[str, frozenset[str]]:
        """The hostnames of each list by the name of its zone, over all certificates."""
        names = {zone.id: zone.name for zone in self.zones}
        lists = self.world.simulation.state.lists.items()
        return {names[zone]: hostnames for (zone, _), hostnames in lists if zone in names}

    def rules(self, zone: Zone | None = None) -> tuple[Rule, ...]:
        """The custom rules of a zone, in their order."""
        ruleset = self.world.simulation.state.rulesets.get((zone or self.zone).id)
        return () if ruleset is None else ruleset.rules

    @property
    def history(self) -> list[Handled]:
        """The requests about the tenant's account and zones."""
        return [each for each in self.world.history if self.concerns(each.entry.path, each.entry.query)]

    @property
    def violations(self) -> list[str]:
        """The safety invariants that requests about the tenant violated."""
        found = self.world.simulation.monitor.violations
        return [str(each) for each in found if self.concerns(each.request, ())]

    def concerns(self, path: str, query: Sequence[tuple[str, str]]) -> bool:
        ids = (self.account, *(zone.id for zone in self.zones))
        names = {zone.name for zone in self.zones}
        return any(each in path for each in ids) or any(value in names for _, value in query)

    def sent(self, request: Request) -> bool:
        """Whether a request is about the tenant: a match for faults."""
        return self.concerns(request.path, request.query)

    def guarded_after(self, handled: Handled, zone: Zone | None = None) -> frozenset[str]:
        """The hostnames that the operator's rules covered after a request."""
        return covered(handled.after, (zone or self.zone).id).get(OWNER, frozenset())

    def call_once(self, function: Callable[[int, Request], object], *, method: str, path: str, moment: Moment) -> None:
        """Call a function before or after Cloudflare handles the next such request of this tenant."""
        self.fault(Call(function, moment), method=method, path=path)

    def fault(self, effect: Effect, *, method: str | None, path: str, times: int | None = 1, skip: int = 0) -> None:
        """Something goes wrong about requests of this tenant with that method, or any, and that text in the path."""

        def match(request: Request) -> bool:
            return self.sent(request) and method in {None, request.method} and path in request.path

        self.world.simulation.faults.add(Fault(effect, match, times, skip))
