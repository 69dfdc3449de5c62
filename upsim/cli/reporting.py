"""``upsim overlap``, ``replicas``, ``boundaries``, ``lengths``, ``context``, ``cost``."""

from __future__ import annotations

from typing import Annotated

import typer

from upsim.cli.options import (
    CsvOption,
    InputLengthOption,
    JsonOption,
    OverwriteOption,
    PlotOption,
    SeedOption,
    StackArgument,
)


def overlap(
    kernel: Annotated[int, typer.Option("--kernel", "-k", metavar="N", help="Taps.")],
    stride: Annotated[int, typer.Option("--stride", "-s", metavar="N", help="Upsampling factor.")],
    dilation: Annotated[
        int, typer.Option("--dilation", "-d", metavar="N", help="Step between taps.")
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Say how evenly a kernel covers the output.

    And which lines an all-ones kernel of this size would make.
    """
    from upsim.cli.printing import answer, answer_json
    from upsim.show.tables import text_table
    from upsim.theory.reports.overlap import overlap as find_overlap
    from upsim.words.arguments import refuse_beyond_memory, whole_number
    from upsim.words.units import format_decibels

    whole_number(stride, "--stride")
    # Each of the stride's lines is a record of some hundred bytes.
    refuse_beyond_memory(stride * 256, "the list of lines", fix="--stride 8")
    report = find_overlap(kernel, stride, dilation=dilation)
    if as_json:
        answer_json(
            {
                "kernel_size": report.kernel_size,
                "stride": report.stride,
                "dilation": report.dilation,
                "kind": report.kind,
                "counts": list(report.counts),
                "lines": [
                    {"fraction": str(line.fraction), "ratio": line.ratio} for line in report.lines
                ],
            }
        )
        return
    counts = " ".join(map(str, report.counts[:32])) + (" ..." if stride > 32 else "")
    most, least = max(report.counts), min(report.counts)
    uneven = f"{least} to {most}" if most != least else f"{most}"
    lines = [
        f"kernel {kernel}, stride {stride}"
        + (f", dilation {dilation}" if dilation != 1 else "")
        + f": {_OVERLAPS[report.kind]}, {uneven} taps on an output sample",
        f"taps in each phase: {counts}",
    ]
    if report.lines:
        rows = [
            [str(line.fraction), format_decibels(line.ratio**2) if line.ratio else "none"]
            for line in report.lines[:32]
        ]
        lines += ["lines of an all-ones kernel, relative to the constant that it is fed:"]
        lines += text_table(["of the output rate", "level"], rows, indent="  ").splitlines()
        more = len(report.lines) - len(rows)
        lines += [f"  ... {more} more: --json lists all"] if more > 0 else []
    answer("\n".join(lines))


_OVERLAPS = {
    "none": "no overlap",
    "partial": "partial overlap",
    "full": "full overlap",
    "gaps": "gaps, some outputs see no tap",
}


def replicas(
    stack: StackArgument,
    seed: SeedOption = None,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """List the output's bands and which layer moved them there.

    Gains are those of a linear stack whose weights are given, or drawn with --seed. Below the
    bands stand the kernel images: where a kernel with spread taps passes its band again.
    """
    from upsim.cli.inputs import drawn_stack, read_stack
    from upsim.cli.printing import answer, answer_rows, refuse_two_formats
    from upsim.show.tables import text_table
    from upsim.theory.moments.propagation import is_linear
    from upsim.theory.reports.kernel_images import kernel_images
    from upsim.theory.reports.replicas import find_replicas, linear_gains
    from upsim.words.units import format_decibels, format_hertz

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    found = read_stack(stack)
    names = {node.name: node.title for node in found.nodes}
    # Where the bands land needs no weights; how strong they are does.
    weighted = is_linear(found) and (found.is_drawn or seed is not None)
    gains = linear_gains(drawn_stack(found, seed)) if weighted else None
    bands = find_replicas(found, gains)
    images = kernel_images(found)
    records: list[dict[str, object]] = [
        {
            "low_hz": float(band.low),
            "high_hz": float(band.high),
            "input_low_hz": float(band.input_low),
            "input_high_hz": float(band.input_high),
            "mirrored": band.mirrored,
            "made_by": " ".join(band.made_by),
            "gain": None if band.gain is None else float(band.gain.max()),
            "kind": "replica" if band.is_image else "baseband",
        }
        for band in bands
    ]
    records += [
        {
            "low_hz": float(low),
            "high_hz": float(high),
            "input_low_hz": 0.0,
            "input_high_hz": float(each.spacing / 2),
            "mirrored": None,
            "made_by": each.layer,
            "gain": None,
            "kind": "kernel image",
        }
        for each in images
        for low, high in each.bands
    ]
    if answer_rows(records, as_json=as_json, as_csv=as_csv):
        return
    rows = [
        [
            f"{format_hertz(band.low)} to {format_hertz(band.high)}",
            f"{format_hertz(band.input_low)} to {format_hertz(band.input_high)}",
            "mirrored" if band.mirrored else "upright",
            "" if band.gain is None else format_decibels(float(band.gain.max())),
            ", ".join(names[label] for label in band.made_by) or "the input's own place",
        ]
        for band in bands[:64]
    ]
    more = len(bands) - len(rows)
    table = text_table(["output band", "input band", "", "gain", "moved by"], rows)
    lines = [table, *([f"... {more} more: --csv lists all"] if more > 0 else [])]
    for each in images:
        places = ", ".join(format_hertz(place) for place in each.frequencies[:4])
        rest = ", ..." if len(each.frequencies) > 4 else ""
        lines.append(f"kernel image: {each.name} passes its band again about {places}{rest}")
    answer("\n".join(lines))


def boundaries(
    stack: StackArgument,
    length: InputLengthOption,
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
) -> None:
    """Say how long the output is and how far its ends reach.

    For each layer: the samples at both ends that the signal's start and stop disturb.
    """
    from upsim.cli.inputs import read_stack
    from upsim.cli.printing import answer, answer_rows, refuse_two_formats
    from upsim.show.tables import text_table
    from upsim.theory.reports.boundaries import boundary_report
    from upsim.words.units import counted

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    found = read_stack(stack)
    report = boundary_report(found, length)
    records = [
        {
            "layer": each.layer,
            "name": each.name,
            "left": each.left,
            "right": each.right,
            "left_seconds": each.left_seconds,
            "right_seconds": each.right_seconds,
            "output_length": report.output_length,
            "deficit": str(report.deficit),
        }
        for each in report.transients
    ]
    if answer_rows(records, as_json=as_json, as_csv=as_csv):
        return
    deficit = report.deficit
    if deficit == 0:
        verdict = "as many as the rates ask for"
    else:
        verdict = f"{abs(deficit)} {'fewer' if deficit > 0 else 'more'} than the rates ask for"
    rows = [
        [
            each.name,
            f"{each.left}",
            f"{each.right}",
            f"{1000 * each.left_seconds:.3g} ms",
            f"{1000 * each.right_seconds:.3g} ms",
        ]
        for each in report.transients
    ]
    head = f"{counted(report.input_length, 'sample')} in, {report.output_length} out: {verdict}"
    table = text_table(["unsteady after", "left", "right", "left", "right"], rows)
    answer(f"{head}\n\n{table}")


def lengths(stack: StackArgument, length: InputLengthOption, as_json: JsonOption = False) -> None:
    """Say which layers lose samples and which lengths fit.

    Where branches would not meet, the nearest lengths that can be run are named.
    """
    from upsim.cli.inputs import read_stack
    from upsim.cli.printing import answer, answer_json
    from upsim.theory.reports.lengths import lengths as find_lengths

    found = find_lengths(read_stack(stack), length)
    if as_json:
        answer_json(
            {
                "input_length": found.input_length,
                "output_length": found.output_length,
                "expected_length": str(found.expected_length),
                "accepted": found.accepted,
                "refusal": found.refusal,
                "below": found.below,
                "above": found.above,
                "every": found.every,
                "nodes": [
                    {
                        "name": node.name,
                        "title": node.title,
                        "length_in": node.length_in,
                        "length_out": node.length_out,
                        "loss": str(node.loss),
                        "loss_at_output": str(node.loss_at_output),
                    }
                    for node in found.nodes
                ],
            }
        )
        return
    answer(str(found))


def context(
    stack: StackArgument,
    chunk: Annotated[
        int | None,
        typer.Option("--chunk", "-c", metavar="N", help="Input frames of a chunk."),
    ] = None,
    errors: Annotated[
        bool,
        typer.Option(
            "--errors",
            help="Also the error with less context: exact for linear stacks, otherwise measured by "
            "running the layers on white noise.",
        ),
    ] = False,
    plot: PlotOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Say how far the layers look, and how chunks overlap.

    For streaming and for long files: frames of context a side, lookahead and delay, and the overlap
    with which a chunk equals the whole. --plot draws the error over the context.
    """
    from upsim.cli.inputs import drawn_stack, read_stack
    from upsim.cli.pictures import check_picture, save_picture
    from upsim.cli.printing import answer, answer_json, note, progress
    from upsim.verification.chunks import context as find_context

    if plot is not None:
        check_picture(plot, overwrite=overwrite)
    with progress("reading", 2) as bar:
        bar.stage("reading")
        found = read_stack(stack)
        asked = errors or plot is not None
        if asked:
            found = drawn_stack(found, seed)
        bar.stage("running chunks")
        report = find_context(found, chunk, errors=asked, seed=seed or 0, progress=bar)
        if plot is not None:
            save_picture(report.plot, plot, overwrite=overwrite)
    if plot is not None:
        note(f"picture written to {plot}")
    if as_json:
        answer_json(report.to_dict())
    else:
        answer(f"{report!r}\n\n{report.table()}" if asked else repr(report))


def cost(stack: StackArgument, as_json: JsonOption = False, as_csv: CsvOption = False) -> None:
    """Count each layer's parameters, operations and memory."""
    from upsim.cli.inputs import read_stack
    from upsim.cli.printing import answer, answer_rows, refuse_two_formats
    from upsim.show.tables import text_table
    from upsim.theory.reports.cost import cost as find_cost

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    report = find_cost(read_stack(stack))
    records = [
        {
            "layer": each.layer,
            "name": each.name,
            "parameters": each.parameters,
            "macs_per_output_sample": float(each.macs),
            "activations_per_output_sample": float(each.activations),
        }
        for each in report.layers
    ]
    if answer_rows(records, as_json=as_json, as_csv=as_csv):
        return
    rows = [
        [each.name, f"{each.parameters:,}", f"{float(each.macs):,.6g}"] for each in report.layers
    ]
    rows.append(["all", f"{report.parameters:,}", f"{float(report.macs):,.6g}"])
    table = text_table(["layer", "parameters", "MACs per output sample"], rows)
    memory = report.activation_bytes / 2**20
    answer(
        f"{table}\n\n{report.macs_per_second / 1e9:.4g} GMAC and {memory:.4g} MiB of activations "
        "(float32) for a second of output"
    )
