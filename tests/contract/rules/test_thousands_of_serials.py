"""Thousands of revoked certificates: no serial number is lost, none is added, and one more changes one rule."""

from __future__ import annotations

import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from typing import Final

import pytest

from mtls_operator.domain.observed import RuleBody
from testbed.cloudflare.edge.settings import Serials
from tests.contract.rules.visits import Certificate, Fate, Visit, answered, spelt
from tests.contract.rules.wishes import LONGEST_HOSTNAME, SERIALS_AT_THE_LIMITS, Rules, Wish, stretched

ISSUER: Final = "AB" * 20
API: Final = "api.example.com"
LONG: Final = frozenset(stretched(f"h{number}", LONGEST_HOSTNAME) for number in range(4))
_NAMED: Final = re.compile(r'cert_serial in \{((?:"[0-9A-F]+" ?)+)\}')


def drawn(count: int) -> frozenset[int]:
    """Serial numbers of one to twenty bytes, those at the limits among them."""
    rng, found = random.Random(3), set(SERIALS_AT_THE_LIMITS)
    while len(found) < count:
        found.add(rng.getrandbits(rng.choice((8, 16, 63, 64, 127, 128, 159, 160, 160, 160))))
    return frozenset(found)


def wish(serials: frozenset[int], hostnames: frozenset[str] = frozenset({API}), *, tolerant: bool = False) -> Wish:
    return Wish(hostnames, frozenset({ISSUER}), revoked={ISSUER: serials}, tolerant=tolerant)


def named(bodies: tuple[RuleBody, ...]) -> Counter[str]:
    """How often each spelling of a serial number is named in all rules."""
    return Counter(
        text for body in bodies for found in _NAMED.findall(body.expression) for text in found.strip('"').split('" "')
    )


def digest_of_rules() -> str:
    """Of everything that the rules about 1,000 serial numbers say."""
    return hashlib.sha256(repr(Rules([wish(drawn(1000))]).ours).encode()).hexdigest()


@pytest.mark.parametrize(
    ("count", "hostnames", "tolerant"),
    [(5000, frozenset({API}), False), (5000, frozenset({API}), True), (1500, LONG, False), (1500, LONG, True)],
    ids=["exact", "tolerant", "long names, exact", "long names, tolerant"],
)
def test_every_spelling_is_named_once_and_no_other_and_every_rule_fits(
    count: int, hostnames: frozenset[str], *, tolerant: bool
) -> None:
    serials = drawn(count)

    ours = Rules([wish(serials, hostnames, tolerant=tolerant)]).ours

    assert named(ours) == Counter({spelt(serial, each) for serial in serials for each in Serials})
    assert max(len(body.expression.encode()) for body in ours) <= 4096


def test_who_is_revoked_is_blocked_in_every_spelling_and_nobody_else() -> None:
    serials = drawn(5000)
    bodies = Rules([wish(serials)]).bodies
    good = sorted({near for each in sorted(serials)[::40] for near in (each ^ 1, each >> 8, each << 8)} - serials)

    blocked = [
        (serial, spelling)
        for serial in sorted(serials)[::20]
        for spelling in Serials
        if answered(bodies, Visit(API, Certificate(ISSUER, serial), spelling)).fate is not Fate.BLOCKED
    ]
    passed = [
        serial for serial in good if answered(bodies, Visit(API, Certificate(ISSUER, serial))).fate is not Fate.PASSED
    ]

    assert (blocked, passed, len(good) > 200) == ([], [], True)


def test_one_more_and_one_less_change_one_rule_each_and_nothing_else_in_it() -> None:
    serials = drawn(5000)
    rules, new, old = Rules([wish(serials)]), (1 << 159) + 12345, max(serials)
    before = set(rules.ours)

    writes = rules.fulfil([wish(serials | {new})])
    after = set(rules.ours)
    less = rules.fulfil([wish((serials | {new}) - {old})])

    assert (writes, less) == (1, 1)
    assert len(before - after) <= 1
    assert len(after - before) == 1
    assert named(tuple(after - before)) - named(tuple(before - after)) == Counter(
        {spelt(new, each) for each in Serials}
    )
    assert len(after - set(rules.ours)) == 1


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_same_list_always_comes_to_the_same_rules(seed: str) -> None:
    program = f"from {__name__} import digest_of_rules; print(digest_of_rules())"

    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == digest_of_rules()
