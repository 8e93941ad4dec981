"""What has to be true when everything has calmed down: exactly what is wanted, and nothing else of ours.

Where bindings of one cluster contradict each other about a hostname, any of the things that are wanted may be in force,
but only one; the others say `Conflicted`. Everything is compared with the true state of the simulations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from testbed.chaos.certificates_held import certificate_of
from testbed.chaos.in_force import EDITIONS, InForce, Policy, edition_of, live_bindings, rules_of, wanted, wish_of
from testbed.chaos.records import managed_places
from testbed.chaos.world import (
    BINDING,
    CA,
    NAMESPACES,
    ZONES,
    Body,
    Site,
    World,
    is_deleting,
    is_ready,
    place_of,
)
from testbed.cloudflare.monitor.marks import Claim, Enforcement, Revocation, Unreadable, certificate_owner, read_mark

_SLOW_CALL_SECONDS: Final = 60.0


def complaints(world: World) -> Iterator[str]:
    """What is not as it should be, worst first; nothing when all is well."""
    for site in world.sites:
        yield from _unfinished(site)
    found, retained = [InForce.of(world, site) for site in world.sites], InForce.retained(world)
    for site, in_force in zip(world.sites, found, strict=True):
        rivals = [retained, *(each for each in found if each is not in_force)]
        left = InForce.retained_by_others(world, site)
        yield from _about_bindings(world, site, in_force, rivals, left)
        yield from _about_rules(world, site, in_force)
    yield from _about_retained(world, found, retained)
    yield from _about_places(world)
    yield from _about_lists(world)
    yield from _about_certificates(world)
    yield from _about_people(world)


def _unfinished(site: Site) -> Iterator[str]:
    for kind in (BINDING, CA):
        for body in site.bodies(kind):
            namespace, name = place_of(body)
            if is_deleting(body):
                yield f"{site.owner}: {kind} {namespace}/{name} is still being deleted: {_conditions(body)}"
            elif kind == CA and not is_ready(body):
                yield f"{site.owner}: {kind} {namespace}/{name} is not ready: {_conditions(body)}"
            elif body.get("status", {}).get("rotation") or body.get("status", {}).get("retiring"):
                yield f"{site.owner}: {kind} {namespace}/{name} is still being rotated: {_conditions(body)}"
    for namespace in NAMESPACES:
        present = site.read("Namespace", "", namespace)
        if present is not None and is_deleting(present):
            yield f"{site.owner}: namespace {namespace} is still being deleted"


def _about_bindings(
    world: World, site: Site, in_force: InForce, rivals: Sequence[InForce], left: InForce
) -> Iterator[str]:
    """Of installations that want a hostname with different CAs one has it; of one cluster's bindings, too. A binding
    that loses to another installation may have kept another of its own cluster from the hostname before."""
    for hostname, wishes in sorted(wanted(site).items()):
        found = in_force.policies.get(hostname, [])
        elsewhere = [policy for rival in rivals for policy in rival.policies.get(hostname, [])]
        earlier = left.policies.get(hostname, [])
        if not found and any(wish.bundle != policy.bundle for wish in wishes for policy in elsewhere):
            continue
        if not found and any(wish.edition != policy.edition for wish in wishes for policy in earlier):
            continue
        if len(found) != 1 or found[0] not in wishes:
            yield f"{site.owner}: {hostname} is wanted as {sorted(map(str, wishes))}, in force is {found}"
    for body in live_bindings(site):
        yield from _about_binding(world, site, in_force, rivals, body)


def _about_binding(world: World, site: Site, in_force: InForce, rivals: Sequence[InForce], body: Body) -> Iterator[str]:
    name = "/".join(place_of(body))
    wish = wish_of(site, body)
    won = {hostname for hostname in body["spec"]["hostnames"] if in_force.policies.get(hostname) == [wish]}
    managed = managed_places(body)
    if managed != {(certificate_of(world, *wish.edition), hostname) for hostname in won}:
        yield f"{site.owner}: binding {name} records {sorted(managed)}, in force for it is {sorted(won)}"
    if won == set(body["spec"]["hostnames"]):
        if _is_refused_elsewhere(wish, won, rivals):
            if is_ready(body) or "WaitingForOthers" not in _conditions(body):
                yield f"{site.owner}: binding {name} does not say that others refuse its clients: {_conditions(body)}"
        elif not is_ready(body):
            yield f"{site.owner}: binding {name} is not ready: {_conditions(body)}"
    elif "Conflicted" not in _conditions(body):
        yield f"{site.owner}: binding {name} does not say that it is Conflicted: {_conditions(body)}"


def _is_refused_elsewhere(wish: Policy, won: Iterable[str], rivals: Sequence[InForce]) -> bool:
    """Whether another installation blocks the clients of a binding that only logs. It came with another CA while the
    ruleset was empty; a rule that logs contradicts nobody, so both stay, and people have to choose."""
    policies = (policy for hostname in won for each in rivals for policy in each.policies.get(hostname, []))
    against = (each for each in policies if each.action == "block" and each.pinned and each.bundle != wish.bundle)
    return wish.action == "log" and any(against)


def _about_rules(world: World, site: Site, in_force: InForce) -> Iterator[str]:
    wishes = wanted(site)
    for hostname in sorted(in_force.policies.keys() - wishes.keys() - world.lost):
        yield f"{site.owner}: {hostname} is enforced though nobody wants it"
    claimed: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for rule in rules_of(world):
        mark = read_mark(rule)
        if isinstance(mark, Claim) and mark.owner == site.owner:
            if (rule.enabled or rule.action != "log") and not mark.hostnames <= _forgotten(world):
                yield f"{site.owner}: claim {rule.id} is enabled or does something else than log"
            if " until=" in rule.description and not mark.hostnames <= world.lost:
                yield f"{site.owner}: claim {rule.id} still speaks of issuers that are retired"
            for hostname in mark.hostnames:
                claimed.setdefault(hostname, []).append((mark.state, mark.certificates))
    for hostname in sorted((claimed.keys() - world.lost) | wishes.keys()):
        policies = in_force.policies.get(hostname, [])
        expected = [("held", frozenset({certificate_of(world, *each.edition) or ""})) for each in policies]
        found = [each for each in claimed.get(hostname, []) if hostname not in world.lost or each in expected]
        if found != expected:
            yield f"{site.owner}: {hostname} is claimed as {claimed.get(hostname)}, expected is {expected}"


def _about_retained(world: World, found: Sequence[InForce], retained: InForce) -> Iterator[str]:
    """Who arrives with a rule takes the hostname over; what stays was wanted to stay, and stays on a list."""
    listed = frozenset().union(*world.cloudflare.state.lists.values())
    for hostname in sorted(retained.policies):
        if hostname not in world.retention.hostnames:
            yield f"{hostname} is retained though nobody asked for it"
        if any(policy.action != "none" for each in found for policy in each.policies.get(hostname, [])):
            yield f"{hostname} is still retained though somebody has it in force"
        if hostname not in listed | world.unlisted:
            yield f"{hostname} is retained and on no list"


def _about_places(world: World) -> Iterator[str]:
    """An earlier rule of somebody else would bypass ours; claims stand after all enforcement (docs/marks.md). Nobody
    looks after what was retained, or left because a status was lost."""
    forgotten = _forgotten(world)
    for zone_id, ruleset in sorted(world.cloudflare.state.rulesets.items()):
        marks = [(rule.id, read_mark(rule)) for rule in ruleset.rules]
        ours = [isinstance(mark, Enforcement | Revocation) for _, mark in marks]
        first = ours.index(False) if False in ours else len(marks)
        for rule_id, mark in marks[first:]:
            if isinstance(mark, Enforcement | Revocation) and not (mark.retained or mark.hostnames <= forgotten):
                yield f"zone {zone_id}: enforcement rule {rule_id} of {mark.owner} stands after others"


def _about_lists(world: World) -> Iterator[str]:
    state = world.cloudflare.state
    bundles = {certificate_of(world, *edition): edition for edition in EDITIONS}
    ours: dict[tuple[str, str], set[str]] = {}
    for site in world.sites:
        for hostname, policies in InForce.of(world, site).policies.items():
            for policy in policies:
                place = (_zone_id(hostname), certificate_of(world, *policy.edition) or "")
                ours.setdefault(place, set()).add(hostname)
    stay = InForce.retained(world).policies.keys() | world.retention.associated | world.lost
    foreign: dict[tuple[str, str], set[str]] = {}
    for zone_id, put_on, hostname in world.foreign:
        foreign.setdefault((zone_id, put_on), set()).add(hostname)
    forgotten = _forgotten(world)
    for zone_id, list_of in sorted({*state.lists, *ours, *foreign}, key=str):
        listed, key = state.hostnames(zone_id, list_of), (zone_id, list_of or "")
        if missing := sorted(ours.get(key, set()) - listed - forgotten):
            yield f"{missing} are not on the list of {bundles.get(list_of)}"
        there = listed - ours.get(key, set()) - foreign.get(key, set()) - stay
        if leaked := sorted(each for each in there if not _may_be_back(world, (*key, each))):
            yield f"{leaked} are left on the list of {bundles.get(list_of)}"
        if robbed := sorted(each for each in foreign.get(key, set()) - listed if _had_to_stay(world, (*key, each))):
            yield f"{robbed}, which people had put there, are gone from the list of {bundles.get(list_of)}"


def _forgotten(world: World) -> frozenset[str]:
    """Hostnames of which the status was lost, and that no binding wants."""
    return frozenset(world.lost).difference(*(wanted(site).keys() for site in world.sites))


def _had_to_stay(world: World, place: tuple[str, str, str]) -> bool:
    """Once a binding has named it, a hostname is that binding's to remove. And nobody can keep what was added just
    before a list is written by somebody who could not see it yet."""
    zone_id, _, hostname = place
    bound = any(ZONES[zone] == zone_id and name == hostname for zone, _, name in world.bound)
    return not bound and not _was_written_blindly(world, zone_id, world.foreign[place])


def _may_be_back(world: World, place: tuple[str, str, str]) -> bool:
    """What a person put on a list and took off again comes back by such a write, and is nobody's to remove then."""
    return place in world.taken_back and _was_written_blindly(world, place[0], world.taken_back[place])


