"""What people do to the Secrets that resources refer to: the sources of CAs, and tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

from testbed.chaos.act import Act
from testbed.chaos.authorities import NO_KEY, pem_of
from testbed.chaos.clients import serials_of
from testbed.chaos.revocation_lists import KEY, list_of, secret_of
from testbed.chaos.world import CA, TOKEN, Site, World


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
class Revoke(Act):
    """The first CA of a bundle publishes a new list, which names these clients and no others."""

    namespace: str
    bundle: str
    clients: tuple[str, ...] = ()

    def perform(self, world: World) -> bool:
        pem = list_of(self.bundle, serials_of(frozenset(self.clients)))
        world.sites[self.site].cluster.users.put_secret(self.namespace, secret_of(self.bundle), {KEY: pem})
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


def put_source(site: Site, namespace: str, bundle: str) -> None:
    """The Secret of a CA as it should be; whoever made it left the private key beside the certificates."""
    pem = pem_of(bundle, site.version(namespace, bundle))
    site.cluster.users.put_secret(namespace, bundle, {"ca.crt": f"{pem}{NO_KEY}"})


def restore_tokens(world: World, site: Site) -> None:
    """Every token that should be in a Secret is there and works at once."""
    for namespace, token in sorted(site.tokens.items()):
        _switch_token(world, token, disabled=False)
        if site.is_open(namespace):
            site.cluster.users.put_secret(namespace, TOKEN, {TOKEN: token})


def _switch_token(world: World, secret: str, *, disabled: bool) -> bool:
    token = world.cloudflare.state.tokens[secret]
    changed = replace(token, disabled=disabled, usable_from=token.usable_from if disabled else 0.0)
    world.cloudflare.install(lambda state: state.with_token(secret, changed), settled=True)
    return changed != token
