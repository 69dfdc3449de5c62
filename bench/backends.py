"""What each precision of torch costs and gives, on the CPU or on a GPU.

    python bench/backends.py --device cuda

runs HiFi-GAN v1 at full size in float64, float32, tf32, bfloat16 and float16. For each it compares
the silent output with the float64 prediction, and that error with the bound that is derived from
the layers; and it compares the throughput of `measure` with that of the plain module in the same
precision. It writes a Markdown table to bench/backends_<device>.md.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import upsim
from upsim.measuring.circles import Circles
from upsim.measuring.plan import Plan, planned
from upsim.network.draws import Draws
from upsim.neural.backends import PRECISIONS, TorchBackend
from upsim.neural.torch_layers import to_torch
from upsim.theory.lines.explained import lines_fed
from upsim.verification.witness import Witness, run_period


def silent_error(graph: upsim.Graph, backend: TorchBackend) -> tuple[float, float]:
    """Return the largest error of the silent output and its bound, as shares of its RMS."""
    true = upsim.predict(graph, upsim.Silence())
    run = run_period(graph, [np.zeros((1, graph.in_channels, 1))], Witness.of(backend)).end
    wanted = true.lines(run.samples.shape[2])
    size = np.sqrt(np.square(wanted - wanted.mean()).mean())
    off = np.abs(run.samples[0] - wanted).max()
    return float(off / size), float(run.error.max() / size)


def throughput(graph: upsim.Graph, backend: TorchBackend, turns: int) -> tuple[float, float]:
    """Return the seconds of output that a second of `measure`, and of the module, makes."""
    signals, grid = [upsim.WhiteNoise(1.0)], np.linspace(0, float(graph.sample_rate) / 2, 129)
    plan = planned(graph, signals, grid, None, 8, backend.numbers)
    plan = Plan(graph, plan.periods, plan.turns * turns, plan.rows, plan.notes)
    rows = max(1, plan.rows // turns)
    length = plan.length(0)
    draw = Draws(signals[0], graph.in_channels, length, graph.input_rate)
    start = lines_fed(graph, signals[0], 0, plan.periods[0])
    circles = Circles(plan, [draw], [start], backend, grid, 8, 0)
    module = to_torch(graph).to(dtype=backend.dtype, device=backend.device)
    noise = [np.random.default_rng(each) for each in range(rows)]

    def plain() -> None:
        fed = np.stack([each.standard_normal((graph.in_channels, length)) for each in noise])
        with backend.running():
            module(backend.array(fed)).cpu()

    def ours() -> None:
        circles.run(rows)

    while circles.done < 2 * circles.batches:  # the first round is another: it finds the gains
        ours()
    plain()
    taken = {plain: [], ours: []}
    for _ in range(5):
        for work in (plain, ours):
            begin = time.perf_counter()
            work()
            if backend.device.type == "cuda":
                torch.cuda.synchronize()
            taken[work].append(time.perf_counter() - begin)
    seconds = rows * float(plan.seconds)
    return seconds / float(np.median(taken[ours])), seconds / float(np.median(taken[plain]))


def main() -> None:
    """Print the table and write it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--model", default="hifigan-v1")
    arguments.add_argument("--turns", type=int, default=4)
    given = arguments.parse_args()
    graph = upsim.models.build(given.model).draw(0)
    name = torch.cuda.get_device_name() if given.device.startswith("cuda") else "CPU"
    lines = [
        f"{given.model} on {name}, torch {torch.__version__}",
        "",
        "| precision | error | bound | measure | plain torch | share |",
        "|---|---|---|---|---|---|",
    ]
    for kind in PRECISIONS:
        backend = TorchBackend(kind, given.device)
        error, bound = silent_error(graph, backend)
        ours, plain = throughput(graph, backend, given.turns)
        row = f"| {kind} | {error:.1e} | {bound:.1e} | {ours:.0f} x real time | {plain:.0f} x |"
        lines.append(f"{row} {100 * ours / plain:.0f} % |")
        print(lines[-1], flush=True)
    lines += [
        "",
        "Error: the largest difference of the silent output from the float64 prediction, over the",
        "RMS of its lines. Bound: what the roundings of the layers may make of it. Share: of the",
        "throughput of plain torch.",
    ]
    Path(__file__).with_name(f"backends_{given.device.split(':')[0]}.md").write_text(
        "\n".join(lines) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
