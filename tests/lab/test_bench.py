"""bench/run in short: a contender, a fault, and everything that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.results import Sample, load
from netfail_hooks.sandbox_holder import package_home

RUN = os.path.join(package_home(), "bench", "run")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, RUN, *arguments], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip


def _one(contender: str, fault: str, path: Path, *more: str) -> tuple[Sample, str]:
    """Measure one fault of one contender; return the sample and what was printed."""
    done = _run("--quick", "--no-cost", "--contender", contender, "--fault", fault,
                "--json", str(path), *more)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (sample,) = load(path.read_text(encoding="utf-8")).samples
    return sample, done.stdout


def test_one_fault_of_one_contender_is_measured_told_and_drawn(tmp_path: Path) -> None:
    json, svg, markdown = (tmp_path / name for name in ("json", "svg", "markdown"))
    sample, told = _one("howto", "link down", json, "--svg", str(svg), "--markdown", str(markdown))
    # What the how-to's files do: new traffic goes on, the address is gone with its link.
    assert not sample.new.over
    assert sample.new.ms < 1000
    assert sample.own.over
    assert (sample.alive, sample.connections) == (0, 2)
    assert f"> {sample.own.ms / 1000:.1f} s" in told
    assert "## Link down" in markdown.read_text(encoding="utf-8")
    assert "prefers-color-scheme" in svg.read_text(encoding="utf-8")
    assert _run("--from", str(json)).stdout == told


def test_a_contender_of_shell_moves_the_traffic(tmp_path: Path) -> None:
    sample, _ = _one("hook", "cable out", tmp_path / "json")
    assert not sample.outage.over
    assert sample.outage.ms < 1000


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    done = _run("--from", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
