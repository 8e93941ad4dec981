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
from dataclasses import asdict, dataclass, replace

from testbed.chaos import crash, planted
from testbed.chaos.play import Outcome, play
from testbed.chaos.shrinking import shrunk
from testbed.chaos.story import Story, story_of

_MOST_SHOWN = 5
_AT_ONCE = 4
"""Stories that a process is given at a time."""


@dataclass(frozen=True)
class _Way:
    """How stories are played. `only`: these acts of each story, by number. `first`: until the first that fails, which
    is not shrunk."""

    only: tuple[int, ...] | None
    trace: bool
    first: bool
    jobs: int

    def story(self, seed: int) -> Story:
        """What is played of a seed."""
        story = story_of(seed)
        return story if self.only is None else _part(story, self.only)

    def __call__(self, seed: int) -> Outcome:
        """Play it. A trace is long, and is brought along only if it is asked for."""
        outcome = play(self.story(seed))
        return outcome if self.trace else replace(outcome, trace=())


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; 1 if anything failed, else 0."""
    given = _parser().parse_args(arguments)
    if given.runs == "crash":
        return crash.main(jobs=given.jobs)
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    if given.runs == "planted":
        return planted.main(given.names, given.most, seed, given.jobs)
    only = None if given.only is None else tuple(int(each) for each in given.only.split(",") if each)
    way = _Way(only, trace=given.trace, first=given.first, jobs=given.jobs)
    print(f"seed {seed}: {given.runs} stories", flush=True)
    return _play_all(range(seed, seed + int(given.runs)), way)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m testbed.chaos", description=__doc__)
    parser.add_argument(
        "runs", help="how many stories; or `crash`: each scenario, killed at each request; or `planted`: see `planted`"
    )
    parser.add_argument("names", nargs="*", help="of `planted`: these defects only")
    parser.add_argument("--seed", type=int, help="of the first story, those after it count up; absent: a random one")
    parser.add_argument("--only", help="these acts of each story only, by number: 0,3,4")
    parser.add_argument("--trace", action="store_true", help="print all that happened")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many stories are played at a time")
    parser.add_argument("--first", action="store_true", help="until the first story that fails, which is not shrunk")
    parser.add_argument("--most", type=int, default=1000, help="of `planted`: stories for each defect")
    return parser


def _play_all(seeds: Sequence[int], way: _Way) -> int:
    if way.jobs == 1 or len(seeds) == 1:
        return _judge(seeds, map(way, seeds), way)
    with multiprocessing.Pool(way.jobs) as pool:
        return _judge(seeds, pool.imap(way, seeds, _AT_ONCE), way)


def _judge(seeds: Sequence[int], outcomes: Iterable[Outcome], way: _Way) -> int:
    """Tell of each story that fails, and the figures of all. The stories may be played by other processes."""
    figures, failed = Counter[str](), 0
    for seed, outcome in zip(seeds, outcomes, strict=True):
        figures.update(asdict(outcome.tally))
        figures["runs"] += 1
        figures["violations"] += len(outcome.violations)
        figures["unconverged"] += bool(outcome.complaints)
        if way.trace:
            print("\n".join(outcome.trace))
        if outcome.failed:
            failed += 1
            shrink = failed <= _MOST_SHOWN and way.only is None and not way.first
            _tell(seed, way.story(seed), outcome, shrink=shrink)
            if way.first:
                break
    names = ("runs", "operations", "faults", "crashes", "violations", "unconverged")
    print(json.dumps({**{name: figures[name] for name in names}, "seed": seeds[0]}))
    return 1 if failed else 0


def _part(story: Story, kept: Sequence[int]) -> Story:
    return replace(story, acts=tuple(story.acts[each] for each in kept))


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
