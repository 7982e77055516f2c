"""bench/run in short: a few contenders, a fault, and everything that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.results import Results, load
from netfail_hooks.paths import package_home

RUN = os.path.join(package_home(), "bench", "run")


def _run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, RUN, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=directory,
    )


def _measured(directory: Path, *arguments: str) -> tuple[Results, str]:
    """Measure these; return what was found and what was printed."""
    done = _run(directory, "--quick", "--json", "found.json", *arguments)
    assert done.returncode == 0, done.stderr
    found = load((directory / "found.json").read_text(encoding="utf-8"))
    assert found.absent == ()
    return found, done.stdout


def test_one_fault_of_one_contender_is_measured_told_and_drawn(tmp_path: Path) -> None:
    found, told = _measured(
        tmp_path,
        "--contender",
        "howto",
        "--fault",
        "link down",
        "--rest",
        "0",
        "--markdown",
        "found.md",
    )
    (sample,) = found.samples
    # What the how-to's files do: new traffic goes on, the address is gone with its link.
    assert not sample.new.over
    assert sample.new.ms < 1000
    assert sample.own.over
    assert (sample.alive, sample.connections) == (0, 2)
    assert found.costs == ()
    assert f"> {sample.own.ms / 1000:.1f} s" in told
    assert "## Link down" in (tmp_path / "found.md").read_text(encoding="utf-8")
    assert f"Picture: {tmp_path}/bench.svg" in told
    assert "prefers-color-scheme" in (tmp_path / "bench.svg").read_text(encoding="utf-8")
    assert _run(tmp_path, "--from", "found.json").stdout == told


def test_those_of_scripts_ours_and_networkmanager_move_and_cost(tmp_path: Path) -> None:
    """All that has to be fetched, started and waited for; what each takes at rest."""
    keys = ("hook", "ping", "nm", "ours")
    asked = [word for key in keys for word in ("--contender", key)]
    found, told = _measured(tmp_path, *asked, "--fault", "cable out", "--rest", "10")
    samples = {sample.contender: sample for sample in found.samples}
    assert tuple(samples) == keys
    # No script announces an address: what is sent to it may stay lost, for the neighbour's sake.
    for key in ("hook", "ping"):
        assert not samples[key].new.over, key
        assert samples[key].new.ms < 1000, key
    assert not samples["ours"].outage.over
    assert samples["ours"].outage.ms < 1000
    assert samples["ours"].alive == samples["ours"].connections == 2
    costs = {cost.contender: cost for cost in found.costs}
    assert tuple(costs) == keys
    assert costs["nm"].own_mib > 1
    assert costs["ours"].own_mib == 0
    assert costs["ours"].needs == "networkd, dispatcher"
    # What runs counts in nanoseconds, what was reaped in ticks of 10 ms: two pings make none.
    assert costs["ping"].cpu_s is not None
    assert costs["ping"].cpu_s > 0
    assert all(one.cpu_s is not None and one.cpu_s < 60 for one in costs.values())
    assert "netfail-hooks" in told.partition("at rest")[2]


def test_a_bond_is_measured_whether_or_not_this_kernel_has_the_driver(tmp_path: Path) -> None:
    found, told = _measured(tmp_path, "--contender", "mii", "--fault", "cable out", "--rest", "0")
    (sample,) = found.samples
    assert (sample.contender, sample.fault) == ("mii", "cable out")
    assert not sample.outage.over
    assert sample.alive == sample.connections == 2
    assert "bond, MII 100 ms" in told


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    done = _run(tmp_path, "--from", "none.json")
    assert done.returncode == 1
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
