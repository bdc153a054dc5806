"""Run all benchmarks, one after another, each a process of its own; write ``results.json`` and the tables of the page.

    python benchmarks/bench.py [PROGRAM ...]

A benchmark is a program of this folder that has a function ``measure``. Named ones are run alone, and the rows of the
others stay as they are. The rows of a program that fails are left out, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rows import Row, as_json, check, from_json, read

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PAGE_TOOLS = [HERE.parent / "docs" / "tools" / name for name in ("make_performance.py", "make_beyond.py")]
LONGEST_S = 180.0
GUESS_S = 20.0
"""How long a program is taken to need that has never run."""
PACKAGES = ("livered-core", "numpy", "numba", "scipp", "mantidworkbench", "mantid")


class BenchmarkError(Exception):
    """A benchmark did not give its rows; says why in one sentence."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="such as focus; all without")
    parser.add_argument("--quick", action="store_true", help="less of everything: to try the programs")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="another results.json")
    options = parser.parse_args()
    there = programs(HERE)
    unknown = sorted(set(options.programs) - set(there))
    if unknown:
        parser.error(f"There is no benchmark {', '.join(unknown)}: there are {', '.join(there)}.")
    wanted = [name for name in there if name in options.programs or not options.programs]
    before = json.loads(options.results.read_text(encoding="utf-8")) if options.results.exists() else {}
    took: dict[str, float] = {n: s for n, s in before.get("seconds", {}).items() if n in there}
    old = [from_json(row) for row in before.get("rows", [])]
    rows = [row for row in old if program_of(row) in there and program_of(row) not in wanted]
    failures = run_all(wanted, options.quick, rows, took)
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
        "quick": options.quick,
        "seconds": {name: took[name] for name in sorted(took)},
        "rows": [as_json(row) for row in sorted(rows, key=program_of)],
    }
    options.results.write_text(written(document), encoding="utf-8")
    print(
        f"\n{len(rows)} rows are in {options.results}, after {sum(took[n] for n in wanted if n in took):.0f} s."
    )
    if options.results == RESULTS:
        for tool in PAGE_TOOLS:
            subprocess.run([sys.executable, str(tool)], check=True)
    for sentence in failures:
        print(sentence, file=sys.stderr)
    return 1 if failures else 0


def run_all(wanted: Sequence[str], quick: bool, rows: list[Row], took: dict[str, float]) -> list[str]:
    """Run programs, and put what they give into `rows` and `took`; gives a sentence for each that failed."""
    failures = []
    for number, name in enumerate(wanted):
        left = sum(took.get(each, GUESS_S) for each in wanted[number:]) / (6 if quick else 1)
        print(f"\n[{number + 1} of {len(wanted)}] {name}; about {left / 60:.1f} minutes left", flush=True)
        began = time.monotonic()
        try:
            made = run(name, quick)
            check([*rows, *made])
        except (BenchmarkError, ValueError) as error:
            failures.append(f"{name}: {error}")
            print(f"FAILED: {error}", flush=True)
            took.pop(name, None)
        else:
            rows += made
            took[name] = round(time.monotonic() - began, 1)
    return failures


def programs(folder: Path) -> list[str]:
    """Return the names of the benchmarks of a folder, sorted: the programs that have a function ``measure``."""
    return sorted(
        path.stem
        for path in folder.glob("*.py")
        if re.search(r"^def measure\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    )


def program_of(row: Row) -> str:
    """Return the program that a row is of."""
    return row.key.partition(".")[0]


def run(
    name: str, quick: bool, folder: Path = HERE, longest: float = LONGEST_S, show: bool = True
) -> list[Row]:
    """Run one program; gives its rows.

    Raises
    ------
    BenchmarkError
        When it fails, takes too long, or gives no rows of its own.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "rows.json"
        command = [
            sys.executable,
            str(folder / f"{name}.py"),
            "--json",
            str(path),
            *["--quick"][: int(quick)],
        ]
        output = None if show else subprocess.PIPE
        # A session of its own: whatever it started ends with it.
        with subprocess.Popen(
            command, stdout=output, stderr=output and subprocess.STDOUT, text=True, start_new_session=True
        ) as process:
            try:
                said, _ = process.communicate(timeout=longest)
            except subprocess.TimeoutExpired:
                raise BenchmarkError(f"It was not done after {longest:.0f} s, and was ended.") from None
            finally:
                end(process.pid)
        if process.returncode:
            raise BenchmarkError(f"It ended with exit code {process.returncode}.{last_line(said)}")
        if not path.exists():
            raise BenchmarkError("It wrote no rows: measure() has to end in finish().")
        rows = read(path)
    strange = [row.key for row in rows if program_of(row) != name]
    if strange or not rows:
        raise BenchmarkError(f"Its rows need keys that begin with {name}., not {strange[:1]}.")
    return rows


def end(group: int) -> None:
    """End what a program has left running."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def last_line(said: str | None) -> str:
    lines = (said or "").strip().splitlines()
    return f" Its last line: {lines[-1]}" if lines else ""


def machine() -> dict[str, Any]:
    """Say on what was measured; no name of a machine."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpu, re.MULTILINE)
    return {
        "processor": model[1].strip() if model else os.uname().machine,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of what is measured, as far as it is installed."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the commit, with -dirty where files differ from it; empty outside a clone."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def written(document: dict[str, Any]) -> str:
    """Give a document as JSON, each row on a line of its own."""
    head = {name: value for name, value in document.items() if name != "rows"}
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in document["rows"])
    return f'{json.dumps(head, indent=1, ensure_ascii=False)[:-2]},\n "rows": [\n  {rows}\n ]\n}}\n'


if __name__ == "__main__":
    sys.exit(main())
