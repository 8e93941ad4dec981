"""How other certificates in a CA's source come into force: what the status says, and what it says next.

Theory. What hostnames should be on now is one object of the account, the *current* one. A change of the source makes
another object current, twice with strategy Bundle: first one that holds new and previous CAs together, after the
overlap one with the new CAs alone. Everything that has to survive a crash is in the status:

    phase        entered when                              current object, by the end of it
    Widening     the source holds other certificates       the target and every CA that retires (SideBySide: the
                                                           target alone, and the earlier object beside it)
    Overlap      it is in force for every binding of       the same
                 this cluster: now the overlap is counted
    Narrowing    the last overlap is over                  the target alone
    no rotation  no earlier object is left

An entry of `retiring` is a set of CAs of an earlier source. It carries the id of an earlier object as long as there is
one, which has to be emptied and deleted; its set may be empty then (a source that only gained a CA). Its moment is
*provisional* until the overlap is counted: until then nothing narrows by it.

Rules of this module:
- A source that changes again begins at Widening. What retires for good already goes on as it was; a CA that is back in
  the source retires no more.
- A CA whose moment has passed is in no object that becomes current from then on. Nothing becomes current only because
  one of several moments has passed.
- Hostnames stay on an earlier object as long as it holds CAs that are accepted still and that the current one does not
  hold. That is read from the status alone: the strategy in the spec may change at any moment.
- It is decided on sets of certificates alone. Which object of the account holds a set is found in its listing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtls_operator.api.certificate_authority import RotationPhase
from mtls_operator.domain.certificates import Bundle
from mtls_operator.domain.observed import CertificateId


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation under way: what it aims at, and since when (seconds since the epoch)."""

    phase: RotationPhase
    target: frozenset[str]
    started: float