def _was_written_blindly(world: World, zone_id: str, since: float) -> bool:
    """Whether a list of a zone was written by somebody who could not see yet what a person had done at a moment:
    Cloudflare has no compare-and-swap."""
    blind_until = since + world.setting.staleness + _SLOW_CALL_SECONDS
    return any(
        entry.method == "PUT" and zone_id in entry.path and since <= entry.time <= blind_until
        for entry in world.cloudflare.log
    )


def _about_certificates(world: World) -> Iterator[str]:
    needed = {edition_of(site, *place_of(body)) for site, body in world.site_bodies(CA)}
    held = [each for certificates in world.cloudflare.state.certificates.values() for each in certificates.values()]
    for edition in sorted(needed):
        if certificate_of(world, *edition) is None:
            yield f"there is no certificate of {edition}"
    known = {certificate_of(world, *edition): edition for edition in EDITIONS}
    for each in held:
        owner, held_edition = certificate_owner(each.name), known.get(each.id)
        if each.id in world.retention.certificates or world.cloudflare.state.zones_using(each.id):
            continue
        if held_edition is None:
            yield f"certificate {each.name!r} is there twice, or holds more than one edition"
        elif owner is not None and held_edition not in needed and not _was_given_back(world, each.id):
            yield f"certificate {each.name!r} is left, and nobody uses it"
    for site, body in world.site_bodies(CA):
        namespace, name = place_of(body)
        recorded = body.get("status", {}).get("certificateId")
        if recorded != certificate_of(world, *edition_of(site, namespace, name)):
            yield f"{site.owner}: CA {namespace}/{name} records certificate {recorded}, which is not the one"


