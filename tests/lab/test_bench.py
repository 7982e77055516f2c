"""bench/run in short: one contender, one fault, everything that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.results import load
from netfail_hooks.sandbox_holder import package_home

RUN = os.path.join(package_home(), "bench", "run")


def test_one_fault_of_one_contender_is_measured_told_and_drawn(tmp_path: Path) -> None:
    made = {name: tmp_path / name for name in ("json", "svg", "markdown")}
    options = [word for name, path in made.items() for word in (f"--{name}", str(path))]
    done = subprocess.run(
        [sys.executable, RUN, "--quick", "--contender", "howto", "--fault", "link down",
         "--no-cost", *options],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = load(made["json"].read_text(encoding="utf-8"))
    (sample,) = results.samples
    # What the how-to's files do: new traffic goes on, the address is gone with its link.
    assert not sample.new.over
    assert sample.new.ms < 1000
    assert sample.own.over
    assert (sample.alive, sample.connections) == (0, 2)
    assert f"> {sample.own.ms / 1000:.1f} s" in done.stdout
    assert "## Link down" in made["markdown"].read_text(encoding="utf-8")
    assert "prefers-color-scheme" in made["svg"].read_text(encoding="utf-8")
    again = subprocess.run(
        [sys.executable, RUN, "--from", str(made["json"]), str(made["json"])],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert again.stdout == done.stdout, again.stderr


def test_what_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, RUN, "--from", str(tmp_path / "none.json")],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 1
    assert "none.json" in done.stderr
    assert "Traceback" not in done.stderr
