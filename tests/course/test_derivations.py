"""The derivations of the chapters, step by step, by SymPy."""

import numpy as np
import pytest
import sympy as sp

import upsim

w = sp.Symbol("w")  # z^-1, a delay of one output sample


def polynomial(values):
    """The z-transform of samples 0, 1, 2, ... in w = z^-1."""
    return sum((value * w**n for n, value in enumerate(values)), sp.Integer(0))


def stretched(values, factor):
    found = [sp.Integer(0)] * (len(values) * factor)
    found[::factor] = values
    return found


class TestTheLine:
    """Chapter 0."""

    def test_the_input_rate_is_the_output_rate_over_the_strides_from_there_on(self):
        strides = sp.symbols("s1:5", positive=True, integer=True)
        rate = sp.Symbol("r0", positive=True)
        rates = [rate]
        for stride in strides:
            rates.append(rates[-1] * stride)
        for i in range(4):
            assert sp.simplify(rates[i] - rates[-1] / sp.prod(strides[i:])) == 0

    def test_each_step_of_the_ladder_divides_the_next(self):
        strides = sp.symbols("s1:5", positive=True, integer=True)
        rungs = [1 / sp.prod(strides[i:]) for i in range(4)]
        for i in range(3):
            assert sp.simplify(rungs[i + 1] / rungs[i] - strides[i]) == 0  # a whole number


class TestRateChange:
    """Chapter 1."""

    x = sp.symbols("x0:4")
    h = sp.symbols("h0:7")

    @pytest.mark.parametrize("factor", [2, 3, 5])
    def test_step_2_a_stretch_is_a_power_of_w(self, factor):
        assert (
            sp.expand(polynomial(stretched(self.x, factor)) - polynomial(self.x).subs(w, w**factor))
            == 0
        )

    @pytest.mark.parametrize("factor", [2, 3])
    def test_step_6_the_noble_identity(self, factor):
        before = sp.expand(polynomial(self.h[:3]) * polynomial(self.x)).subs(w, w**factor)
        behind = polynomial(stretched(self.h[:3], factor)) * polynomial(stretched(self.x, factor))
        assert sp.expand(before - behind) == 0

    @pytest.mark.parametrize("factor", [2, 3])
    def test_step_7_each_phase_is_a_filter_of_its_own(self, factor):
        whole = sp.Poly(polynomial(self.h) * polynomial(stretched(self.x, factor)), w)
        for phase in range(factor):
            own = sp.Poly(polynomial(self.h[phase::factor]) * polynomial(self.x), w)
            for m in range(own.degree() + 1):
                taken = whole.coeff_monomial(w ** (m * factor + phase))
                assert sp.expand(taken - own.coeff_monomial(w**m)) == 0

    def test_step_4_a_sine_leaves_as_images_of_one_power(self):
        # A / 2 at +-f0 becomes A / (2 L) in a Fourier series: L times as many samples, same sum.
        A, L = sp.symbols("A L", positive=True)
        assert sp.simplify(2 * (A / 2 / L) ** 2 - A**2 / (2 * L**2)) == 0
        stack = upsim.Stack([upsim.Stretch(3)], 12000)
        powers = [t.power[0] for t in upsim.predict(stack, upsim.Sine(700, amplitude=2.0)).tones]
        np.testing.assert_allclose(powers, float((A**2 / (2 * L**2)).subs({A: 2, L: 3})))


class TestPhaseGains:
    """Chapter 2."""

    @pytest.mark.parametrize(("size", "stride"), [(5, 4), (7, 3), (4, 2)])
    def test_step_4_the_series_of_the_gains_is_the_filter_at_the_images(self, size, stride):
        h = sp.symbols(f"h0:{size}")
        gains = [sum(h[i::stride]) for i in range(stride)]
        for k in range(stride):
            turn = sp.exp(-2 * sp.pi * sp.I * sp.Rational(k, stride))
            series = sum(gain * turn**i for i, gain in enumerate(gains))
            response = sum(tap * turn**n for n, tap in enumerate(h))
            assert sp.simplify(sp.expand(series - response, complex=False)) == 0

    @pytest.mark.parametrize("stride", [2, 3, 4, 5])
    def test_step_5_no_line_means_equal_gains(self, stride):
        gains = sp.symbols(f"g0:{stride}")
        # Real and imaginary parts of each a_k, as equations for the gains.
        equations = [
            sum(gain * part(2 * sp.pi * k * i / stride) for i, gain in enumerate(gains))
            for k in range(1, stride)
            for part in (sp.cos, sp.sin)
        ]
        matrix = sp.Matrix([[sp.nsimplify(e.coeff(g)) for g in gains] for e in equations])
        (direction,) = matrix.nullspace(simplify=True)
        assert all(sp.simplify(entry - direction[0]) == 0 for entry in direction)

    @pytest.mark.parametrize(("size", "stride"), [(8, 4), (6, 3), (7, 4), (2, 2)])
    def test_step_6_the_condition_is_one_equation_less_than_phases(self, size, stride):
        rows = [
            [int(n % stride == i) - int(n % stride == 0) for n in range(size)]
            for i in range(1, stride)
        ]
        assert size - sp.Matrix(rows).rank() == size - stride + 1

    def test_step_5_equal_gains_factor_out_a_hold(self):
        p = sp.symbols("p0:3")
        hold = sum(w**i for i in range(4))
        taps = sp.Poly(polynomial(p) * hold, w).all_coeffs()[::-1]
        gains = [sp.expand(sum(taps[i::4])) for i in range(4)]
        assert {sp.expand(gain - gains[0]) for gain in gains} == {0}

    def test_one_phase_alone_has_all_lines_alike(self):
        L = 4
        for k in range(L):
            amplitude = sp.Rational(1, L) * sp.exp(-2 * sp.pi * sp.I * sp.Rational(k, L) * 0)
            assert amplitude == sp.Rational(1, L)
        stack = upsim.Stack([upsim.TransposedConv(1, 1, 5, 4, bias=False, weight="ones")], 16000)
        _, quarter, half = upsim.predict(stack, upsim.Constant(1.0)).tones
        np.testing.assert_allclose([quarter.power[0], half.power[0]], [2 / L**2, 1 / L**2])