def _was_given_back(world: World, certificate: str) -> bool:
    """Whether people had a hostname on the list of a certificate when its last CA was let go, and took it off later:
    then nobody is left who would delete it."""
    asked = max((entry.time for entry in world.cloudflare.log if certificate in entry.path), default=-math.inf)
    staleness = world.setting.staleness
    return any(place[1] == certificate and asked < since + staleness for place, since in world.taken_back.items())


def _about_people(world: World) -> Iterator[str]:
    for zone_id, rule_ids in sorted(world.foreign_rules.items()):
        ruleset = world.cloudflare.state.rulesets.get(zone_id)
        present = {rule.id: rule for rule in ruleset.rules} if ruleset else {}
        for rule_id in rule_ids:
            if rule_id not in present or present[rule_id].version != 1:
                yield f"rule {rule_id}, which is of people, was changed or removed"
    for rule in rules_of(world):
        mark = read_mark(rule)
        if isinstance(mark, Unreadable) and mark.names.isdisjoint(_forgotten(world) | _retained(world)):
            yield f"rule {rule.id} has a mark that nobody can read: {rule.description!r}"


def _retained(world: World) -> set[str]:
    """What was let go of with everything in force, also a rule that somebody had rewritten, and is wanted no more."""
    wanted = {name for _, body in world.site_bodies(BINDING) for name in body["spec"]["hostnames"]}
    return world.retention.hostnames - wanted


def _zone_id(hostname: str) -> str:
    return next(zone_id for name, zone_id in ZONES.items() if hostname.endswith(f".{name}"))


def _conditions(body: Body) -> str:
    conditions = body.get("status", {}).get("conditions", [])
    return "; ".join(f"{each['type']}={each['status']} {each['reason']}: {each['message']}" for each in conditions)
