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


class TestTransposedConvolution:
    """Chapter 3."""

    @pytest.mark.parametrize(("size", "stride"), [(3, 2), (5, 4), (8, 6), (7, 3), (8, 4)])
    def test_step_2_the_geometric_sum(self, size, stride):
        for k in range(1, stride):
            turn = sp.exp(-2 * sp.pi * sp.I * sp.Rational(k, stride))
            total = abs(sp.N(sum(turn**n for n in range(size)), 40)) / size
            closed = abs(sp.sin(sp.pi * sp.Rational(k * size, stride)))
            closed /= size * sp.sin(sp.pi * sp.Rational(k, stride))
            assert abs(sp.N(total - closed, 30)) < sp.Float("1e-25")
            # Step 3: silent exactly where k K / L is whole.
            assert (closed == 0) == (k * size % stride == 0)

    def test_step_4_the_mixed_terms_vanish(self):
        h = sp.symbols("h0:5", real=True)
        variance, angle = sp.symbols("v theta", positive=True)
        response = sum(tap * sp.exp(-sp.I * angle * n) for n, tap in enumerate(h))
        square = sp.expand(response * sp.conjugate(response))
        mean = square
        for tap in h:  # E h_n^2 = v, and E h_n = 0
            mean = sp.expand(mean).subs(tap**2, variance).subs(tap, 0)
        assert sp.simplify(mean - 5 * variance) == 0

    def test_step_6_one_line_beats_the_offset_with_one_over_root_three(self):
        z = sp.Symbol("z", real=True)
        normal = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
        # P(E > Z^2) = E exp(-Z^2) for an exponential E of mean 1.
        chance = sp.integrate(sp.exp(-(z**2)) * normal, (z, -sp.oo, sp.oo))
        assert sp.simplify(chance - 1 / sp.sqrt(3)) == 0

    def test_step_7_the_last_copy_ends_the_output(self):
        n, L, d, K, p = 4, 3, 2, 4, 1
        ends = [m * L + d * (K - 1) for m in range(n)]
        layer = upsim.TransposedConv(1, 1, K, L, padding=p, dilation=d)
        length = upsim.lengths(upsim.Stack([layer], 3000), n).output_length
        assert length == max(ends) + 1 - 2 * p == (n - 1) * L - 2 * p + d * (K - 1) + 1


class TestInterpolation:
    """Chapter 4."""

    @pytest.mark.parametrize("factor", [2, 3, 4])
    def test_step_2_a_triangle_is_a_hold_with_itself(self, factor):
        hold = sum(w**i for i in range(factor))
        triangle = upsim.Linear(factor, "triangle").operator(1).taps[0, 0]
        exact = [sp.nsimplify(tap, rational=True) for tap in triangle]
        assert sp.expand(polynomial(exact) - hold**2 / factor) == 0

    def test_step_3_the_half_pixel_taps_are_a_cube(self):
        taps = [sp.nsimplify(tap) for tap in upsim.Linear(2).operator(1).taps[0, 0]]
        assert sp.expand(polynomial(taps) - (1 + w) ** 3 / 4) == 0

    def test_step_3_for_odd_factors_it_is_the_triangle(self):
        one, other = (
            layer.operator(1).taps for layer in (upsim.Linear(3), upsim.Linear(3, "triangle"))
        )
        np.testing.assert_allclose(np.trim_zeros(one[0, 0]), np.trim_zeros(other[0, 0]))

    def test_step_4_the_limits_are_sinc_and_its_square(self):
        L, u = sp.symbols("L u", positive=True)
        hold = sp.sin(sp.pi * u) / (L * sp.sin(sp.pi * u / L))
        assert sp.simplify(sp.limit(hold, L, sp.oo) - sp.sin(sp.pi * u) / (sp.pi * u)) == 0

    @pytest.mark.parametrize("degree", [1, 2, 3])
    @pytest.mark.parametrize("stride", [2, 3])
    def test_step_5_a_zero_of_higher_order_makes_no_line_of_a_polynomial(self, stride, degree):
        # Input m^degree. Phase i makes a polynomial of m; read at the time t = m + i / L all
        # phases must be one polynomial of t, or the output would repeat its differences.
        t = sp.Symbol("t")
        hold = sum(w**i for i in range(stride))
        taps = sp.Poly(sp.expand(hold ** (degree + 1)), w).all_coeffs()[::-1]
        phases = [
            sum(
                tap * (t - sp.Rational(i, stride) - n) ** degree
                for n, tap in enumerate(taps[i::stride])
            )
            for i in range(stride)
        ]
        assert {sp.expand(phase - phases[0]) for phase in phases} == {0}

    def test_step_5_a_zero_of_first_order_is_not_enough_for_a_slope(self):
        even, odd = upsim.neural.run(upsim.Nearest(2), np.arange(8.0)[None])[0].reshape(-1, 2).T
        assert set(odd - even) == {0.0}  # a slope would have risen by a half

    def test_step_6_the_droop(self):
        L = sp.Symbol("L", positive=True)
        gain = 1 / (L * sp.sin(sp.pi / (2 * L)))
        assert sp.simplify(gain.subs(L, 2) - 1 / sp.sqrt(2)) == 0  # -3.01 dB
        assert sp.limit(gain, L, sp.oo) == 2 / sp.pi  # -3.92 dB


class TestSubpixel:
    """Chapter 5."""

    @pytest.mark.parametrize("factor", [2, 3])
    def test_step_2_filters_that_take_turns_are_one_filter_behind_a_stretch(self, factor):
        p = [sp.symbols(f"p{i}_0:3") for i in range(factor)]
        x = sp.symbols("x0:4")
        apart = [sp.Poly(polynomial(taps) * polynomial(x), w).all_coeffs()[::-1] for taps in p]
        turns = [apart[i][m] for m in range(len(apart[0])) for i in range(factor)]
        joined = [p[i][m] for m in range(3) for i in range(factor)]
        whole = polynomial(joined) * polynomial(stretched(x, factor))
        assert sp.expand(polynomial(turns) - whole) == 0

    def test_step_5_icnr_is_nearest_neighbour_behind_a_convolution(self):
        p = sp.symbols("p0:3")
        joined = [tap for tap in p for _ in range(4)]
        hold = sum(w**i for i in range(4))
        assert sp.expand(polynomial(joined) - polynomial(p).subs(w, w**4) * hold) == 0

    def test_step_4_biases_are_lines_of_silence(self):
        b0, b1 = 0.3, -0.1
        layer = upsim.SubpixelConv(1, 1, 1, 2, bias=[b0, b1], weight=[[[0.0]], [[0.0]]])
        offset, line = upsim.predict(upsim.Stack([layer], 8000), upsim.Silence()).tones
        np.testing.assert_allclose(offset.power[0], ((b0 + b1) / 2) ** 2)
        np.testing.assert_allclose(line.power[0], ((b0 - b1) / 2) ** 2)
