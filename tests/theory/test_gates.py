"""Noise through gates: against integrals over both halves, identities, and long runs."""

import numpy as np
import pytest
from scipy.signal import get_window, welch

import upsim
from theory.per_channel import per_channel_only, record_at_end
from upsim.errors import NotPredictableError
from upsim.gaussian import SIGMOID, gated_moments
from upsim.neural import run
from upsim.theory.moments import StationaryMoments, gates
from upsim.theory.moments.covariance import Covariance
from upsim.theory.moments.pointwise import ACCURACY
from upsim.theory.moments.propagation import propagate, starting_moments
from upsim.words.tolerance import rounding, sampling

RATE = 16000
SIGNAL = upsim.Constant(0.5) + upsim.WhiteNoise([1.0, 0.5])
NODES = 80


def logistic(x):
    return 1 / (1 + np.exp(-x))


def place_after(stack, signal, number, **arguments):
    start = starting_moments(stack, [signal], provenance=True, **arguments)
    found = propagate(stack, start).values[stack.ends[number]]
    assert isinstance(found, StationaryMoments)
    return found


def integral(mean, joint):
    """Return E y, E y y' for (a, b, a', b'), by Gauss-Hermite over b and b' and a, a' given them.

    Given b and b', a and a' are Gaussian with means linear in them; nothing of the Stein form or
    of a series is used.
    """
    from scipy.special import roots_hermitenorm

    z, weight = roots_hermitenorm(NODES)
    weight = weight / weight.sum()
    gate, carrier = [1, 3], [0, 2]
    within = joint[np.ix_(gate, gate)]
    gain = joint[np.ix_(carrier, gate)] @ np.linalg.pinv(within)
    left = joint[np.ix_(carrier, carrier)] - gain @ joint[np.ix_(gate, carrier)]
    values, vectors = np.linalg.eigh(within)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    shifts = np.einsum("ij,jmn->imn", root, np.stack(np.meshgrid(z, z, indexing="ij")))
    opened = [logistic(mean[1] + shifts[0]), logistic(mean[3] + shifts[1])]
    moved = np.einsum("ij,jmn->imn", gain, shifts)
    carried = [mean[0] + moved[0], mean[2] + moved[1]]
    chance = weight[:, None] * weight
    product = (carried[0] * carried[1] + left[0, 1]) * opened[0] * opened[1]
    return np.sum(chance * carried[0] * opened[0]), np.sum(chance * product)


def scheme(deviation, size):
    """Return what the rule misses: poles at +-i pi / deviation, as in test_gated."""
    missed = np.exp(-2 * np.sqrt(2 * NODES) * np.pi / deviation)
    return (missed + rounding(4 * NODES**2, 1.0)) * size


def small_stack():
    return upsim.Stack(
        [
            upsim.TransposedConv(2, 4, 5, 2),
            upsim.GLU(),
            upsim.TransposedConv(2, 1, 3, 2),
        ],
        RATE,
    ).draw(4)


def by_integrals(stack, length=24, middle=20, reach=6):
    """Return E y[c, p] and E y[c, p] y[c', p + d] behind the gate, and what the rule misses."""
    matrix = stack[0].operator(2).matrix(length).toarray()
    power = np.kron(np.diag([1.0, 0.5]), np.eye(length))
    samples = stack[0].output_length(length)
    joint = (matrix @ power @ matrix.T).reshape(4, samples, 4, samples)
    given = upsim.predict(stack.upto(1), upsim.Constant(0.5))
    mean = np.zeros((4, 2))
    for tone in given.tones:
        mean += (
            tone.amplitude[:, None] * np.exp(2j * np.pi * float(tone.fraction) * np.arange(2))
        ).real
    means, products = np.zeros((2, 2)), np.zeros((2, 2 * reach + 1, 2, 2))
    for p, d, c, e in np.ndindex(2, 2 * reach + 1, 2, 2):
        here, there = middle + p, middle + p + d - reach
        rows = [(c, here), (c + 2, here), (e, there), (e + 2, there)]
        four = np.array([[joint[*one, *two] for two in rows] for one in rows])
        at = [mean[channel, sample % 2] for channel, sample in rows]
        means[p, c], products[p, d, c, e] = integral(at, four)
    largest = float(np.sqrt(joint[:, middle, :, middle].max()))
    return means, products, scheme(largest, (np.abs(mean).max() + largest) ** 2)


