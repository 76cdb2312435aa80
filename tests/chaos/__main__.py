"""``make chaos``: rounds of trouble, a line each, and the command that plays a round again."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from .play import Round, play, quiet_run, trouble_of


def main() -> int:
    """Play the rounds; 1 if something did not hold in one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the trouble (default %(default)s)")
    parser.add_argument("--only", type=int, metavar="ROUND", help="play this round alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave all that was written in this new directory")
    asked = parser.parse_args()
    if asked.keep and asked.keep.exists():
        parser.error(f"{asked.keep} exists already")
    numbers = range(asked.rounds) if asked.only is None else [asked.only]
    found: dict[int, Round] = {}
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory(prefix="qhn-chaos-") as folder:
        place = Path(folder).absolute()
        quiet = [quiet_run(place / f"quiet{'-divided' * divided}", divided).quiet for divided in (False, True)]
        for number in numbers:
            trouble = trouble_of(asked.seed, number)
            found[number] = play(trouble, place / f"round-{number}", quiet[trouble.divided])
            print(line_of(number, found[number]), flush=True)
            for complaint in found[number].complaints:
                print(f"    BROKEN in round {number} of seed {asked.seed}: {complaint}")
            if found[number].complaints:
                print(f"    planned: {trouble}", flush=True)
    print(summary(found, asked.seed))
    return int(any(one.complaints for one in found.values()))


def line_of(number: int, one: Round) -> str:
    """A round in a line."""
    counts = f"{len(one.exits)} attempts, {one.jobs} jobs, {one.doubles} doubles, {one.billed:.1f} s billed"
    return f"{number:4} {one.seconds:5.1f} s  {counts}  | {'; '.join(one.made) or 'no trouble came'}"


def summary(found: dict[int, Round], seed: int) -> str:
    """All rounds together, and how those that are broken are played again."""
    rounds = found.values()
    seconds, attempts = sum(one.seconds for one in rounds), sum(len(one.exits) for one in rounds)
    trouble = Counter(made.split()[0] for one in rounds for made in one.made)
    lines = [
        f"{len(found)} rounds in {seconds:.0f} s, {attempts} attempts, {sum(one.jobs for one in rounds)} jobs, "
        f"{sum(one.doubles for one in rounds)} doubles, {sum(one.billed for one in rounds):.1f} s billed",
        "trouble: " + ", ".join(f"{kind} {count}" for kind, count in trouble.most_common()),
    ]
    broken = {number: one for number, one in found.items() if one.complaints}
    names = Counter(name for one in rounds for name in {words.partition(":")[0] for words in one.complaints})
    lines += [f"broken in {count} rounds: {name}" for name, count in names.most_common()]
    lines += [f"  python -m tests.chaos --seed {seed} --only {number}" for number in broken]
    return "\n".join(lines if broken else [*lines, "everything held"])


sys.exit(main())
