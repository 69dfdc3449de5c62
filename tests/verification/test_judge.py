"""What the judge sees that the prediction cannot know of itself, and what it names as open."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError
from upsim.layers import (
    GLU,
    Bias,
    Conv,
    Crop,
    GroupNorm,
    InstanceNorm,
    LeakyReLU,
    Nearest,
    Residual,
    Slice,
    TransposedConv,
)
from upsim.network.weights import Normal
from upsim.theory.lines.tones import Tone
from upsim.verification.judge import Judge
from upsim.verification.verifying import Witness
from upsim.verification.witness import run_period

RATE = 16000


def verdicts(report):
    return {check.name: check.verdict for check in report.checks}


def decoder(*layers, seed=0):
    return upsim.Stack([*layers], RATE).draw(seed)


def deep(norm, count):
    """Many convolutions make a constant small; a normalisation brings it back up."""
    layers = [Conv(8, 8, 7, padding=3, weight=Normal(0.17)) for _ in range(count)]
    return decoder(*layers, norm, TransposedConv(8, 1, 4, 2, padding=1))


@pytest.mark.parametrize("norm", [GroupNorm(2, 8), InstanceNorm(8)], ids=["group", "instance"])
@pytest.mark.parametrize("stride", [1, 2])
def test_lines_behind_a_normalisation_are_those_of_torch(norm, stride):
    """One period in torch: circular padding, and the middle of long transposed convolutions."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    layers = [Conv(8, 8, 7, padding=3, weight=Normal(0.17)) for _ in range(12)]
    if stride == 2:
        layers.append(TransposedConv(8, 8, 5, 2))
    stack = decoder(*layers, norm, TransposedConv(8, 1, 4, 2, padding=1))
    seen = run_period(stack, [np.ones((1, 8, 1))], Witness("numpy", np.dtype(float))).end
    x = torch.ones(1, 8, 1, dtype=torch.float64)
    for layer in stack:
        if isinstance(layer, GroupNorm):
            x = functional.group_norm(x, layer.num_groups, eps=layer.eps)
            continue
        if isinstance(layer, InstanceNorm):
            apart = x - x.mean(dim=2, keepdim=True)
            x = apart / torch.sqrt((apart**2).mean(dim=2, keepdim=True) + layer.eps)
            continue
        weight, bias = torch.tensor(layer.weight), torch.tensor(layer.bias)
        tiled = x.tile(1, 1, 16)
        if isinstance(layer, Conv):
            made = functional.conv1d(functional.pad(tiled, (3, 3), mode="circular"), weight, bias)
        else:
            made = functional.conv_transpose1d(
                tiled, weight, bias, layer.stride, padding=layer.padding
            )
        count = x.shape[2] * layer.stride
        x = made[:, :, 4 * count : 5 * count]
    assert np.abs(seen.samples[0] - x.numpy()[0]).max() <= seen.error.max()


def test_a_line_that_the_answer_leaves_out_behind_a_normalisation_fails():
    stack = deep(GroupNorm(2, 8), 16)
    seen = run_period(stack, [np.ones((1, 8, 1))], Witness("numpy", np.dtype(float))).end
    lines = np.fft.rfft(seen.samples[0], axis=1) / 2
    right = [
        Tone(
            Fraction(number, 2), number * RATE / 2, lines[:, number],
            np.abs(lines[:, number]) ** 2, "18", "weights",
        )
        for number in range(2)
    ]  # fmt: skip
    answer = upsim.predict(stack, upsim.Constant(1.0))
    whole = upsim.verify(replace(answer, tones=tuple(right)))
    assert verdicts(whole)["lines"] == verdicts(whole)["powers"] == "passed"
    less = upsim.verify(replace(answer, tones=tuple(right[:1])))
    assert verdicts(less)["lines"] == "failed"


def test_a_report_without_checks_has_not_passed():
    report = upsim.verification.Verification("nothing", "nobody", ())
    assert (report.passed, report.complete, report.verdict) == (False, False, "not checked")


def test_a_loaded_prediction_is_judged():
    stack = decoder(TransposedConv(1, 2, 5, 2), Conv(2, 1, 3))
    answer = upsim.predict(stack, upsim.Constant(1.0) + upsim.WhiteNoise(), frequencies=17)
    content = answer.to_dict()
    assert upsim.verify(upsim.Prediction.from_dict(content)).complete
    content["noise_power"] = [2 * content["noise_power"][0]]
    assert verdicts(upsim.verify(upsim.Prediction.from_dict(content)))["noise power"] == "failed"


def test_the_power_of_a_narrow_band_is_its_integral():
    """A wire keeps a band of 0.6 Hz as it is: its power is one, whatever grid is asked for."""
    band = upsim.Density([1000.0, 1000.3, 1000.6], [0.0, 1 / 0.3, 0.0])
    stack = upsim.Stack([Crop()], 8000)
    answer = upsim.predict(stack, band, frequencies=9)
    for power, verdict in ((1.0, "passed"), (0.606, "failed")):
        claimed = replace(answer, power_of_noise=lambda power=power: np.array([power]))
        assert verdicts(upsim.verify(claimed))["noise power"] == verdict


