"""Rules about revoked certificates where Cloudflare has no room for one more: what comes, goes, and never drops out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mtls_operator.domain.revoked import RevokedSerials
from mtls_operator.domain.rule_groups import Edit, Group, RemoveRule
from mtls_operator.domain.serial_packing import Wanted, fitting
from mtls_operator.domain.serial_room import edits_without_room
from mtls_operator.domain.zone_view import RevocationKey
from tests.unit.domain.test_serial_packing import KEY, OTHER, in_order, numbered, step

API, WWW = "api.example.com", "www.example.com"
LOGGED = replace(KEY, hostnames=frozenset({WWW}), action="log")
BOTH = replace(KEY, hostnames=frozenset({API, WWW}))
OF_OTHER = replace(KEY, issuer=OTHER)
Rule = Group[RevocationKey]
Kept = frozenset[tuple[str, str, str]]
"""What rules keep out: hostname, issuer and serial number."""


@dataclass
class Room:
    """Rules that can be changed and removed, and created only as long as there are fewer than `most`."""

    rules: list[Rule]
    most: int
    states: list[Kept] = field(default_factory=list)
    writes: int = 0

    def towards(self, wanted: Wanted) -> Room:
        """Everything is written."""
        self.states = [kept(self.rules)]
        while todo := edits_without_room(self.rules, wanted, self.most):
            self._write(todo[0])
            self.states.append(kept(self.rules))
        return self

    def _write(self, edit: Edit[RevocationKey]) -> None:
        self.writes += 1
        assert self.writes < 1_000
        if isinstance(edit, RemoveRule):
            self.rules = [each for each in self.rules if each.rule_id != edit.rule_id]
        elif edit.rule_id is None:
            assert len(self.rules) < self.most, "there is no room"
            self.rules.append(replace(edit, rule_id=f"new-{self.writes}"))
        else:
            self.rules = [edit if each.rule_id == edit.rule_id else each for each in self.rules]


def kept(rules: Sequence[Rule]) -> Kept:
    return frozenset(
        (hostname, rule.key.issuer, serial)
        for rule in rules
        for hostname in rule.key.hostnames
        for serial in rule.hostnames
    )


def asked(wanted: Wanted) -> Kept:
    return kept([Group(key, serials) for key, serials in wanted.items()])


def full(lists: dict[RevocationKey, RevokedSerials]) -> Room:
    """With everything of these lists, and without room for more."""
    rules, _ = step([], {key: each.serials for key, each in lists.items()})
    return Room(list(rules), len(rules))


def is_never_missed(room: Room, wanted: Wanted) -> bool:
    """Whether what was there and is wanted was there all the time."""
    both = room.states[0] & asked(wanted)
    return all(both <= state for state in room.states)


def test_a_group_that_came_takes_the_room_that_another_can_spare_and_nothing_newer_drops_out() -> None:
    serials = in_order(numbered(130))
    room = full({KEY: serials})
    wanted = fitting({KEY: serials, LOGGED: serials}, room.most)

    room.towards(wanted)

    assert (kept(room.rules), len(room.rules)) == (asked(wanted), room.most)
    assert is_never_missed(room, wanted)
    assert len(wanted[KEY]) == len(wanted[LOGGED]) > 0


def test_what_is_new_takes_the_place_of_what_is_wanted_no_more_in_one_write() -> None:
    old, new = frozenset(numbered(60)), frozenset(numbered(60, first=60))
    room = full({KEY: in_order(sorted(old))})

    room.towards({OF_OTHER: new})

    assert (room.writes, [(each.key, each.hostnames) for each in room.rules]) == (1, [(OF_OTHER, new)])


def test_the_rule_goes_whose_serials_are_missed_the_least() -> None:
    wanted_still, gone = frozenset(numbered(3)), frozenset(numbered(3, first=3))
    of_both, of_other = Group(BOTH, wanted_still, "both"), Group(OF_OTHER, gone, "other")
    wanted = {KEY: wanted_still, LOGGED: wanted_still}

    room = Room([of_both, of_other], 2).towards(wanted)

    assert (kept(room.rules), is_never_missed(room, wanted), room.writes) == (asked(wanted), True, 2)


def test_where_rules_have_to_give_way_what_can_be_spared_goes_and_nothing_else() -> None:
    serials = frozenset(numbered(3))
    rules = [Group(OF_OTHER, frozenset(numbered(3, first=3)), "spare"), Group(KEY, serials, "wanted")]

    room = Room(rules, 1).towards({KEY: serials})

    assert ([each.rule_id for each in room.rules], room.writes) == (["wanted"], 1)


def test_where_one_has_to_give_way_and_another_is_new_the_one_that_is_missed_the_least_goes_first() -> None:
    serials = frozenset(numbered(3))
    rules = [
        Group(BOTH, serials, "both"),
        Group(OF_OTHER, frozenset(numbered(3, first=3)), "other"),
        Group(replace(OF_OTHER, action="log"), frozenset(numbered(3, first=3)), "third"),
    ]
    wanted = {LOGGED: serials, KEY: serials}

    room = Room(rules, 2).towards(wanted)

    assert (kept(room.rules), is_never_missed(room, wanted)) == (asked(wanted), True)


def test_what_there_is_no_room_for_waits() -> None:
    serials = frozenset(numbered(3))

    room = Room([Group(KEY, serials, "kept")], 1).towards({KEY: serials, OF_OTHER: serials})

    assert (room.writes, room.rules) == (0, [Group(KEY, serials, "kept")])


KEYS = [KEY, LOGGED, BOTH, OF_OTHER, replace(LOGGED, issuer=OTHER)]
lists = st.dictionaries(st.sampled_from(KEYS), st.sets(st.integers(0, 399), max_size=250).map(sorted), max_size=4)
NUMBERS = numbered(400)


@settings(max_examples=60, deadline=None)
@given(lists, lists, st.integers(0, 2))
def test_whatever_was_there_it_comes_to_what_is_wanted_and_never_needs_more_room(
    before: dict[RevocationKey, list[int]], after: dict[RevocationKey, list[int]], fewer: int
) -> None:
    room = full({key: in_order([NUMBERS[each] for each in serials]) for key, serials in before.items()})
    room.most = max(0, room.most - fewer)
    wanted = fitting({key: in_order([NUMBERS[each] for each in serials]) for key, serials in after.items()}, room.most)
    wanted = {key: serials for key, serials in wanted.items() if serials}

    room.towards(wanted)

    assert kept(room.rules) == asked(wanted)
    assert len(room.rules) <= room.most
