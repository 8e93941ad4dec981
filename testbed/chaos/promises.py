"""What the resources of a cluster promise to clients at a moment: whom a hostname lets in, and whom it keeps out.

A binding promises something of its hostnames as long as it says Ready for its present generation and is not being
deleted; one that is not Ready, of those that it calls Enforced, or Moving from what is in force to what is wanted,
unless it is set aside. It is taken at its word, and so is the status of its CA; never what anybody plans.

Good, who has to get in at every instant: clients of the CAs that the hostname was last in force with, namely those in
the one object for which a Ready binding had recorded it, and those in the object that the CA names, once a binding that
has recorded the hostname for it is Ready. So in a rotation, and while a hostname moves, clients of the previous CA are
good from beginning to end, and those of the new one from when the binding is Ready with it. They are good no longer
when the moment in `retiring` has passed, or the CA does not name theirs at all: then the binding refers to another CA,
and how long clients of the earlier one are let in is told by claims alone (safety invariant 6 is for the monitor).

Bad, who has to be kept out: who has no certificate, one that nobody of the hostname's CAs signed, and clients of every
CA that is none of these: in an object for which a binding of the cluster has recorded the hostname, in force, aimed at
or retiring for a CA that such a binding refers to. Between, in a rotation that has begun or has not quite ended, there
are clients who may get in or not; so may every client of a CA where issuers are not pinned, and anybody where nothing
is blocked, and where the binding is not Ready clients whom another installation accepts: a newcomer does not end an
overlap that is going on elsewhere, nor does an incumbent pin issuers while others are relied on elsewhere.

Of further issuers that a binding names clients get in as those of its CA do once it is Ready with them. Until it is
Ready again without them, or with pinned issuers, those of before may get in, and those that it named in between; so may
those of another binding from which it gets a hostname.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from testbed.chaos.authorities import BRANCHED, branch_fingerprint, branch_identifier, fingerprint_of
from testbed.chaos.clients import clients
from testbed.chaos.records import managed_places
from testbed.chaos.revocation_lists import Entry, Lists
from testbed.chaos.world import BINDING, CA, Body, Site, authority_place, is_deleting, is_ready, place_of

Contents = Mapping[str, frozenset[str]]
"""By the id of each object that ever was in an account, the fingerprints of its CAs."""
_NOTHING: Final[frozenset[str]] = frozenset()
READY: Final = "Ready"
MOVING: Final = "Moving"
_COVERED: Final = frozenset({"Enforced", MOVING})


@dataclass(frozen=True, slots=True, order=True)
class Accepted:
    """A CA by its fingerprint, whose clients get in until a moment (Unix time, seconds). `retires`: as one of an
    earlier source, so that the moment is or will be the end of an overlap."""

    authority: str
    until: float = math.inf
    retires: bool = False


@dataclass(frozen=True, slots=True)
class Promise:
    """Of a binding (namespace/name) of an installation about one of its hostnames, for which it says `word`.

    `good`: CAs by their fingerprints, whose clients get in, with the moment (Unix time, seconds) until which that is
    promised. Clients of those in `possible` may get in. `objects`: the certificates for which it recorded the hostname.
    `revoked`: what is or was on the list of revoked certificates of its CA.
    """

    owner: str
    binding: str
    zone_id: str
    hostname: str
    word: str
    good: tuple[Accepted, ...]
    possible: frozenset[str | None]
    objects: frozenset[str]
    revoked: tuple[Entry, ...] = ()


@dataclass
class Promises:
    """Those of one cluster. It remembers with which CAs each hostname was in force. `lists` are those of its CAs."""

    site: Site
    lists: Lists
    _in_force: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    """By the uid of a binding and a hostname."""
    _besides: dict[str, frozenset[str | None]] = field(default_factory=dict)
    """By the uid of a binding, the CAs that it accepted besides its own when it was last Ready."""
    _asked_since: dict[str, frozenset[str | None]] = field(default_factory=dict)
    """By hostname, those that any binding was to accept besides its own since one of them was last Ready."""

    def now(self, contents: Contents, elsewhere: frozenset[tuple[str, str]]) -> Iterator[Promise]:
        """What is promised by what the cluster holds at this moment. `elsewhere`: what is `accepted` in any cluster."""
        bodies = self.site.bodies(BINDING)
        authorities = {place_of(each): each for each in self.site.bodies(CA)}
        self._remember(bodies)
        for body in bodies:
            for hostname, word in _said_of(body).items():
                rivals = [each for each in bodies if hostname in _named_by(each)]
                possible: frozenset[str | None] = _NOTHING.union(
                    *(_possible(each, hostname, authorities, contents) for each in rivals)
                )
                if word != READY:
                    possible |= {each for each, name in elsewhere if name == hostname}
                    possible |= self._asked_since[hostname]
                authority = authorities.get(authority_place(body))
                good = tuple(sorted(self._good(body, hostname, authority, contents)))
                besides = self._accepted_besides(body)
                certain = _of_branches(body, good, besides)
                possible |= _branches_named_by(body) | {each.authority for each in good}
                yield Promise(
                    self.site.owner,
                    "/".join(place_of(body)),
                    body["status"]["zoneId"],
                    hostname,
                    word,
                    (*good, *certain),
                    _admitted_anyway(body) | possible,
                    _objects(body, hostname),
                    self.lists.of(authority) if authority is not None else (),
                )

    def accepted(self, contents: Contents) -> Iterator[tuple[str, str]]:
        """Pairs of a CA, by its fingerprint, and a hostname for which a binding may let its clients in."""
        authorities = {place_of(each): each for each in self.site.bodies(CA)}
        for body in self.site.bodies(BINDING):
            for hostname in _named_by(body):
                for each in _possible(body, hostname, authorities, contents):
                    yield each, hostname

    def _good(self, body: Body, hostname: str, authority: Body | None, contents: Contents) -> Iterator[Accepted]:
        if authority is None:
            return
        status, recorded = authority.get("status", {}), _objects(body, hostname)
        place, accepted = (body["metadata"]["uid"], hostname), _accepted(status)
        # Of a CA that retires already nobody promises that it will be accepted where it never was.
        new = {each for each, its in accepted.items() if its.retires} - self._in_force.get(place, _NOTHING)
        if len(recorded) == 1 and is_ready(body):
            self._in_force[place] = contents[next(iter(recorded))] - new
        in_force = self._in_force.get(place, _NOTHING) & _NOTHING.union(*(contents[each] for each in recorded))
        if is_ready(body) and status.get("certificateId") in recorded:
            in_force |= contents[status["certificateId"]] - new
        for fingerprint in in_force & accepted.keys():
            # Where no rule names issuers others cannot see whose clients they would refuse.
            yield accepted[fingerprint] if _pins(body) else Accepted(fingerprint, accepted[fingerprint].until)

    def _accepted_besides(self, body: Body) -> frozenset[str | None]:
        """The CAs other than its own that a binding accepted when it was last Ready."""
        return self._besides.get(body["metadata"]["uid"], _NOTHING)

    def _remember(self, bodies: Iterable[Body]) -> None:
        """Until a binding is Ready again with other CAs besides its own, or with pinned issuers, clients of those that
        it accepted, or that anybody was to accept since, may get in: also if the hostname came from another binding."""
        asked: dict[str, frozenset[str | None]] = {}
        ready: set[str] = set()
        for body in bodies:
            besides = _asked_besides(body)
            if is_ready(body):
                self._besides[body["metadata"]["uid"]] = besides
                ready.update(body["spec"]["hostnames"])
            for hostname in _named_by(body):
                asked[hostname] = asked.get(hostname, _NOTHING) | besides
        for hostname, each in asked.items():
            before = _NOTHING if hostname in ready else self._asked_since.get(hostname, _NOTHING)
            self._asked_since[hostname] = before | each


def _asked_besides(body: Body) -> frozenset[str | None]:
    """The CAs that a binding asks for besides its own: all where issuers are not pinned."""
    pins = body["spec"].get("enforcement", {}).get("issuerPinning", "Always") == "Always"
    anyway = _NOTHING if pins else frozenset(each.authority for each in clients()) - {None}
    return anyway | _branches_named_by(body)


def _branches_named_by(body: Body) -> frozenset[str]:
    """By their fingerprints."""
    named = body["spec"].get("enforcement", {}).get("additionalIssuers", ())
    return frozenset(branch_fingerprint(each) for each in BRANCHED if branch_identifier(each) in named)


def _of_branches(body: Body, good: Iterable[Accepted], before: frozenset[str | None]) -> Iterator[Accepted]:
    """Branches of good CAs that a binding names, and accepted `before`."""
    until, named = {each.authority: each.until for each in good}, _branches_named_by(body)
    for each in BRANCHED:
        if fingerprint_of(each) in until and branch_fingerprint(each) in named & before:
            yield Accepted(branch_fingerprint(each), until[fingerprint_of(each)])


def _said_of(body: Body) -> dict[str, str]:
    """The hostnames of which a binding promises something, and in which word."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status", {})
    if is_deleting(body):
        return {}
    if is_ready(body):
        return dict.fromkeys(spec["hostnames"], READY)
    set_aside = spec.get("suspend") or spec.get("managementPolicy") == "Observe"
    if set_aside or status.get("observedGeneration") != metadata["generation"]:
        return {}
    states = {each["name"]: each["state"] for each in status.get("hostnames", ()) if each.get("meanwhile") != "Log"}
    return {each: states[each] for each in spec["hostnames"] if states.get(each) in _COVERED}


