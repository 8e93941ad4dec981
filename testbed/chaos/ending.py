"""How a story ends: nothing goes wrong any more, people put right what they broke, and all gets the time it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from testbed.chaos.acts import ApplyAuthority, deleting, give_consent, set_policy, suspend
from testbed.chaos.dashboard import remove_forgotten
from testbed.chaos.expectation import complaints
from testbed.chaos.records import managed_hostnames
from testbed.chaos.secret_acts import put_source, restore_tokens
from testbed.chaos.world import (
    BINDING,
    CA,
    NAMESPACES,
    TOKEN,
    Body,
    Site,
    Weather,
    World,
    authority_place,
    is_deleting,
    place_of,
)
from testbed.cloudflare.journal import LogEntry

PATIENCE_SECONDS: Final = 2 * 3600.0
"""Far more than the longest pause (five minutes), relist (ten) and settle time (four) in a row."""
_LOOK_SECONDS: Final = 20.0
_REFUSED: Final = 400
_BANNED_SECONDS: Final = 480.0
"""So long a token whose rate is spent may put off what no condition tells of: five minutes, and some more."""
_UNDER_WAY_SECONDS: Final = 10.0
"""So long a request may take to arrive that was sent just before all was well."""
_QUIET_SECONDS: Final = 150.0
"""So long nothing may happen after all was well, which is more than a window."""

_MAY_WAIT: Final = {"Moving", "Associated"}
"""What is said of a hostname that waits before it leaves its earlier CA; `Associated` of one without a rule."""


async def converge(world: World) -> list[str]:
    """Wait until everything is as it should be and stays so; what is wrong after all patience."""
    put_right(world)
    begun = world.clock.now()
    seen: object = None
    deadline = begun + PATIENCE_SECONDS
    while world.clock.now() < deadline and not world.defects:
        await asyncio.sleep(_LOOK_SECONDS)
        for site in world.sites:
            world.look_after(site)
            _replace_lost_tokens(site)
            _have_others_follow(world, site)
        if world.clock.now() < begun + _BANNED_SECONDS:
            continue
        before, seen = seen, world.moment()
        if before != seen and next(complaints(world), None) is None:
            return await _disturbances(world)
    return list(complaints(world)) or ["it was well only at the very end"]


async def _disturbances(world: World) -> list[str]:
    """What happens though all is well. A write may be refused that rests on a reading of before."""
    await asyncio.sleep(_UNDER_WAY_SECONDS)
    calls, seen_from = len(world.cloudflare.log), world.clock.now() + world.setting.staleness
    await asyncio.sleep(_QUIET_SECONDS)
    since = [each for each in world.cloudflare.log[calls:] if each.method != "GET"]
    writes = [each.line() for each in since if not _is_refused(each) or each.time > seen_from]
    return [*complaints(world), *(f"all was well, and then: {line}" for line in writes)]


def _is_refused(entry: LogEntry) -> bool:
    return entry.status is not None and entry.status >= _REFUSED


def put_right(world: World) -> None:
    """Faults stop, operators run, tokens and sources are there, and nothing is half deleted by its user."""
    world.cloudflare.faults.clear()
    remove_forgotten(world)
    for site in world.sites:
        site.weather, site.late = Weather(), 0.0
        site.doomed.clear()
        if site.process is not None:
            site.process.client.faults.clear()
            site.process.boundaries.clear()
        world.run_operator(site)
        world.adjust(site)
        restore_tokens(world, site)
    _agree_on_versions(world)
    for site in world.sites:
        _take_up_again(site)
        _restore_sources(site)
        _mend_references(world, site)


def _agree_on_versions(world: World) -> None:
    """People of all clusters finish what some began: of each bundle the newest version that any source holds."""
    newest: dict[str, int] = {}
    for site, body in world.site_bodies(CA):
        namespace, bundle = place_of(body)
        newest[bundle] = max(newest.get(bundle, 0), site.version(namespace, bundle))
    for site in world.sites:
        site.versions = {(namespace, bundle): newest[bundle] for bundle in newest for namespace in NAMESPACES}


def _take_up_again(site: Site) -> None:
    for kind in (BINDING, CA):
        for namespace, name in map(place_of, site.bodies(kind)):
            suspend(site, kind, namespace, name, on=False)
            set_policy(site, kind, (namespace, name), "adoptionPolicy", "IfIdentical")
            set_policy(site, kind, (namespace, name), "managementPolicy", "Manage")


def _restore_sources(site: Site) -> None:
    for body in site.bodies(CA):
        namespace, bundle = place_of(body)
        if site.is_open(namespace):
            put_source(site, namespace, bundle)
        give_consent(site, namespace, bundle, given=True)


def _mend_references(world: World, site: Site) -> None:
    """A binding needs a CA that stays: it is made again where it is gone; where it is going, the binding goes too."""
    for body in site.bodies(BINDING):
        namespace, name = place_of(body)
        if is_deleting(body) or not site.is_open(namespace):
            continue
        place, bundle = authority_place(body)
        authority = site.read(CA, place, bundle)
        again = ApplyAuthority(at=0, site=world.sites.index(site), namespace=place, bundle=bundle)
        if authority is None and again.perform(world):
            continue
        if authority is None or is_deleting(authority) or not site.is_open(place):
            site.cluster.users.delete(BINDING, namespace, name)


def _replace_lost_tokens(site: Site) -> None:
    """Where the Secret went before what needs it, the way out is another reference. A namespace takes its time,
    so people look again and again."""
    for namespace, name in deleting(site, CA):
        if namespace in NAMESPACES and site.read("Secret", namespace, TOKEN) is None:
            site.cluster.users.edit(CA, namespace, name, lambda body: body["spec"].pop("credentialsRef", None))


def _have_others_follow(world: World, site: Site) -> None:
    """A hostname that was moved to another CA is accepted with both for as long as another installation has it with the
    earlier one (docs/adr/0013). Nobody but people can end that: here they give it up there."""
    for body in site.bodies(BINDING):
        for each in body.get("status", {}).get("hostnames", []):
            if each["state"] in _MAY_WAIT and each.get("message", "").startswith("waits for installation"):
                for other in world.sites:
                    _give_up(other, each["name"], authority_place(body)[1])


def _give_up(site: Site, hostname: str, bundle: str) -> None:
    """No binding has the hostname any more with another CA than this."""
    for body in site.bodies(BINDING):
        has_it = hostname in body["spec"]["hostnames"] and hostname in managed_hostnames(body)
        if is_deleting(body) or not has_it or authority_place(body)[1] == bundle:
            continue
        if rest := [each for each in body["spec"]["hostnames"] if each != hostname]:
            site.cluster.users.edit(BINDING, *place_of(body), _with_hostnames(rest))
        else:
            set_policy(site, BINDING, place_of(body), "deletionPolicy", "Delete")
            site.cluster.users.delete(BINDING, *place_of(body))


def _with_hostnames(hostnames: Sequence[str]) -> Callable[[Body], object]:
    return lambda body: body["spec"].update(hostnames=list(hostnames))