def test_what_is_no_stack_and_no_prediction_is_refused():
    with pytest.raises(ArgumentTypeError, match="a Stack or a Graph, or a Prediction"):
        upsim.verify(Nearest(2))
    answer = upsim.predict(decoder(Nearest(2)), upsim.Constant(1.0))
    with pytest.raises(ArgumentError, match="has its signal already"):
        upsim.verify(answer, upsim.Constant(1.0))
    expected = upsim.predict(upsim.Stack([TransposedConv(1, 1, 4, 2)], RATE))
    with pytest.raises(NotPredictableError, match=r"draw\(seed=0\)"):
        upsim.verify(expected)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_backend_and_precision_has_its_own_tolerance(backend, dtype):
    if backend == "torch":
        pytest.importorskip("torch")
    stack = decoder(
        TransposedConv(1, 8, 16, 4, padding=6), LeakyReLU(0.1), GroupNorm(2, 8),
        Residual(Conv(8, 8, 3, padding=1), LeakyReLU(0.1)), TransposedConv(8, 1, 4, 2), Bias(0.1),
    )  # fmt: skip
    report = upsim.verify(stack, upsim.Constant(1.0), backend=backend, dtype=dtype)
    assert report.passed, report
    (lines,) = [check for check in report.checks if check.name == "lines"]
    # A relative error of a thousandth is far beyond rounding in either precision.
    assert lines.tolerance < 1e-3 * np.sqrt(
        max(float(tone.power.max()) for tone in upsim.predict(stack, upsim.Constant(1.0)).tones)
    )


@pytest.mark.parametrize(
    "stack",
    [
        decoder(Crop(1, 0), Residual(Conv(1, 1, 8, 4), TransposedConv(1, 1, 8, 4)), seed=1),
        decoder(Slice(3, None, 2), TransposedConv(1, 1, 6, 4)),
        decoder(Conv(1, 2, 31, padding=40, dilation=3, padding_mode="reflect"), GLU(), Nearest(3)),
        decoder(Crop(200, 300), TransposedConv(1, 2, 9, 4, output_padding=2, dilation=2)),
        decoder(Conv(1, 1, 9, padding="same", padding_mode="circular"), TransposedConv(1, 1, 3, 5)),
    ],
    ids=["unpadded branch", "slice", "reflection", "crop", "gaps"],
)
def test_layers_that_look_far_or_cut_much_are_run(stack):
    report = upsim.verify(stack, upsim.Constant(0.7))
    assert report.passed, report


def test_a_wrong_length_is_told(monkeypatch):
    honest = Witness.__call__

    def longer(self, layer, samples):
        return np.pad(honest(self, layer, samples), [(0, 0), (0, 0), (0, 1)])

    monkeypatch.setattr(Witness, "__call__", longer)
    report = upsim.verify(decoder(TransposedConv(1, 1, 4, 2)), upsim.Constant(1.0))
    assert verdicts(report)["lengths"] == "failed"


def test_the_judge_asks_nothing_of_the_answers_own_machinery(monkeypatch):
    """Between the record and the verdict nothing is predicted."""
    stack = decoder(TransposedConv(1, 4, 5, 2), LeakyReLU(0.1), TransposedConv(4, 1, 4, 2))
    answer = upsim.predict(stack, upsim.Constant(1.0))
    held = answer.replicas
    assert held

    def forbidden(*_, **__):
        raise AssertionError("the judge predicted")

    for place in (
        "upsim.verification.verifying.predict",
        "upsim.theory.moments.propagation.propagate",
        "upsim.theory.lines.tones.find_tones",
        "upsim.theory.lines.ladder.Ladder.__init__",
    ):
        monkeypatch.setattr(place, forbidden)
    checks = Judge(answer, Witness("numpy", np.dtype(float)), 0).checks(lambda *_: None)
    assert all(check.verdict != "failed" for check in checks)


def test_lines_of_a_graph_with_two_inputs_are_judged():
    graph = upsim.Graph(
        [
            ("up", TransposedConv(3, 4, 5, 4), "mel"),
            ("source", Conv(1, 4, 3, padding=1), "pitch"),
            ("cut", Crop(0, 1), "up"),
            ("sum", upsim.Add(), ("cut", "source")),
            ("bent", LeakyReLU(0.1), "sum"),
            ("out", TransposedConv(4, 1, 4, 2), "bent"),
        ],
        inputs={"mel": 3, "pitch": 1},
        sample_rate=RATE,
    ).draw(0)
    signal = {"mel": upsim.Constant(1.0), "pitch": upsim.Sine(RATE / 16) + upsim.Constant(0.1)}
    answer = upsim.predict(graph, signal)
    report = upsim.verify(answer)
    assert report.passed, report
    assert verdicts(report)["lines"] == verdicts(report)["sums of shares"] == "passed"
    tones = tuple(replace(tone, amplitude=1.01 * tone.amplitude) for tone in answer.tones)
    assert verdicts(upsim.verify(replace(answer, tones=tones)))["lines"] == "failed"