def _blocks(body: Body) -> bool:
    return bool(body["spec"].get("enforcement", {}).get("action", "Block") == "Block")


def _pins(body: Body) -> bool:
    return _blocks(body) and body["spec"].get("enforcement", {}).get("issuerPinning", "Always") == "Always"


def _admitted_anyway(body: Body) -> frozenset[str | None]:
    """The CAs whose clients get in because of how the binding wants its hostnames enforced; None is for whoever is of
    none."""
    everybody = frozenset(each.authority for each in clients())
    if not _blocks(body):
        return everybody
    return frozenset() if _pins(body) else everybody - {None}


def _objects(body: Body, hostname: str) -> frozenset[str]:
    return frozenset(each for each, name in managed_places(body) if name == hostname)


def _named_by(body: Body) -> frozenset[str]:
    return frozenset((*body["spec"]["hostnames"], *(name for _, name in managed_places(body))))


def _accepted(status: Body) -> dict[str, Accepted]:
    """The CAs that a status says are in force."""
    accepted = {each: Accepted(each) for each in status.get("fingerprints", ())}
    for entry in status.get("retiring", ()):
        until = math.inf if entry.get("provisional") else datetime.fromisoformat(entry["retireAfter"]).timestamp()
        accepted |= {each: Accepted(each, until, retires=True) for each in entry["fingerprints"]}
    return accepted


def _possible(
    body: Body, hostname: str, authorities: Mapping[tuple[str, str], Body], contents: Contents
) -> frozenset[str]:
    """The CAs whose clients a binding may let in, as far as anybody can tell from statuses."""
    status = authorities.get(authority_place(body), {}).get("status", {})
    objects = {*_objects(body, hostname), status.get("certificateId")}
    told = (status.get("fingerprints", ()), status.get("rotation", {}).get("target", ()))
    retiring = (each["fingerprints"] for each in status.get("retiring", ()))
    return _NOTHING.union(*(contents.get(each or "", _NOTHING) for each in objects), *told, *retiring)
