"""Noise through activations: exact after one, against quadrature, identities and the witness."""

import re
from fractions import Fraction

import numpy as np
import pytest

import upsim
from theory.per_channel import per_channel_only
from upsim.errors import ArgumentError, NotPredictableError, TooLargeError
from upsim.theory.moments.pointwise import ACCURACY
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding

RATE = 16000


def predicted(layers, signal=None, **arguments):
    stack = upsim.Stack(layers, RATE).draw(3)
    return upsim.predict(stack, signal or upsim.WhiteNoise(), **arguments)


def decibels(tone):
    return 10 * np.log10(tone.power[0])


# Modulation: the variance that repeats makes a line.


def test_the_triangle_and_a_rectifier_make_a_line_at_nyquist():
    answer = predicted([upsim.Linear(2, "triangle"), upsim.ReLU()])
    # E max(s Z, 0) = s / sqrt(2 pi) with s^2 = 1 and 1/2.
    even, odd = 1 / np.sqrt(2 * np.pi), np.sqrt(0.5 / (2 * np.pi))
    offset, line = answer.tones
    tolerance = rounding(100, 1.0)
    assert abs(offset.amplitude[0] - (even + odd) / 2) <= tolerance
    assert abs(line.amplitude[0] - (even - odd) / 2) <= tolerance
    assert round(decibels(line) - decibels(offset), 2) == -15.31
    assert (line.fraction, line.cause, line.layer) == (Fraction(1, 2), "modulation", "1")
    assert [share.cause for share in line.contributions] == ["modulation"]


@pytest.mark.parametrize("layer", [upsim.Nearest(2), upsim.Linear(2)], ids=repr)
def test_equal_variances_make_none(layer):
    answer = predicted([layer, upsim.ReLU()])
    assert [tone.fraction for tone in answer.tones] == [0]
    assert answer.tones[0].cause == "activation"


@pytest.mark.parametrize("layer", [upsim.Tanh(), upsim.LeakyReLU(1.0)], ids=repr)
def test_an_odd_function_makes_none(layer):
    assert predicted([upsim.Linear(2, "triangle"), layer]).tones == ()


def test_modulation_is_told_from_offsets():
    layers = [upsim.Linear(2, "triangle"), upsim.ReLU()]
    constant = upsim.Constant(0.5) + upsim.WhiteNoise(0.5)
    line = predicted(layers, constant).tones[1]
    # The triangle's phase gains are equal: nothing but modulation can make the line.
    assert [share.cause for share in line.contributions] == ["modulation"]
    strong = predicted([upsim.TransposedConv(1, 1, 3, 2, weight="ones"), upsim.ReLU()], constant)
    assert strong.tones[1].cause == "overlap"
    assert {share.cause for share in strong.tones[1].contributions} >= {
        "modulation",
        "input offset",
    }


def deep(signal=None, **arguments):
    layers = [
        upsim.TransposedConv(2, 6, 6, 3),
        upsim.LeakyReLU(0.1),
        upsim.TransposedConv(6, 4, 4, 2),
        upsim.GELU(),
        upsim.Conv(4, 2, 3),
    ]
    return predicted(layers, signal or upsim.Constant() + upsim.WhiteNoise(), **arguments)


def test_the_shares_add_up():
    answer = deep()
    assert len(answer.tones) == 4
    for tone in answer.tones:
        total = np.sum([share.amplitude for share in tone.contributions], axis=0)
        assert np.abs(total - tone.amplitude).max() <= rounding(500, 1.0)
        assert {share.cause for share in tone.contributions} >= {"activation", "modulation"}


def test_without_provenance_the_tones_are_the_same():
    bare, full = deep(provenance=False), deep()
    assert all(not tone.contributions for tone in bare.tones)
    assert [tone.cause for tone in bare.tones] == [tone.cause for tone in full.tones]
    for one, other in zip(bare.tones, full.tones, strict=True):
        assert np.array_equal(one.amplitude, other.amplitude)


def test_the_panels_are_the_shorter_predictions():
    answer = deep()
    for number, panel in enumerate(answer.layers, 1):
        alone = upsim.predict(answer.stack.upto(number), answer.signal)
        assert np.array_equal(panel.psd, alone.psd)
        assert [t.cause for t in panel.tones] == [t.cause for t in alone.tones]


