"""Live many random lives of the pure core; keep the first that breaks an invariant.

python -m tools.model --steps 1000000
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed

from tools.model.script import LIFE, Life, draw, shrink


def main() -> int:
    """Return 1 where an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tools.model", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--out",
        default="model-broken.jsonl",
        help="where a broken life goes, for 'netfail-hooks replay'",
    )
    args = parser.parse_args()
    began = time.monotonic()
    seeds = range(args.seed, args.seed + -(-args.steps // LIFE))
    broken = search(seeds, args.jobs)
    took = time.monotonic() - began
    if broken is None:
        print(f"{len(seeds) * LIFE:,} steps, {len(seeds):,} machines, none broken, {took:.0f} s")
        return 0
    life = shrink(broken)
    with open(args.out, "w", encoding="ascii") as file:
        file.write(life.recorded())
    print(f"BROKEN: {told(life)}\nits runs: netfail-hooks replay {args.out}", file=sys.stderr)
    return 1


def search(seeds: range, jobs: int) -> Life | None:
    """Return the first life found that breaks an invariant."""
    chunks = [seeds[at : at + 50] for at in range(0, len(seeds), 50)]
    if jobs == 1:
        return next((life for chunk in chunks if (life := first_broken(chunk))), None)
    with ProcessPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(first_broken, chunk) for chunk in chunks]):
            if life := done.result():
                pool.shutdown(cancel_futures=True)
                return life
    return None


def first_broken(seeds: Iterable[int]) -> Life | None:
    """Return the first of these lives that breaks an invariant."""
    return next((life for seed in seeds if (life := draw(seed)).fault()), None)


def told(life: Life) -> str:
    """Return a life, and what it breaks, for people."""
    try:
        life.live()
    except Exception as error:  # noqa: BLE001 - whatever it is
        steps = "\n".join(f"    {step}," for step in life.steps)
        return f"{type(error).__name__}: {error}\n{life.setup}\n{steps}"
    return "nothing"


if __name__ == "__main__":
    sys.exit(main())
