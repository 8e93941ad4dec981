"""What the stories leave out, and why.

| not played                                                  | because                                               |
|-------------------------------------------------------------|-------------------------------------------------------|
| a certificate deleted while another installation comes with | the CA resource has no claim of its own, so between   |
| it, has a CA of it without held hostnames, or adopted it    | listing and first claim it cannot be seen; see below  |
| the same at the end of a rotation, where the other one only | played, and not judged (`hears_of_arrivals`): it is   |
| claims a hostname as arriving in a zone of its own          | uploaded again, and no client notices                 |
| the status of a CA lost, force-orphan                       | leave orphans by design, which only a command removes |
| the status of a binding lost that has what it names no more | the same, and other installations wait for it         |
| or that is deleted before it has again what it names, or    |                                                       |
| that its CA does not admit any more                         |                                                       |
| revocation lists, additionalIssuers                         | played by `crash` alone                               |
| equal ownerIds, takeover                                    | not played yet                                        |

A CA of a bundle is deleted in a story of two only if its certificate is adopted or the other installation has no CA
of that bundle; and after that the other one begins with it only when the certificate has been gone for two windows.
"""

from __future__ import annotations

from testbed.chaos.records import managed_hostnames
from testbed.chaos.wishes import is_admitted
from testbed.chaos.world import BINDING, CA, NAMESPACES, WINDOW, Body, Site, World, is_deleting, place_of

_LONG_GONE_SECONDS = 2 * WINDOW + 20


def may_delete_authority(world: World, site: Site, body: Body) -> bool:
    """Whether a CA can be deleted without another installation being hurt by it."""
    bundle = place_of(body)[1]
    others = [each for other in world.sites if other is not site for each in _authorities(other, bundle)]
    return not others or body.get("status", {}).get("ownership") == "Adopted"


def may_lose_its_status(body: Body) -> bool:
    """Whether a binding names all that it has and may use its CA, so that it has all of it again."""
    return not is_deleting(body) and is_admitted(body) and managed_hostnames(body) <= {*body["spec"]["hostnames"]}


def may_delete_binding(world: World, body: Body) -> bool:
    """Whether a binding has again what it had when its status was lost."""
    return bool(managed_hostnames(body)) or world.lost.isdisjoint(body["spec"]["hostnames"])


def may_delete_namespace(world: World, site: Site, namespace: str) -> bool:
    """The same for all resources of a namespace."""
    return all(
        may_delete_authority(world, site, each) for each in site.bodies(CA) if place_of(each)[0] == namespace
    ) and all(may_delete_binding(world, each) for each in site.bodies(BINDING) if place_of(each)[0] == namespace)


def may_create_authority(world: World, site: Site, bundle: str) -> bool:
    """Whether nobody else is about to delete the certificate, or has just done so."""
    others = [(other, each) for other in world.sites if other is not site for each in _authorities(other, bundle)]
    leaving = any(is_deleting(each) or not other.is_open(place_of(each)[0]) for other, each in others)
    return not leaving and (len(world.sites) == 1 or not _something_was_deleted(world))


def _something_was_deleted(world: World) -> bool:
    since = world.clock.now() - _LONG_GONE_SECONDS
    for entry in reversed(world.cloudflare.log):
        if entry.time < since:
            return False
        if entry.method == "DELETE" and "/accounts/" in entry.path:
            return True
    return False


def _authorities(site: Site, bundle: str) -> list[Body]:
    found = (site.read(CA, namespace, bundle) for namespace in NAMESPACES)
    return [each for each in found if each is not None]
