"""The command line. Ends with one line of JSON, and with 1 if anything failed."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial

from testbed.chaos import crash
from testbed.chaos.play import Outcome, play
from testbed.chaos.shrinking import shrunk
from testbed.chaos.story import Story, story_of

_MOST_SHOWN = 5
_AT_ONCE = 4
"""Stories that a process is given at a time."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; 1 if anything failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m testbed.chaos", description=__doc__)
    parser.add_argument("runs", help="how many stories, or `crash`: every scenario, killed at each request")
    parser.add_argument("--seed", type=int, help="of the first story, those after it count up; absent: a random one")
    parser.add_argument("--only", help="these acts of each story only, by number: 0,3,4")
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many stories are played at a time")
    given = parser.parse_args(arguments)
    if given.runs == "crash":
        return crash.main()
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    only = None if given.only is None else [int(each) for each in given.only.split(",") if each]
    print(f"seed {seed}: {given.runs} stories", flush=True)
    seeds = range(seed, seed + int(given.runs))
    one = partial(_outcome, only=only, trace=given.trace)
    if given.jobs == 1 or len(seeds) == 1:
        return _judge(seeds, map(one, seeds), only, trace=given.trace)
    with multiprocessing.Pool(given.jobs) as pool:
        return _judge(seeds, pool.imap(one, seeds, _AT_ONCE), only, trace=given.trace)


def _outcome(seed: int, only: Sequence[int] | None, *, trace: bool) -> Outcome:
    outcome = play(_part(story_of(seed), only))
    return outcome if trace else replace(outcome, trace=())


def _judge(seeds: Sequence[int], outcomes: Iterable[Outcome], only: Sequence[int] | None, *, trace: bool) -> int:
    """Tell of each story that fails, and the figures of all. The stories may be played somewhere else."""
    figures, failed = Counter[str](), 0
    for seed, outcome in zip(seeds, outcomes, strict=True):
        figures.update(asdict(outcome.tally))
        figures["violations"] += len(outcome.violations)
        figures["unconverged"] += bool(outcome.complaints)
        if trace:
            print("\n".join(outcome.trace))
        if outcome.failed:
            failed += 1
            _tell(seed, _part(story_of(seed), only), outcome, shrink=failed <= _MOST_SHOWN and only is None)
    names = ("operations", "faults", "crashes", "violations", "unconverged")
    print(json.dumps({"runs": len(seeds), **{name: figures[name] for name in names}, "seed": seeds[0]}))
    return 1 if failed else 0


def _part(story: Story, only: Sequence[int] | None) -> Story:
    return story if only is None else replace(story, acts=tuple(story.acts[each] for each in only))


def _tell(seed: int, story: Story, outcome: Outcome, *, shrink: bool) -> None:
    kept = list(range(len(story.acts)))
    if shrink:
        kept = shrunk(kept, lambda acts: _fails_alike(play(_part(story, acts)), outcome))
        outcome = play(_part(story, kept))
    print(f"\nseed {seed} fails. {story.setting}")
    for number in kept:
        print(f"  {number}: {story.acts[number]}")
    for complaint in (*outcome.violations, *outcome.complaints)[:_MOST_SHOWN]:
        print(f"  -> {complaint}")
    only = f" --only {','.join(map(str, kept))}" if shrink else ""
    print(f"  replay: python -m testbed.chaos 1 --seed {seed}{only} --trace", flush=True)


def _fails_alike(one: Outcome, other: Outcome) -> bool:
    """A story that breaks an invariant is not to be shrunk to one that only does not converge."""
    return bool(one.violations) if other.violations else one.failed


if __name__ == "__main__":
    sys.exit(main())
