"""The table of a campaign, in Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .comparisons import CHECKS

_HEAD = """# Random networks against torch

Random networks hold every layer of the catalogue: 1 to 60 layers, 1 to 16 channels, groups,
dilation, output padding, all padding modes, crops, decimations, kernels shorter than strides,
branches in branches, normalisations and all activations. Half of them are graphs: up to three
inputs at rates of their own, values that several nodes read, skips that cross. torch runs each
network in double precision. That run reads the layers' fields and uses no other code of upsim
(`tests/campaign/torch_run.py`). Compared are:

* *lengths*: samples after each layer, and which inputs cannot run;
* *lines*: every line of the steady state, for a constant, a constant with a sine, or silence;
* *shares*: for a linear network, each source against torch with that source alone; for every
  network, the sum of the shares against the line;
* *recordings*: every output sample of a finite random input, ends included;
* *densities*: white noise at every input of a linear network, against torch's impulse
  responses.

The tolerance of each comparison is measured. torch runs the same network in single precision,
several times, each with other roundings of its numbers. What that changes is scaled to double
precision. "Worst" is the largest difference in units of the tolerance. An error of single
precision above a hundredth of the signal does not scale: such a comparison counts as
ill-conditioned, unless it agrees anyway.
"""


def markdown(records: list[dict[str, Any]], seed: int) -> str:
    """Return the whole page."""
    outcomes = [each for record in records for each in record["outcomes"]]
    rows = [
        "| compared | networks | numbers | differ | refused or raised | ill-conditioned | worst |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for check in CHECKS:
        met = [each for each in outcomes if each["check"] == check]
        told = Counter(each["verdict"] for each in met)
        networks = sum(any(each["check"] == check for each in r["outcomes"]) for r in records)
        worst = max((each["worst"] for each in met if each["verdict"] == "agree"), default=0.0)
        rows.append(
            f"| {check} | {networks} | {sum(each['numbers'] for each in met)} | {told['differ']} "
            f"| {told['refused'] + told['raised']} | {told['ill-conditioned']} | {worst:.2f} |"
        )
    deep = sum(record["layers"] >= 10 for record in records)
    linear = sum(record["linear"] for record in records)
    minutes = sum(record["seconds"] for record in records) / 60
    command = f"python -m tests.campaign --count {len(records)} --seed {seed} --jobs 2"
    measured = (
        f"Seed {seed}: {len(records)} networks, {linear} of them linear, {deep} of 10 nodes or "
        f"more; {minutes:.1f} minutes of one processor."
    )
    again = f"""
Run it again, or any one network of it:

```bash
{command} --records campaign.jsonl --report docs/campaign.md
python -m tests.campaign --seed {seed} --case 17
```
"""
    return "\n".join([_HEAD, measured, "", *rows, again])