# Exact after one activation.


def expectation(function, covariance, count=64, panels=6):
    """Return E f(x), Cov(f(x), f(y)) by 2-D Gauss-Legendre, split at the kinks x = 0, y = 0."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    edges = np.linspace(-9.0, 9.0, 2 * panels + 1)
    half = np.diff(edges) / 2
    points = ((edges[:-1] + half)[:, None] + half[:, None] * nodes).ravel()
    heights = (half[:, None] * weights).ravel()
    deviations = np.sqrt(np.diag(covariance))
    rho = covariance[0, 1] / deviations.prod()
    x, y = points[:, None], points[None, :]
    weight = np.exp(-(x * x - 2 * rho * x * y + y * y) / (2 * (1 - rho**2)))
    weight *= heights[:, None] * heights / (2 * np.pi * np.sqrt(1 - rho**2))
    made = [function(deviation * points) for deviation in deviations]
    plain = heights * np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi)
    means = [float(plain @ each) for each in made]
    return means[0], float(made[0] @ weight @ made[1]) - means[0] * means[1]


@pytest.mark.parametrize(
    "activation",
    [upsim.ReLU(), upsim.LeakyReLU(0.1), upsim.ELU(), upsim.GELU(), upsim.Tanh()],
    ids=repr,
)
def test_one_activation_is_exact(activation):
    first = upsim.TransposedConv(2, 2, 5, 2, bias=False)
    stack = upsim.Stack([first, activation], RATE).draw(4)
    answer = upsim.predict(stack, upsim.WhiteNoise(), frequencies=33)
    assert any("exact after one activation" in line for line in answer.assumptions)
    length = 40
    matrix = stack[0].operator(2).matrix(length).toarray()
    samples = stack[0].output_length(length)
    before = (matrix @ matrix.T).reshape(2, samples, 2, samples)
    middle = 40
    channel, reach = 0, 6

    def function(values):
        return activation.function(values[None, :])[0]

    averaged, means = np.zeros(2 * reach + 1), []
    for phase in range(2):
        here = middle + phase
        own = before[channel, here, channel, here]
        for lag in range(-reach, reach + 1):
            there = here + lag
            across = before[channel, here, channel, there]
            if lag == 0:
                mean = expectation(function, np.diag([own, own]))[0]
                square = expectation(lambda x: function(x) ** 2, np.diag([own, own]))[0]
                averaged[reach] += (square - mean**2) / 2
                means.append(mean)
            elif across:
                pair = np.array([[own, across], [across, before[channel, there, channel, there]]])
                averaged[lag + reach] += expectation(function, pair)[1] / 2
    lags = np.arange(-reach, reach + 1)
    wanted = 2 / RATE * np.cos(2 * np.pi * np.outer(answer.frequencies / RATE, lags)) @ averaged
    # Each lag: the series' rest, and rounding of 768 x 768 positive terms on either side.
    scale = float(before[channel, middle, channel, middle] + averaged[reach])
    tolerance = 2 / RATE * lags.size * (ACCURACY * scale + rounding(2 * 768, scale))
    assert np.abs(answer.psd[channel] - wanted).max() <= tolerance
    lines = {tone.fraction: tone.amplitude[channel] for tone in answer.tones}
    for fraction, sign in ((Fraction(0), 1), (Fraction(1, 2), -1)):
        line = (means[0] + sign * means[1]) / 2
        assert abs(lines.get(fraction, 0) - line) <= rounding(2 * 768, 1.0)


def test_the_power_is_the_mean_square():
    layers = [upsim.TransposedConv(3, 4, 7, 3, bias=False), upsim.LeakyReLU(0.2)]
    answer = predicted(layers)
    # Half of a symmetric signal passes, half is scaled by 0.2.
    linear = upsim.predict(answer.stack.upto(1), upsim.WhiteNoise())
    wanted = (1 + 0.2**2) / 2 * linear.noise_power
    # The trapezoid over 2049 points is exact for cosines of fewer than 4096 lags.
    tolerance = rounding(4096, float(wanted.max()))
    assert np.abs(answer.tone_power + answer.noise_power - wanted).max() <= tolerance


# Branches keep the covariance between them.

NEGATIVE = upsim.Conv(2, 2, 1, bias=False, weight=-np.eye(2)[:, :, None])


def rectified_both_ways(layers=()):
    """max(x, 0) - max(-x, 0) = x, by way of two activations in two branches."""
    return upsim.Parallel(
        (*layers, upsim.ReLU()), (*layers, NEGATIVE, upsim.ReLU(), NEGATIVE), merge="sum"
    )


@pytest.mark.parametrize(
    ("front", "inner"),
    [
        ([upsim.TransposedConv(2, 2, 5, 2)], ()),
        ([upsim.Linear(2, "triangle")], (upsim.Conv(2, 2, 4, 2, padding=1),)),
        ([upsim.Nearest(3)], (upsim.TransposedConv(2, 2, 4, 2, bias=False),)),
    ],
    ids=["wire", "down", "up"],
)
def test_two_halves_of_a_signal_add_up_to_it(front, inner):
    rng = np.random.default_rng(8)
    front, inner = [[layer.draw(rng) for layer in layers] for layers in (front, inner)]
    back = upsim.TransposedConv(2, 1, 3, 2).draw(rng)
    signal = upsim.Constant(0.3) + upsim.WhiteNoise([1.0, 0.5])
    split = upsim.Stack([*front, rectified_both_ways(inner), back], RATE)
    plain = upsim.Stack([*front, *inner, back], RATE)
    made, wanted = (upsim.predict(stack, signal) for stack in (split, plain))
    slack = (ACCURACY + rounding(1000, 1.0)) * float(wanted.psd.max()) * 64
    assert np.abs(made.psd - wanted.psd).max() <= slack
    for one, other in zip(made.tones, wanted.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(1000, 1.0)


def test_branches_taken_as_independent_would_be_found():
    # Var max(x, 0) + Var max(-x, 0) = 1 - 1/pi; their covariance, 1 / (2 pi) each way, is the rest.
    made = predicted([rectified_both_ways()])
    assert np.abs(made.noise_power - 1).max() <= rounding(4096, 1.0)


def test_a_skip_connection_over_an_activation():
    # x + max(x, 0): variance 1 + (1/2 - 1/(2 pi)) + 2 / 2.
    made = predicted([upsim.Residual(upsim.ReLU())])
    assert abs(made.noise_power[0] - (2.5 - 1 / (2 * np.pi))) <= rounding(4096, 2.5)


def test_branches_of_different_rates_and_a_skip():
    inner = (upsim.Conv(2, 2, 4, 2, padding=1), rectified_both_ways(), upsim.Nearest(2))
    rng = np.random.default_rng(2)
    inner = tuple(layer.draw(rng) for layer in inner)
    made = predicted([upsim.Residual(*inner)])
    wanted = predicted([upsim.Residual(inner[0], inner[2])])
    slack = (ACCURACY + rounding(1000, 1.0)) * float(wanted.psd.max()) * 64
    assert np.abs(made.psd - wanted.psd).max() <= slack


def test_concatenated_branches():
    both = upsim.Parallel((upsim.ReLU(),), (), merge="concatenate")
    half = upsim.Conv(2, 1, 1, bias=False, weight=np.array([[[2.0], [-1.0]]]))
    # 2 max(x, 0) - x = |x|: variance 1 - 2 / pi.
    made = predicted([both, half])
    assert abs(made.noise_power[0] - (1 - 2 / np.pi)) <= rounding(4096, 4.0)


# Limits.


def test_without_noise_it_is_the_exact_regime():
    constant = upsim.Constant(1.0)
    made, wanted = deep(constant + upsim.WhiteNoise(0.0)), deep(constant)
    assert float(np.abs(made.psd).max()) == 0.0
    for one, other in zip(made.tones, wanted.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(500, 1.0)
        assert one.cause == other.cause


@pytest.mark.parametrize(
    "signal",
    [upsim.WhiteNoise([1.0, 2.0]), upsim.Density([0, 500, 1000], [1e-3, 2e-3, 0])],
    ids=["white", "coloured"],
)
def test_the_covariances_of_a_linear_stack_give_its_exact_density(signal):
    stack = upsim.Stack([upsim.TransposedConv(2, 3, 8, 4), upsim.Conv(3, 1, 4, 2)], 4000).draw(5)
    exact = upsim.predict(stack, signal, frequencies=4097)
    closed = upsim.predict(
        stack.replace(layers=[*stack, upsim.LeakyReLU(1.0)]), signal, frequencies=4097
    )
    # Coloured noise is cut to 256 lags, and says how much is missing of its root mean square.
    found = [re.search(r"leaves out ([\d.e-]+) %", line) for line in closed.assumptions]
    missing = max([float(hit[1]) / 100 for hit in found if hit], default=0.0)
    # Two input frequencies meet in each output frequency; percentages are rounded to two digits.
    flat = upsim.Density([0, 1000], [1.0, 1.0])
    gain = float(upsim.predict(stack, flat, frequencies=4097).psd.max())
    levels = np.interp(np.linspace(0, 1000, 4001), [0, 500, 1000], [1e-3, 2e-3, 0])
    slack = 1.05 * missing * np.sqrt(2 * np.mean(levels**2)) * gain
    error = np.sqrt(np.mean((closed.psd - exact.psd) ** 2))
    assert error <= slack + rounding(4000, 1.0) * float(exact.psd.max())


def test_deeper_stacks_say_that_they_are_closed():
    assert any("Gaussian closure" in line for line in deep().assumptions)
    assert not any("exact" in line for line in deep().assumptions)


def test_a_small_budget_takes_channels_as_independent_and_says_so():
    layers = [upsim.TransposedConv(8, 16, 8, 4), upsim.ReLU(), upsim.TransposedConv(16, 1, 4, 2)]
    assert not any("independent" in line for line in predicted(layers).assumptions)
    with per_channel_only():
        made = upsim.predict(upsim.Stack(layers, RATE).draw(0), upsim.WhiteNoise())
    assert any("taken as independent" in line for line in made.assumptions)
    with pytest.raises(TooLargeError, match="would need"):
        predicted(layers, memory=1000)
    with pytest.raises(ArgumentError, match="memory must be positive"):
        predicted(layers, memory=0)


def test_what_is_refused():
    recorded = upsim.Recorded(np.ones(16), RATE) + upsim.WhiteNoise()
    with pytest.raises(NotPredictableError, match="a recording and noise together") as refusal:
        predicted([upsim.ReLU()], recorded)
    assert "predict the recording alone" in str(refusal.value)
    with pytest.raises(NotPredictableError, match="no random part"):
        predicted([upsim.ReLU()]).cyclic_density(1)


def test_terms_where_branches_merge_are_those_of_the_longest_way():
    """Products and additions of one sample, counted by hand: what its rounding bound counts."""
    front = upsim.TransposedConv(2, 4, 6, 3, bias=False)
    short, long = upsim.Conv(4, 4, 3, padding=1), upsim.Conv(4, 4, 5, padding=2)
    layers = [front, upsim.Parallel((short,), (long, short), merge="sum"), upsim.Conv(4, 1, 1)]
    stack = upsim.Stack(layers, RATE).draw(0)
    starts = starting_moments(stack, [upsim.WhiteNoise()], provenance=False)
    place = propagate(stack, starts).end.place
    # A sum of n products, and one more rounding a layer; two branches are one addition.
    way = [2 * 6 + 1, 4 * 5 + 1, 4 * 3 + 1, 1, 4 * 1 + 1]
    assert place.terms == sum(way)


def test_noise_goes_through_any_depth():
    """A thousand wires, and thirty skips in a row: E max(z, 0) = sigma / sqrt(2 pi)."""
    wire = upsim.Conv(1, 1, 1, bias=False, weight=np.ones((1, 1, 1)))
    half = upsim.Residual(upsim.Conv(1, 1, 1, bias=False, weight=np.ones((1, 1, 1))))
    for layers, power in (([wire] * 1000, 1.0), ([half] * 30, 4.0**30)):
        stack = upsim.Stack([*layers, upsim.ReLU()], RATE)
        answer = upsim.predict(stack, upsim.WhiteNoise(), frequencies=3)
        (tone,) = answer.tones
        # Each wire is a product, and each sum one more.
        bound = rounding(2 * 1000 + 64, float(np.sqrt(power)))
        assert abs(tone.amplitude[0] - np.sqrt(power / (2 * np.pi))) <= bound
        again = upsim.predict(upsim.Stack([*layers, upsim.ReLU()] * 2, RATE), upsim.WhiteNoise())
        assert any(line.startswith("closure error") for line in again.assumptions)
