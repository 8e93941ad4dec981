"""What people do in a story to a cluster, with kubectl.

Each act says whether it did anything. What makes no sense at its moment (another act before it was dropped, or
`exclusions` forbids it) does nothing, so any part of a story is a story.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.chaos.act import Act
from testbed.chaos.authorities import branch_identifier
from testbed.chaos.exclusions import (
    may_create_authority,
    may_delete_authority,
    may_delete_binding,
    may_delete_namespace,
    may_lose_its_status,
)
from testbed.chaos.records import managed_hostnames
from testbed.chaos.revocation_lists import KEY, secret_of
from testbed.chaos.secret_acts import put_source
from testbed.chaos.world import (
    ACCOUNTS,
    BINDING,
    CA,
    TOKEN,
    ZONES,
    Body,
    Site,
    World,
    authority_place,
    is_deleting,
    place_of,
    resource,
)


@dataclass(frozen=True, kw_only=True)
class ApplyAuthority(Act):
    """A CA and its source; with `own_token` it brings the token of its namespace. `admits`: bindings of which
    namespaces. `revokes`: it refers to a list of revoked certificates."""

    namespace: str
    bundle: str
    own_token: bool = False
    side_by_side: bool = False
    admits: str = "All"
    revokes: bool = False

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if not may_create_authority(world, site, self.bundle) or not site.is_open(self.namespace):
            return False
        put_source(site, self.namespace, self.bundle)
        site.cluster.users.apply(self._manifest(world.setting.overlap))
        return True

    def _manifest(self, overlap: float) -> Body:
        spec: Body = {
            "accountId": ACCOUNTS[self.bundle],
            "source": {"secretRef": {"name": self.bundle}},
            "allowedBindings": {"namespaces": {"from": self.admits}},
            "rotation": {"overlap": f"{overlap:.0f}s"},
        }
        if self.side_by_side:
            spec["rotation"]["strategy"] = "SideBySide"
        if self.revokes:
            spec["revocation"] = {"secretRef": {"name": secret_of(self.bundle), "key": KEY}}
        if self.own_token:
            spec["credentialsRef"] = {"name": TOKEN, "key": TOKEN}
        return resource(CA, self.namespace, self.bundle, spec)


@dataclass(frozen=True, kw_only=True)
class ApplyBinding(Act):
    """A binding; one that is there already is edited, unless its zone differs, which the API server refuses.
    `branches`: of which CAs the branch is accepted as well, by their subjects."""

    namespace: str
    name: str
    bundle: str
    authority_namespace: str
    zone: str
    hostnames: tuple[str, ...]
    status_code: int | None = None
    by_id: bool = False
    action: str = "Block"
    pinned: bool = True
    branches: tuple[str, ...] = ()

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        manifest = self._manifest()
        present = site.read(BINDING, self.namespace, self.name)
        if present is not None and present["spec"]["zone"] != manifest["spec"]["zone"]:
            return False
        site.cluster.users.apply(manifest)
        world.bound |= {(self.zone, self.bundle, hostname) for hostname in self.hostnames}
        return True

    def _manifest(self) -> Body:
        reference = {"name": self.bundle, "namespace": self.authority_namespace}
        spec: Body = {
            "certificateAuthorityRef": reference,
            "zone": {"id": ZONES[self.zone]} if self.by_id else {"name": self.zone},
            "hostnames": list(self.hostnames),
        }
        if enforcement := self._enforcement():
            spec["enforcement"] = enforcement
        return resource(BINDING, self.namespace, self.name, spec)

    def _enforcement(self) -> Body:
        enforcement: Body = {}
        if self.status_code is not None and self.action == "Block":
            enforcement["response"] = {"statusCode": self.status_code, "contentType": "text/plain", "content": "no"}
        if self.action != "Block":
            enforcement["action"] = self.action
        if not self.pinned:
            enforcement["issuerPinning"] = "Never"
        if self.branches:
            enforcement["additionalIssuers"] = [*map(branch_identifier, self.branches)]
        return enforcement


@dataclass(frozen=True, kw_only=True)
class EditHostnames(Act):
    """Other hostnames for a binding, in a zone and of a bundle that it must have for the act to make sense."""

    namespace: str
    name: str
    bundle: str
    zone: str
    hostnames: tuple[str, ...]

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        body = site.read(BINDING, self.namespace, self.name)
        if body is None or authority_place(body)[1] != self.bundle or zone_of(body) != self.zone:
            return False
        site.cluster.users.edit(
            BINDING, self.namespace, self.name, lambda each: each["spec"].update(hostnames=list(self.hostnames))
        )
        world.bound |= {(self.zone, self.bundle, hostname) for hostname in self.hostnames}
        return True


@dataclass(frozen=True, kw_only=True)
class DeleteBinding(Act):
    """`kubectl delete`."""

    namespace: str
    name: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        body = site.read(BINDING, self.namespace, self.name)
        if body is None or not may_delete_binding(world, body):
            return False
        site.cluster.users.delete(BINDING, self.namespace, self.name)
        return True


@dataclass(frozen=True, kw_only=True)
class DeleteAuthority(Act):
    """`kubectl delete`."""

    namespace: str
    bundle: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        body = site.read(CA, self.namespace, self.bundle)
        if body is None or not may_delete_authority(world, site, body):
            return False
        site.cluster.users.delete(CA, self.namespace, self.bundle)
        return True


@dataclass(frozen=True, kw_only=True)
class DeleteNamespace(Act):
    """With everything in it, in any order."""

    namespace: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if not site.is_open(self.namespace) or not may_delete_namespace(world, site, self.namespace):
            return False
        site.cluster.users.delete_namespace(self.namespace)
        return True


@dataclass(frozen=True, kw_only=True)
class DeleteEverything(Act):
    """All bindings and CAs of a cluster that may go, in any order."""

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        going = [(BINDING, *place_of(each)) for each in site.bodies(BINDING) if may_delete_binding(world, each)]
        going += [(CA, *place_of(each)) for each in site.bodies(CA) if may_delete_authority(world, site, each)]
        world.rng.shuffle(going)
        for kind, namespace, name in going:
            site.cluster.users.delete(kind, namespace, name)
        return bool(going)


@dataclass(frozen=True, kw_only=True)
class CreateNamespace(Act):
    """Where it has gone; with a token."""

    namespace: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        site.cluster.users.create_namespace(self.namespace)
        world.give_token(site, self.namespace)
        return True


@dataclass(frozen=True, kw_only=True)
class Consent(Act):
    """A CA admits the bindings of other namespaces, or no longer does."""

    namespace: str
    bundle: str
    given: bool

    def perform(self, world: World) -> bool:
        give_consent(world.sites[self.site], self.namespace, self.bundle, given=self.given)
        return True


@dataclass(frozen=True, kw_only=True)
class Suspend(Act):
    """A resource is laid aside, or taken up again."""

    kind: str
    namespace: str
    name: str
    on: bool

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if site.read(self.kind, self.namespace, self.name) is None:
            return False
        suspend(site, self.kind, self.namespace, self.name, on=self.on)
        return True


@dataclass(frozen=True, kw_only=True)
class SetPolicy(Act):
    """A resource gets another policy, also while it is being deleted."""

    kind: str
    namespace: str
    name: str
    policy: str
    value: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if site.read(self.kind, self.namespace, self.name) is None:
            return False
        set_policy(site, self.kind, (self.namespace, self.name), self.policy, self.value)
        return True


@dataclass(frozen=True, kw_only=True)
class LoseStatus(Act):
    """The status of a binding is gone, as after a restore from a backup. What it names no more would be an orphan."""

    namespace: str
    name: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        body = site.read(BINDING, self.namespace, self.name)
        if body is None or not may_lose_its_status(body):
            return False
        world.lost |= managed_hostnames(body)
        site.cluster.users.write_status(BINDING, self.namespace, self.name, None)
        return True


@dataclass(frozen=True, kw_only=True)
class Nudge(Act):
    """The annotation that asks for a fresh look."""

    namespace: str
    name: str

    def perform(self, world: World) -> bool:
        asked = {"apishield-mtls.io/reconcile-requested-at": f"{self.at}"}
        world.sites[self.site].cluster.users.annotate(BINDING, self.namespace, self.name, asked)
        return True


def suspend(site: Site, kind: str, namespace: str, name: str, *, on: bool) -> None:
    """A resource is laid aside, or taken up again."""
    site.cluster.users.edit(kind, namespace, name, lambda body: body["spec"].update(suspend=on))


def set_policy(site: Site, kind: str, place: tuple[str, str], policy: str, value: str) -> None:
    """A resource has another policy."""
    site.cluster.users.edit(kind, *place, lambda body: body["spec"].update({policy: value}))


def give_consent(site: Site, namespace: str, bundle: str, *, given: bool) -> None:
    """A CA admits all namespaces, or its own only."""
    allowed = {"namespaces": {"from": "All" if given else "Same"}}
    site.cluster.users.edit(CA, namespace, bundle, lambda body: body["spec"].update(allowedBindings=allowed))


def zone_of(binding: Body) -> str:
    """The name of a binding's zone."""
    zone = binding["spec"]["zone"]
    return str(zone.get("name") or next(name for name, zone_id in ZONES.items() if zone_id == zone["id"]))


def deleting(site: Site, kind: str) -> list[tuple[str, str]]:
    """The resources that are being deleted."""
    return [place_of(each) for each in site.bodies(kind) if is_deleting(each)]
