"""Compare random networks with torch: ``python -m tests.campaign --count 20000 --seed 1``."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

from .case import one
from .networks import draw_network
from .report import markdown


def _kept(path: Path, seed: int) -> list[dict[str, Any]]:
    """Return the records of an earlier run with this seed; a line that was cut off is no record."""
    found = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if record["seed"] == seed:
                found.append(record)
    return found


def _told(record: dict[str, Any]) -> None:
    for each in record["outcomes"]:
        if each["verdict"] != "agree":
            what = f"{each['check']} {each['verdict']}: {each['detail']}"
            print(f"case {record['number']}: {what}", flush=True)


def main() -> int:
    """Run, resume, or show one case; return 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="networks, numbered from 0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="show one network and its outcomes")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--records", type=Path, help="JSON lines; a run that stopped goes on there")
    parser.add_argument("--report", type=Path, help="write the table there, in Markdown")
    given = parser.parse_args()
    if given.case is not None:
        network = draw_network(given.seed, given.case)
        print(network.subject)
        record = one(given.seed, given.case)
        for outcome in record["outcomes"]:
            print(outcome)
        return 0
    records = _kept(given.records, given.seed) if given.records else []
    done = {record["number"] for record in records}
    wanted = [number for number in range(given.count) if number not in done]
    for record in records:
        _told(record)
    for record in _records(given.seed, wanted, given.jobs):
        _told(record)
        records.append(record)
        if given.records:
            with given.records.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
    text = markdown([each for each in records if each["number"] < given.count], given.seed)
    print(text)
    if given.report:
        given.report.write_text(text, encoding="utf-8")
    bad = {"differ", "refused", "raised"}
    return int(any(each["verdict"] in bad for record in records for each in record["outcomes"]))


def _records(seed: int, wanted: list[int], jobs: int) -> Iterable[dict[str, Any]]:
    if jobs == 1:
        yield from map(partial(one, seed), wanted)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    # An executor notices a worker that dies; a pool of multiprocessing waits for it for ever.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(one, seed, number) for number in wanted]):
            yield done.result()


if __name__ == "__main__":
    sys.exit(main())