@dataclass(frozen=True, slots=True)
class Retiring:
    """CAs of an earlier source, and the earlier object that is left of them."""

    fingerprints: frozenset[str]
    retire_after: float
    """They are accepted until then at least, seconds since the epoch."""
    provisional: bool = False
    """Whether `retire_after` is counted anew once the new CAs are in force for every binding."""
    certificate_id: CertificateId | None = None
    """An earlier object, to be emptied and deleted."""
    key_identifiers: frozenset[str] = frozenset()
    """Subject key identifiers of these CAs."""

    @property
    def is_void(self) -> bool:
        """Whether nothing is left of it."""
        return not self.fingerprints and self.certificate_id is None


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a CA is in force, by its status."""

    in_force: frozenset[str] = frozenset()
    """Fingerprints in the current object."""
    key_identifiers: frozenset[str] = frozenset()
    rotation: Rotation | None = None
    retiring: tuple[Retiring, ...] = ()

    @property
    def objects(self) -> tuple[CertificateId, ...]:
        """Earlier objects that are left."""
        return tuple(each.certificate_id for each in self.retiring if each.certificate_id is not None)

    @property
    def retires_last(self) -> float:
        """When the last overlap is over, should it be counted by now."""
        return max((each.retire_after for each in self.retiring), default=float("-inf"))


NOTHING_IN_FORCE = Standing()


def has_changed(standing: Standing, source: Bundle) -> bool:
    """Whether the source holds other certificates than those that are in force or aimed at."""
    if standing.rotation is not None:
        return standing.rotation.target != source.fingerprints
    return standing.in_force != source.fingerprints or bool(standing.retiring)


def after_change(
    standing: Standing, source: Bundle, now: float, overlap: float, contents: Mapping[CertificateId, frozenset[str]]
) -> Standing:
    """A rotation to the source begins, or to another source than before. Back at what alone is in force, none does.
    `contents` says what is in earlier objects, as far as it is known."""
    already = frozenset[str]().union(*(each.fingerprints for each in standing.retiring))
    known = frozenset[str]().union(*(each.key_identifiers for each in standing.retiring))
    new = Retiring(
        standing.in_force - source.fingerprints - already,
        now + overlap,
        provisional=True,
        key_identifiers=standing.key_identifiers - source.key_identifiers - known,
    )
    current = (_without_over(each, now) for each in standing.retiring)
    entries = [_after_change(each, standing.in_force, source, new, contents) for each in current]
    kept = tuple(each for each in (*entries, new) if not each.is_void)
    if not kept and standing.in_force == source.fingerprints:
        return replace(standing, rotation=None, retiring=())
    return replace(standing, rotation=Rotation(RotationPhase.WIDENING, source.fingerprints, now), retiring=kept)


def wanted_in_force(standing: Standing, source: Bundle, now: float, *, side_by_side: bool) -> frozenset[str]:
    """What an object would hold that becomes current now."""
    if standing.rotation is None or standing.rotation.phase is RotationPhase.NARROWING or side_by_side:
        return source.fingerprints
    accepted = (each.fingerprints for each in standing.retiring if each.provisional or now < each.retire_after)
    return source.fingerprints.union(*accepted)


def is_current_enough(standing: Standing, wanted: frozenset[str]) -> bool:
    """Whether the current object does. Before the last overlap is over, it may hold more than would be wanted anew."""
    if standing.rotation is not None and standing.rotation.phase is not RotationPhase.NARROWING:
        return wanted <= standing.in_force
    return wanted == standing.in_force


def after_replacement(
    standing: Standing, earlier: CertificateId | None, current: CertificateId, holds: frozenset[str], now: float
) -> tuple[Retiring, ...]:
    """The entries once another object is current, which `holds` these certificates. `earlier` is the one before it:
    whatever is accepted still and only that one holds is named with it. None when it does not exist; what only that one
    held is accepted no more."""
    aimed_at = holds & standing.rotation.target if standing.rotation is not None else frozenset[str]()
    arrived = (_reduced(each, each.fingerprints - aimed_at) for each in standing.retiring)
    freed = (replace(e, certificate_id=None) if e.certificate_id == current else e for e in arrived)
    entries = [each for each in freed if not each.is_void]
    if earlier is None:
        found = (e if e.certificate_id is not None else _reduced(e, e.fingerprints & holds) for e in entries)
        return tuple(each for each in found if not each.is_void)
    if earlier == current:
        return tuple(entries)
    only_there = standing.in_force - holds
    lost = [e for e in entries if (e.provisional or now < e.retire_after) and e.fingerprints & only_there]
    kept = frozenset[str]().union(*(each.fingerprints & only_there for each in lost))
    identifiers = frozenset[str]().union(*(each.key_identifiers for each in lost))
    held = [i for i, e in enumerate(entries) if e.certificate_id is None and e.fingerprints <= standing.in_force]
    if held:
        entry = entries.pop(held[-1])
        kept, identifiers = kept | entry.fingerprints, identifiers | entry.key_identifiers
        entry = replace(entry, certificate_id=earlier, fingerprints=kept, key_identifiers=identifiers)
        return (*entries[: held[-1]], entry, *entries[held[-1] :])
    rotation = standing.rotation
    widening = rotation is not None and rotation.phase is RotationPhase.WIDENING
    moment = max(standing.retires_last, rotation.started if rotation else 0.0)
    left = Retiring(kept, moment, provisional=widening, certificate_id=earlier, key_identifiers=identifiers)
    return (*entries, left)


def after_phase(standing: Standing, now: float, overlap: float, *, in_force_everywhere: bool) -> Standing | None:
    """The next phase, if it has come; None while it has not. The current object holds what it should."""
    rotation = standing.rotation
    if rotation is None:
        return None
    if rotation.phase is RotationPhase.WIDENING and in_force_everywhere:
        counted = tuple(_counted(each, now, overlap) for each in standing.retiring)
        return replace(standing, rotation=replace(rotation, phase=RotationPhase.OVERLAP), retiring=counted)
    if rotation.phase is RotationPhase.OVERLAP and now >= standing.retires_last:
        return replace(standing, rotation=replace(rotation, phase=RotationPhase.NARROWING))
    if rotation.phase is RotationPhase.NARROWING and not standing.objects:
        return replace(standing, rotation=None, retiring=())
    return None


def without_object(standing: Standing, certificate_id: CertificateId) -> Standing:
    """An earlier object is left no more."""
    freed = (replace(e, certificate_id=None) if e.certificate_id == certificate_id else e for e in standing.retiring)
    return replace(standing, retiring=tuple(each for each in freed if not each.is_void))


def kept_beside(standing: Standing) -> frozenset[CertificateId]:
    """Earlier objects that hostnames stay on beside the current one."""
    return frozenset(each.certificate_id for each in _beside(standing) if each.certificate_id is not None)


def accepted_beside(standing: Standing) -> frozenset[str]:
    """Subject key identifiers of the CAs that are accepted by earlier objects beside the current one."""
    return frozenset[str]().union(*(each.key_identifiers for each in _beside(standing)))


def _beside(standing: Standing) -> list[Retiring]:
    if standing.rotation is not None and standing.rotation.phase is RotationPhase.NARROWING:
        return []
    left = (each for each in standing.retiring if each.certificate_id is not None)
    return [each for each in left if not each.fingerprints <= standing.in_force]


def _after_change(
    entry: Retiring,
    in_force: frozenset[str],
    source: Bundle,
    new: Retiring,
    contents: Mapping[CertificateId, frozenset[str]],
) -> Retiring:
    """What goes on retiring of an entry. What is back in the source retires no more. But hostnames must not leave an
    object that holds what is to be accepted (what is back, and what retires only now) before another one that holds it
    is in force for them."""
    left = entry.fingerprints - source.fingerprints
    if entry.certificate_id is None:
        return _reduced(entry, left)
    holds = contents.get(entry.certificate_id, entry.fingerprints | new.fingerprints)
    needed = holds & ((source.fingerprints - in_force) | new.fingerprints)
    if not needed:
        return _reduced(entry, left)
    identifiers = entry.key_identifiers | new.key_identifiers
    return replace(new, fingerprints=left | needed, certificate_id=entry.certificate_id, key_identifiers=identifiers)


def _without_over(entry: Retiring, now: float) -> Retiring:
    """Of what has retired only the object is left."""
    return entry if entry.provisional or now < entry.retire_after else _reduced(entry, frozenset())


def _reduced(entry: Retiring, fingerprints: frozenset[str]) -> Retiring:
    """The entry with some of its CAs. Which identifier is whose is not written down: all of them stay, or none."""
    return replace(
        entry, fingerprints=fingerprints, key_identifiers=entry.key_identifiers if fingerprints else frozenset()
    )


def _counted(retiring: Retiring, now: float, overlap: float) -> Retiring:
    if not retiring.provisional:
        return retiring
    return replace(retiring, provisional=False, retire_after=now + overlap if retiring.fingerprints else now)
