"""One network of the campaign, in a module that a process of its own can import."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import torch

from .comparisons import compare
from .networks import draw_network


def one(seed: int, number: int) -> dict[str, Any]:
    """Return the record of one network: all that the report needs."""
    torch.set_num_threads(1)
    start = time.process_time()
    network = draw_network(seed, number)
    outcomes = compare(network, number)
    return {
        "seed": seed,
        "number": number,
        "layers": len(network.nodes),
        "linear": network.is_linear,
        "seconds": round(time.process_time() - start, 3),
        "outcomes": [asdict(each) for each in outcomes],
    }
