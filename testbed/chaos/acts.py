"""What people do in a story to a cluster, with kubectl.

Each act says whether it did anything. What makes no sense at its moment (another act before it was dropped, or
`exclusions` forbids it) does nothing, so any part of a story is a story.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from testbed.chaos.authorities import NO_KEY, pem_of
from testbed.chaos.exclusions import may_create_authority, may_delete_authority, may_delete_namespace
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
class Act:
    """Something that happens `at` so many seconds after the beginning, to the installation of this index."""

    at: float
    site: int = 0

    def perform(self, world: World) -> bool:
        """Do it. Raises RefusalError where the API server refuses."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ApplyAuthority(Act):
    """A CA and its source; with `own_token` it brings the token of its namespace. `admits`: bindings of which
    namespaces."""

    namespace: str
    bundle: str
    own_token: bool = False
    side_by_side: bool = False
    admits: str = "All"

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
        if self.own_token:
            spec["credentialsRef"] = {"name": TOKEN, "key": TOKEN}
        return resource(CA, self.namespace, self.bundle, spec)


@dataclass(frozen=True, kw_only=True)
class ApplyBinding(Act):
    """A binding; one that is there already is edited, unless its zone differs, which the API server refuses."""

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
        world.sites[self.site].cluster.users.delete(BINDING, self.namespace, self.name)
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
        going = [(BINDING, *place_of(each)) for each in site.bodies(BINDING)]
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
class LoseSource(Act):
    """The Secret of a CA vanishes, or holds rubbish."""

    namespace: str
    bundle: str
    rubbish: bool = False

    def perform(self, world: World) -> bool:
        users = world.sites[self.site].cluster.users
        if self.rubbish:
            users.put_secret(self.namespace, self.bundle, {"ca.crt": "not a certificate"})
        else:
            users.delete("Secret", self.namespace, self.bundle)
        return True


@dataclass(frozen=True, kw_only=True)
class RestoreSource(Act):
    """The Secret of a CA is as it should be."""

    namespace: str
    bundle: str

    def perform(self, world: World) -> bool:
        put_source(world.sites[self.site], self.namespace, self.bundle)
        return True


@dataclass(frozen=True, kw_only=True)
class ChangeSource(Act):
    """The Secret of a CA holds another version of its bundle: a rotation."""

    namespace: str
    bundle: str
    version: int

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if site.read(CA, self.namespace, self.bundle) is None:
            return False
        site.versions[self.namespace, self.bundle] = self.version
        put_source(site, self.namespace, self.bundle)
        return True


@dataclass(frozen=True, kw_only=True)
class LoseToken(Act):
    """A token is revoked at Cloudflare, or its Secret vanishes or holds rubbish (`how`)."""

    namespace: str
    how: str

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if self.how == "revoke":
            return _switch_token(world, site.tokens[self.namespace], disabled=True)
        if self.how == "rubbish":
            site.cluster.users.put_secret(self.namespace, TOKEN, {TOKEN: "not a token"})
        else:
            site.cluster.users.delete("Secret", self.namespace, TOKEN)
        return True


@dataclass(frozen=True, kw_only=True)
class ExchangeToken(Act):
    """A new token, refused for a while as fresh ones are, and the old one is revoked."""

    namespace: str
    fresh_for: float = 0.0

    def perform(self, world: World) -> bool:
        site = world.sites[self.site]
        if not site.is_open(self.namespace):
            return False
        old = site.tokens[self.namespace]
        world.give_token(site, self.namespace, fresh_for=self.fresh_for)
        return _switch_token(world, old, disabled=True)


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
    """A resource gets another `deletionPolicy` or `adoptionPolicy`, also while it is being deleted."""

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
class Nudge(Act):
    """The annotation that asks for a fresh look."""

    namespace: str
    name: str

    def perform(self, world: World) -> bool:
        asked = {"apishield-mtls.io/reconcile-requested-at": f"{self.at}"}
        world.sites[self.site].cluster.users.annotate(BINDING, self.namespace, self.name, asked)
        return True


def put_source(site: Site, namespace: str, bundle: str) -> None:
    """The Secret of a CA as it should be; whoever made it left the private key beside the certificates."""
    pem = pem_of(bundle, site.version(namespace, bundle))
    site.cluster.users.put_secret(namespace, bundle, {"ca.crt": f"{pem}{NO_KEY}"})


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


def restore_tokens(world: World, site: Site) -> None:
    """Every token that should be in a Secret is there and works at once."""
    for namespace, token in sorted(site.tokens.items()):
        _switch_token(world, token, disabled=False)
        if site.is_open(namespace):
            site.cluster.users.put_secret(namespace, TOKEN, {TOKEN: token})


def deleting(site: Site, kind: str) -> list[tuple[str, str]]:
    """The resources that are being deleted."""
    return [place_of(each) for each in site.bodies(kind) if is_deleting(each)]


def _switch_token(world: World, secret: str, *, disabled: bool) -> bool:
    token = world.cloudflare.state.tokens[secret]
    changed = replace(token, disabled=disabled, usable_from=token.usable_from if disabled else 0.0)
    world.cloudflare.install(lambda state: state.with_token(secret, changed), settled=True)
    return changed != token
