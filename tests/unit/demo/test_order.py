"""The demo fails when the calls come in another order than the one that keeps everybody safe."""

from __future__ import annotations

from itertools import permutations

import pytest

from testbed.demo import order
from testbed.demo.calls import Meaning
from tests.unit.demo.calls import call


@pytest.mark.parametrize("wanted", [order.SET_UP, order.TEAR_DOWN])
def test_the_wanted_order_agrees(wanted: tuple[Meaning, ...]) -> None:
    assert order.differs(map(call, wanted), wanted) is None


@pytest.mark.parametrize("seen", [seen for seen in permutations(order.SET_UP) if seen != order.SET_UP])
def test_every_other_order_differs(seen: tuple[Meaning, ...]) -> None:
    assert order.differs(map(call, seen), order.SET_UP) is not None


def test_a_missing_step_differs_and_both_orders_are_named() -> None:
    difference = order.differs([call(Meaning.UPLOAD)], (Meaning.UPLOAD, Meaning.BLOCK))

    assert difference == "wanted: upload CA -> block rule; seen: upload CA"


def test_a_call_that_is_repeated_where_it_stands_agrees() -> None:
    seen = [call(Meaning.UPLOAD), call(Meaning.ASSOCIATE), call(Meaning.ASSOCIATE)]

    assert order.differs(seen, (Meaning.UPLOAD, Meaning.ASSOCIATE)) is None


def test_reads_and_refused_writes_do_not_count() -> None:
    seen = [call(Meaning.BLOCK, status=503), call(Meaning.READ_LIST, "GET"), call(Meaning.UPLOAD)]

    assert order.writes(seen) == (Meaning.UPLOAD,)