def test_one_gate_is_exact():
    stack = small_stack()
    found = place_after(stack, SIGNAL, 2)
    assert "exact after one activation" in found.assumptions[0]
    means, products, missed = by_integrals(stack)
    assert np.abs(found.mean.period.T - means).max() <= missed + found.mean.error.max()
    own, reach = found.place.covariance, products.shape[1] // 2
    for lag in range(-reach, reach + 1):
        later = means[(np.arange(2) + lag) % 2]
        wanted = products[:, lag + reach] - means[:, :, None] * later[:, None, :]
        assert np.abs(own.lagged(lag) - wanted).max() <= 3 * missed + ACCURACY


def test_the_stack_behind_the_gate_is_exact():
    stack = small_stack()
    means, products, missed = by_integrals(stack)
    # The gate's output as a finite signal in the steady state, and the last layer's finite map.
    count, reach = 32, products.shape[1] // 2
    joint = np.zeros((2, count, 2, count))
    for n in range(count):
        for m in range(max(0, n - reach), min(count, n + reach + 1)):
            product = products[n % 2, m - n + reach]
            joint[:, n, :, m] = product - np.outer(means[n % 2], means[m % 2])
    last = stack[2].operator(2)
    matrix = last.matrix(count).toarray()
    after = matrix @ joint.reshape(2 * count, -1) @ matrix.T
    middle, far = len(after) // 2 // 4 * 4, 12
    averaged = np.array(
        [
            np.mean([after[middle + p, middle + p + d] for p in range(4)])
            for d in range(-far, far + 1)
        ]
    )
    answer = upsim.predict(stack, SIGNAL, frequencies=33)
    waves = np.cos(2 * np.pi * np.outer(answer.frequencies / RATE, np.arange(-far, far + 1)))
    gain = last.largest_gain() ** 2
    slack = 2 / RATE * (2 * far + 1) * gain * (3 * missed + ACCURACY)
    assert np.abs(answer.psd[0] - 2 / RATE * waves @ averaged).max() <= slack
    line = np.fft.fft(last.periodic(means.T)[0] + last.offset[0]) / 4
    for tone in answer.tones:
        k = int(tone.fraction * 4)
        assert abs(tone.amplitude[0] - line[k]) <= last.largest_gain() * 3 * missed
    total = [sum(share.amplitude for share in tone.contributions) for tone in answer.tones]
    for tone, added in zip(answer.tones, total, strict=True):
        assert np.abs(added - tone.amplitude).max() <= rounding(500, 1.0)
    assert any(share.cause == "modulation" for share in answer.tones[1].contributions)


