"""Noise whose channels go together: its covariance reaches the output."""

from fractions import Fraction

import numpy as np
import pytest

import upsim
from upsim import Conv, Density, LeakyReLU, Stack, TransposedConv, WhiteNoise
from upsim.errors import ArgumentError, NotPredictableError, ShapeError
from upsim.files.signalfile import signal_from_dict, signal_to_dict
from upsim.network.draws import Draws
from upsim.words.tolerance import rounding, sampling

COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 2.0, -0.5], [0.0, -0.5, 0.5]])
SHAPE = Density([0.0, 500.0, 1000.0], [3.0, 1.0, 0.5], covariance=COVARIANCE)


def layers() -> list:
    return [Conv(3, 3, 3, padding=1), TransposedConv(3, 1, 8, 4, padding=2)]


def test_a_linear_density_is_that_of_the_mixing_as_a_layer():
    stack = Stack(layers(), 8000).draw(0)
    # By hand: independent channels pass a layer of Cholesky's root.
    root = np.linalg.cholesky(COVARIANCE)[:, :, None]
    mixed = Stack([Conv(3, 3, 1, weight=root, bias=False), *[p.layer for p in stack.parts]], 8000)
    plain = Density([0.0, 500.0, 1000.0], [3.0, 1.0, 0.5])
    one = upsim.predict(stack, SHAPE, frequencies=65)
    other = upsim.predict(mixed, plain, frequencies=65)
    assert np.allclose(one.psd, other.psd, rtol=rounding(2**8, 1.0), atol=0)
    assert np.allclose(one.noise_power, other.noise_power, rtol=rounding(2**8, 1.0))
    apart = upsim.predict(stack, Density([0.0, 500.0, 1000.0], [3.0, 1.0, 0.5]), frequencies=65)
    assert not np.allclose(one.psd, apart.psd, rtol=0.01)


def test_behind_an_activation_it_is_what_is_measured():
    stack = Stack([layers()[0], LeakyReLU(0.1), layers()[1]], 8000).draw(0)
    run = upsim.measure(stack, SHAPE, target_db=0.2)
    for tone in upsim.predict(stack, SHAPE).tones:
        listed = [each for each in run.tones if each.fraction == tone.fraction]
        for each in listed:
            assert np.all(np.abs(each.power - tone.power) < 5 * each.error)


def test_what_is_drawn_has_the_covariance():
    draw = Draws(SHAPE, 3, 256, Fraction(2000))
    runs = np.array([draw(np.random.default_rng(each)) for each in range(400)])
    power = SHAPE.noise_power(3, Fraction(2000)) / np.diag(COVARIANCE)
    products = np.einsum("rct,rdt->rcd", runs, runs) / 256
    scatter = products.std(axis=0)
    assert np.all(
        np.abs(products.mean(axis=0) - COVARIANCE * power[0]) < sampling(1.0, 400) * scatter
    )


def test_a_covariance_is_kept_in_files_and_in_its_repr():
    again = signal_from_dict(signal_to_dict(SHAPE))
    assert again == SHAPE
    assert eval(repr(SHAPE)) == SHAPE


@pytest.mark.parametrize(
    ("covariance", "error"),
    [
        (np.ones((2, 3)), ShapeError),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), ArgumentError),
        (np.array([[1.0, 0.5], [0.0, 1.0]]), ArgumentError),
        (np.array([[np.nan]]), ArgumentError),
        (np.zeros((0, 0)), ShapeError),
    ],
)
def test_a_wrong_covariance_is_refused(covariance, error):
    with pytest.raises(error):
        Density([0.0, 1000.0], [1.0, 1.0], covariance=covariance)


def test_where_it_is_not_known_it_is_refused():
    stack = Stack(layers(), 8000)
    with pytest.raises(NotPredictableError, match="expectation"):
        upsim.predict(stack, SHAPE)
    with pytest.raises(NotPredictableError, match="other noise"):
        upsim.predict(stack.draw(0), SHAPE + WhiteNoise(1.0))
    run = upsim.measure(stack.draw(0), SHAPE + WhiteNoise(1.0), target_db=1.0)
    assert run.psd is not None
    with pytest.raises(ShapeError, match="input channels"):
        upsim.predict(Stack([Conv(2, 1, 3)], 8000).draw(0), SHAPE)
    report = upsim.verify(stack.draw(0), SHAPE)
    assert report.passed
    assert not report.complete