def test_halves_taken_as_independent_would_be_found(monkeypatch):
    monkeypatch.setattr(gates.GatedMoments, "lean", property(lambda m: np.zeros(m.shape)))
    found = place_after(small_stack(), SIGNAL, 2).place.covariance
    means, products, missed = by_integrals(small_stack())
    wanted = products[:, products.shape[1] // 2 + 1] - means[:, :, None] * means[::-1][:, None, :]
    assert np.abs(found.lagged(1) - wanted).max() > 1e6 * (3 * missed + ACCURACY)


# Identities that need no integral.


def wire(matrix):
    """Return a layer of one tap with these weights."""
    weight = np.asarray(matrix, dtype=float)[:, :, None]
    return upsim.Conv(weight.shape[1], weight.shape[0], 1, bias=False, weight=weight)


def slack(answer, terms=1000):
    """Return what the series may leave out, and rounding, of a density made of three parts."""
    return (ACCURACY + rounding(terms, 1.0)) * 64 * float(answer.psd.max())


FRONT = upsim.TransposedConv(2, 2, 5, 2)


def test_a_gate_that_opens_itself_is_silu():
    double = wire([[1, 0], [0, 1], [1, 0], [0, 1]])
    layers = [FRONT, upsim.TransposedConv(2, 1, 3, 2)]
    front, back = (layer.draw(np.random.default_rng(n)) for n, layer in enumerate(layers))
    gated = upsim.predict(upsim.Stack([front, double, upsim.GLU(), back], RATE), SIGNAL)
    plain = upsim.predict(upsim.Stack([front, upsim.SiLU(), back], RATE), SIGNAL)
    assert np.abs(gated.psd - plain.psd).max() <= slack(plain)
    assert [tone.fraction for tone in gated.tones] == [tone.fraction for tone in plain.tones]
    for one, other in zip(gated.tones, plain.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(5000, 1.0)


def test_open_and_closed_gates_add_up_to_the_carrier():
    # a sigma(b) + a sigma(-b) = a, by way of two gates in two branches.
    front = upsim.TransposedConv(2, 4, 5, 2).draw(np.random.default_rng(1))
    turned = wire(np.diag([1, 1, -1, -1]))
    stack = upsim.Stack([front, upsim.Parallel(upsim.GLU(), (turned, upsim.GLU()))], RATE)
    carrier = upsim.Stack([front, wire(np.eye(4)[:2])], RATE)
    made, wanted = (upsim.predict(each, SIGNAL) for each in (stack, carrier))
    assert np.abs(made.psd - wanted.psd).max() <= slack(wanted)
    for one, other in zip(made.tones, wanted.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(5000, 1.0)


@pytest.mark.parametrize("order", [0, 1], ids=["gates first", "gates last"])
def test_a_gate_beside_an_activation(order):
    # (b + c) sigma(b) - c sigma(b) - silu(b) = 0, three branches of three kinds.
    front = FRONT.draw(np.random.default_rng(5))
    parts = [
        (wire([[1, 1], [1, 0]]), upsim.GLU()),
        (wire([[0, -1], [1, 0]]), upsim.GLU()),
        (wire([[1, 0]]), upsim.SiLU(), wire([[-1]])),
    ]
    stack = upsim.Stack([front, upsim.Parallel(*(parts[::-1] if order else parts))], RATE)
    made = upsim.predict(stack, SIGNAL)
    scale = upsim.predict(upsim.Stack([front], RATE), SIGNAL)
    assert float(np.abs(made.psd).max()) <= slack(scale)
    assert all(np.abs(tone.amplitude).max() <= rounding(10000, 1.0) for tone in made.tones)


def test_a_skip_over_a_gate():
    # Var(a + a sigma(b)) for independent halves of power 1: 1 + E sigma^2 + 2 E sigma.
    layers = [wire([[1, 0], [0, 1]]), upsim.Parallel(upsim.GLU(), wire([[1, 0]]))]
    made = upsim.predict(upsim.Stack(layers, RATE), upsim.WhiteNoise())
    square = SIGMOID.square.moments(0.0, 1.0).mean
    assert abs(made.noise_power[0] - (1 + float(square) + 2 * 0.5)) <= rounding(4096, 4.0)


def test_wide_gates_are_left_to_sums_over_what_is_common():
    # Deviations of 12: the series of 80 terms does not end, and pairs are close.
    moments = gated_moments(
        *np.array([[0.5], [2.0], [-1.0], [12.0]])[:, None], order=gates.ORDER + 1
    )
    # Two samples whose halves have correlations of 0.99.
    near = Covariance(np.diag([3.96, 142.56])[None, None], np.zeros(1, dtype=np.intp), 1)
    made = gates.gates_mapped(near, moments, moments, same=False)
    # The carriers are independent of the gates, so an integral over what b and b' have in common
    # and one over what each has of its own are left: Gauss-Legendre, 40 panels of 60 nodes, each
    # 0.4 deviations long; steps of width 1 in 12 have their poles at 0.26 deviations.
    common, own = np.sqrt(142.56), np.sqrt(144 - 142.56)
    nodes, heights = np.polynomial.legendre.leggauss(60)
    points = (np.arange(-19.5, 20)[:, None] * 0.4 + 0.2 * nodes).ravel()
    chance = np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi) * np.tile(0.2 * heights, 40)
    opened = logistic(-1.0 + common * points[:, None] + own * points) @ chance
    both, one = chance @ opened**2, chance @ opened
    wanted = (0.25 + 3.96) * both - (0.5 * one) ** 2
    # What is beyond 8 deviations is 1e-15; the rest is rounding of sums of positive terms.
    assert abs(made.values[0, 0, 0, 0] - wanted) <= 5 * (1.3e-15 + rounding(4800, 1.0))


def test_a_wide_gate_beside_an_activation_is_refused():
    front = wire(np.diag([1.0, 20.0]))
    both = upsim.Parallel(upsim.GLU(), (wire([[0, 1]]), upsim.ReLU()))
    with pytest.raises(NotPredictableError, match="no series that ends") as refusal:
        upsim.predict(upsim.Stack([front, both], RATE), upsim.WhiteNoise())
    assert "deviation of 20" in str(refusal.value)


# Long runs.


@pytest.mark.slow
def test_a_gate_against_a_long_run():
    stack, segment, count = small_stack(), 128, 2**21
    answer = upsim.predict(stack, SIGNAL, frequencies=segment // 2 + 1)
    rng = np.random.default_rng(3)
    noise = 0.5 + np.sqrt([[1.0], [0.5]]) * rng.standard_normal((1, 2, count))
    made = run(stack, noise, dtype=np.float64)[0, 0, 32 : 4 * (count - 16)]
    mean = made.reshape(-1, 4).mean(axis=0)
    level = np.interp([t.frequency for t in answer.tones], answer.frequencies, answer.psd[0])
    for tone, density in zip(answer.tones, level * RATE / 2, strict=True):
        found = np.fft.fft(mean)[int(tone.fraction * 4)] / 4
        # The average of T samples has the variance S / T, S two-sided per sample.
        assert abs(found - tone.amplitude[0]) <= sampling(float(np.sqrt(density)), made.size)
    rest = made - np.tile(mean, made.size // 4)
    power = welch(rest, RATE, nperseg=segment, detrend=False)[1]
    # What Welch's window makes of the density: its autocorrelation times that of the window.
    window = get_window("hann", segment)
    lags = np.fft.irfft(answer.psd[0], segment)[: segment // 2 + 1]
    kept = np.correlate(window, window, "full")[segment - 1 :][: segment // 2 + 1]
    sided = lags * kept / kept[0]
    wanted = np.fft.rfft(np.r_[sided, sided[1:-1][::-1]]).real
    # Half-overlapping Hann segments: the variance of the average is 1.06 / segments.
    segments = 2 * rest.size // segment
    inner = slice(1, -1)
    error = np.abs(power[inner] / wanted[inner] - 1).max()
    assert error <= sampling(np.sqrt(1.06), segments)


# Channels taken as independent.


def apart(stack, signal=SIGNAL):
    """Return predictions with all pairs, and with independent channels; and their power."""
    with per_channel_only():
        found = upsim.predict(stack, signal)
        power = record_at_end(stack, signal).noise_power()
    assert found.psd is None
    return upsim.predict(stack, signal, frequencies=65), found, power


@pytest.mark.parametrize("middle", [(), (upsim.Crop(1, 2), upsim.BatchNorm(8))], ids=["", "behind"])
def test_independent_channels_keep_the_pair(middle):
    # Behind white channels nothing is lost but what channels of one layer have in common, and of
    # that a gate needs only what its own halves have.
    layers = [upsim.TransposedConv(2, 8, 6, 2), *middle, upsim.GLU()]
    full, independent, power = apart(upsim.Stack(layers, RATE).draw(2))
    assert any("taken as independent" in line for line in independent.assumptions)
    assert np.abs(full.noise_power - power).max() <= slack(full) * RATE
    assert len(full.tones) == len(independent.tones) == 2
    for one, other in zip(full.tones, independent.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(500, 4.0)


def test_gates_in_branches_of_independent_channels_share_what_acts_on_each():
    # a sigma(b) twice, in two branches: four times its power, and nothing is left of a difference.
    front = upsim.TransposedConv(2, 8, 6, 2)
    alone = upsim.Stack([front, upsim.GLU()], RATE).draw(2)
    both = upsim.Parallel((upsim.GLU(),), (upsim.GLU(),), merge="mean")
    _, mean, _ = apart(alone.replace(layers=[alone[0], both]))
    single = upsim.predict(alone, SIGNAL, frequencies=65)
    assert any("taken as independent" in line for line in mean.assumptions)
    for one, other in zip(mean.tones, single.tones, strict=True):
        assert np.abs(one.amplitude - other.amplitude).max() <= rounding(500, 4.0)
