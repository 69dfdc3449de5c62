"""What a stack does whatever is fed to it: replicas, overlap, filtering, boundaries, cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import cos, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import upsim
from theory import by_hand
from upsim.testing.strategies import layers
from upsim.theory.reports.boundaries import boundary_report
from upsim.theory.reports.filtering import filtering_report
from upsim.theory.reports.overlap import overlap_report
from upsim.theory.reports.replicas import find_replicas
from upsim.words.tolerance import rounding


def drawn(layers, rate=16000, seed=0, **named):
    return upsim.Stack(layers, rate, **named).draw(seed)


def bands(stack):
    return [
        (int(r.low), int(r.high), int(r.input_low), int(r.input_high), r.mirrored, r.made_by)
        for r in find_replicas(stack)
    ]


class TestReplicas:
    def test_three_doublings(self):
        stack = upsim.Stack([upsim.Nearest(2)] * 3, 32000)
        # Followed back by hand: 11 kHz is above 8 kHz, so layer 3 mirrored it from 5 kHz; that is
        # above 4 kHz, so layer 2 mirrored it from 3 kHz; that is above 2 kHz, so layer 1 did.
        assert bands(stack) == [
            (0, 2000, 0, 2000, False, ()),
            (2000, 4000, 0, 2000, True, ("1",)),
            (4000, 6000, 0, 2000, False, ("2", "1")),
            (6000, 8000, 0, 2000, True, ("2",)),
            (8000, 10000, 0, 2000, False, ("3", "2")),
            (10000, 12000, 0, 2000, True, ("3", "2", "1")),
            (12000, 14000, 0, 2000, False, ("3", "1")),
            (14000, 16000, 0, 2000, True, ("3",)),
        ]

    def test_a_factor_of_three(self):
        assert bands(upsim.Stack([upsim.Nearest(3)], 6000)) == [
            (0, 1000, 0, 1000, False, ()),
            (1000, 2000, 0, 1000, True, ("1",)),
            (2000, 3000, 0, 1000, False, ("1",)),
        ]

    def test_decimation_folds_the_upper_half_in(self):
        assert bands(upsim.Stack([upsim.Decimate(2)], 1000)) == [
            (0, 500, 0, 500, False, ()),
            (0, 500, 500, 1000, True, ()),
        ]

    @pytest.mark.parametrize("seed", range(3))
    def test_a_sine_lands_where_the_replicas_say(self, seed):
        """A line in a quarter of the input band, and where each band puts it."""
        stack = drawn(
            [upsim.TransposedConv(1, 1, 5, 3), upsim.TransposedConv(1, 1, 3, 2)], 24000, seed
        )
        # 4 kHz in, a band of 2 kHz
        place = 500
        expected = []
        for replica in find_replicas(stack):
            into = place - replica.input_low
            expected.append(replica.high - into if replica.mirrored else replica.low + into)
        prediction = upsim.predict(stack, upsim.Sine(place))
        assert [t.frequency for t in prediction.tones if t.cause == "input"] == expected
        movers = {float(f): r.made_by for f, r in zip(expected, find_replicas(stack), strict=True)}
        for tone in prediction.tones:
            if tone.cause == "input":
                assert tone.layer == (movers[tone.frequency] or ("",))[0]

    def test_gains_are_the_mean_of_the_squared_response_over_the_band(self):
        taps = np.array([0.5, 2.0, -1.0, 0.25])
        layer = upsim.TransposedConv(1, 1, 4, 2, bias=False, weight=taps.reshape(1, 1, 4))
        prediction = upsim.predict(upsim.Stack([layer], 2), upsim.WhiteNoise())
        # Mean of |H|^2 over a band, from the autocorrelation r and its integral in closed form:
        # |H(f)|^2 = r0 + 2 sum_d r_d cos(2 pi f d); output over input density per Hz is / L^2.
        r = [float(taps[: 4 - d] @ taps[d:]) for d in range(4)]
        for replica, (low, high) in zip(
            prediction.replicas, [(0.0, 0.25), (0.25, 0.5)], strict=True
        ):
            middles = low + (np.arange(32) + 0.5) / 32 * (high - low)
            level = r[0] + 2 * sum(r[d] * np.cos(2 * pi * middles * d) for d in (1, 2, 3))
            bound = rounding(16 + 32, np.abs(taps).sum() ** 2 / 4)
            assert abs(replica.gain[0] - level.mean() / 4) <= bound

    def test_no_gains_through_an_activation(self):
        stack = drawn([upsim.TransposedConv(1, 1, 4, 2), upsim.ReLU()])
        replicas = upsim.predict(stack, upsim.Silence()).replicas
        assert [replica.gain for replica in replicas] == [None, None]
        assert [replica.is_image for replica in replicas] == [False, True]

    def test_a_null_on_a_replicas_centre_is_a_loud_difference(self):
        """Nearest x 2 passes the baseband (mean of cos^2) and halves the image (of sin^2)."""
        prediction = upsim.predict(upsim.Stack([upsim.Nearest(2)], 2), upsim.WhiteNoise())
        base, image = (replica.gain[0] for replica in prediction.replicas)
        # |H / 2|^2 = cos^2(pi f): over (0, 1/4) and (1/4, 1/2) the means add up to one.
        assert abs(base + image - 1) <= rounding(64, 1.0)
        assert base > image


class TestOverlapReport:
    @given(
        kernel_size=st.integers(1, 40),
        stride=st.integers(1, 12),
        dilation=st.integers(1, 4),
    )
    def test_counts_and_kind_by_laying_kernels_out(self, kernel_size, stride, dilation):
        counts = [0] * stride
        for k in range(kernel_size):
            counts[k * dilation % stride] += 1
        report = upsim.overlap(kernel_size, stride, dilation=dilation)
        assert list(report.counts) == counts
        if 0 in counts:
            kind = "gaps"
        elif len(set(counts)) > 1:
            kind = "partial"
        else:
            kind = "none" if counts[0] == 1 else "full"
        assert report.kind == kind
        amplitudes = np.abs(np.fft.fft(counts)) / kernel_size
        for line in report.lines:
            k = line.fraction * stride
            # A ratio of two sines: an error of the argument pi k K d / L of one rounding, blown up
            # by at most L / 2 where the sine in the denominator is small; and a DFT of L counts.
            bound = rounding(4 * stride + 8 * kernel_size * dilation, stride)
            assert abs(line.ratio - amplitudes[int(k)]) <= bound

    @given(kernel_size=st.integers(1, 40), stride=st.integers(1, 12))
    def test_all_lines_are_zero_exactly_when_the_stride_divides_the_kernel(
        self, kernel_size, stride
    ):
        report = upsim.overlap(kernel_size, stride)
        divides = kernel_size % stride == 0
        assert all(line.ratio == 0 for line in report.lines) == (divides or stride == 1)
        assert (report.kind in ("none", "full")) == divides

    def test_a_structural_zero_of_a_partial_overlap(self):
        report = upsim.overlap(8, 6)
        assert (report.kind, report.lines[2].ratio) == ("partial", 0.0)

    def test_phase_gains_and_powers_of_given_weights(self):
        layer = upsim.TransposedConv(1, 1, 5, 2, padding=1, bias=False, weight=[[[1, 2, 4, 8, 16]]])
        (report,) = overlap_report(upsim.Stack([layer], 8000))
        # One sample is cut off: the odd taps come first.
        assert report.phase_gains.tolist() == [[[10, 21]]]
        assert report.phase_powers.tolist() == [[[68, 273]]]
        assert report.gain_spread == 11 / 21
        assert (report.layer, report.name) == ("1", "layer 1 (TransposedConv)")

    def test_layers_inside_branches_are_listed(self):
        stack = drawn(
            [upsim.Residual(upsim.Conv(1, 1, 4, 2, 1), upsim.TransposedConv(1, 1, 4, 2, 1))]
        )
        assert [each.layer for each in overlap_report(stack)] == ["1.1.2"]


class TestFiltering:
    @pytest.mark.parametrize("factor", [2, 3, 4, 5])
    @pytest.mark.parametrize(
        ("make", "multiplicity"),
        [
            (upsim.Nearest, 1),
            (lambda factor: upsim.Linear(factor, "triangle"), 2),
        ],
    )
    def test_nulls_of_interpolators(self, make, multiplicity, factor):
        (report,) = filtering_report(upsim.Stack([make(factor)], 1000 * factor))
        places = [Fraction(k, factor) for k in range(1, factor // 2 + 1)]
        assert [null.fraction for null in report.nulls] == places
        assert [null.frequency for null in report.nulls] == [p * 1000 * factor for p in places]
        assert {null.multiplicity for null in report.nulls} == {multiplicity}
        assert report.old_nyquist == 500

    def test_half_pixel_linear_has_three_at_nyquist_for_two_and_two_elsewhere(self):
        # (1/4, 3/4, 3/4, 1/4) = (1 + z)^3 / 4; for L = 4 Nyquist is k = 2.
        (double,) = filtering_report(upsim.Stack([upsim.Linear(2)], 2))
        assert [null.multiplicity for null in double.nulls] == [3]
        (triple,) = filtering_report(upsim.Stack([upsim.Linear(3)], 3))
        assert [null.multiplicity for null in triple.nulls] == [2]

    @pytest.mark.parametrize("order", [1, 2, 3, 5])
    def test_a_hold_of_order_d_has_zeros_of_multiplicity_d(self, order):
        """Kinoshita & Kiya: as a transposed convolution with the taps of d boxes."""
        taps = np.array([1.0])
        for _ in range(order):
            taps = np.convolve(taps, np.ones(3))
        layer = upsim.TransposedConv(1, 1, taps.size, 3, bias=False, weight=taps.reshape(1, 1, -1))
        (report,) = filtering_report(upsim.Stack([layer], 3))
        assert [null.multiplicity for null in report.nulls] == [order]

    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_the_hold_layer_behind_a_stretch_does_the_same(self, order):
        folded = upsim.fold(upsim.Stack([upsim.Stretch(4), upsim.Hold(4, order)], 4))
        from upsim.theory.reports.filtering import nulls

        found = nulls(folded.stretch_fir(), Fraction(4))
        assert [null.multiplicity for null in found] == [order, order]

    @pytest.mark.parametrize("order", [1, 2, 3])
    def test_polynomials_of_lower_degree_leave_no_replica(self, order):
        """Strang-Fix, in time: n^r in, a polynomial out, so its (r + 1)-th difference vanishes."""
        stack = upsim.Stack([upsim.Stretch(3), upsim.Hold(3, order)], 3)
        n = np.arange(-32, 32, dtype=float)
        for degree in range(order):
            made = upsim.finite_matrix(stack, n.size) @ n**degree
            middle = made[60:132]
            differences = np.diff(middle, degree + 1)
            bound = rounding(4 * order * 3 + 4, 32.0**degree * 2 ** (degree + 1))
            assert np.abs(differences).max() <= bound

    def test_cubic_has_an_even_kernel_so_three_at_nyquist(self):
        # Keys' kernel reproduces lines at least; sampled between the grid points for L = 2.
        from upsim.operators import kernels

        taps, _ = kernels.half_pixel(2, "cubic", Fraction(-3, 4))
        multiplicity = 0
        while sum((-1) ** n * tap * n**multiplicity for n, tap in enumerate(taps)) == 0:
            multiplicity += 1
        (report,) = filtering_report(upsim.Stack([upsim.Cubic(2)], 2))
        assert [null.multiplicity for null in report.nulls] == [multiplicity]

    def test_random_weights_have_none(self):
        assert filtering_report(drawn([upsim.TransposedConv(1, 1, 8, 2)]))[0].nulls == ()

    def test_droop_of_given_taps(self):
        layer = upsim.TransposedConv(1, 1, 3, 2, bias=False, weight=[[[1.0, 2.0, 1.0]]])
        (report,) = filtering_report(upsim.Stack([layer], 2))
        # H = 2 + 2 cos(w) at w = pi / 2 and at 0
        expected = 20 * np.log10((2 + 2 * cos(pi / 2)) / 4)
        assert abs(report.droop - expected) <= rounding(16, 10.0)


CHAINS = st.lists(
    st.one_of(
        st.builds(
            lambda k, s, p, d: upsim.TransposedConv(1, 1, k, s, min(p, k // 2), dilation=d),
            st.integers(1, 7), st.integers(1, 4), st.integers(0, 2), st.integers(1, 2),
        ),
        st.builds(
            lambda k, s, d: upsim.Conv(1, 1, k, s, k // 2, d),
            st.integers(1, 5), st.integers(1, 3), st.integers(1, 2),
        ),
        st.builds(upsim.Nearest, st.integers(1, 3)),
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def positive(layers):
    """Give every layer all-ones taps: nothing cancels, so each input that is seen is felt."""
    made = []
    for layer in layers:
        if isinstance(layer, upsim.Nearest):
            made.append(layer)
        else:
            ones = np.ones((1, 1, layer.kernel_size))
            made.append(type(layer)(**{**layer.to_fields(), "weight": ones, "bias": False}))
    return upsim.Stack(made, 48000)


def leaves_gaps(layer):
    if not isinstance(layer, upsim.TransposedConv):
        return False
    phases = {k * layer.dilation % layer.stride for k in range(layer.kernel_size)}
    return len(phases) < layer.stride


def is_dilated(layer):
    return getattr(layer, "dilation", 1) > 1 and layer.kernel_size > 1


class TestBoundaries:
    @given(layers=CHAINS)
    def test_transients_are_where_a_finite_signal_differs_from_an_endless_one(self, layers):
        """The endless signal's middle is cut out of a run with as many samples on either side."""
        stack = positive(layers)
        down = by_hand.ups_and_downs(stack)[1]
        length = 36 * down
        made = by_hand.run(stack, np.ones((1, length)))
        report = boundary_report(stack, length)
        assert report.output_length == made.shape[1]
        endless = by_hand.run(stack, np.ones((1, 3 * length)))
        start = int(length * stack.rate)
        differs = np.flatnonzero(made[0] != endless[0, start : start + made.shape[1]])
        # All numbers are small whole numbers, so equal is equal.
        last = report.transients[-1]
        middle = made.shape[1] // 2
        left = differs[differs < middle]
        right = differs[differs >= middle]
        measured = (
            left[-1] + 1 if left.size else 0, made.shape[1] - right[0] if right.size else 0
        )  # fmt: skip
        assert last.left >= measured[0]
        assert last.right >= measured[1]
        # A kernel that leaves phases empty makes zeros, and a dilated one leaves steady samples
        # between unsteady ones; both are counted as unsteady.  Elsewhere the report is sharp.
        if not any(leaves_gaps(layer) or is_dilated(layer) for layer in layers):
            assert (last.left, last.right) == measured

    @given(data=st.data())
    def test_open_weights_have_the_boundaries_of_drawn_ones(self, data):
        names = ["Conv", "TransposedConv", "SubpixelConv", "LearnedInterpolation"]
        layer = data.draw(layers(names=names, channels=2))
        changes = {"weight": "torch"} | ({"bias": True} if hasattr(layer, "bias") else {})
        stack = upsim.Stack([replace(layer, **changes)], 8000, in_channels=2)
        assert not stack.is_drawn
        # A dilated kernel of the catalogue reaches 13 samples.
        length = data.draw(st.integers(13, 40))
        assert boundary_report(stack, length) == boundary_report(stack.draw(0), length)

    def test_seconds(self):
        stack = positive([upsim.TransposedConv(1, 1, 6, 2)])
        (transient,) = boundary_report(stack, 50).transients
        assert (transient.left, transient.right) == (4, 4)
        assert transient.left_seconds == 4 / 48000

    @pytest.mark.parametrize(
        ("kernel_size", "stride", "expected"),
        [
            # Seed figures 3, 4 and 5, row 3: ones through kernels of ones.
            (3, 2, [1, 1, 2, 1, 2, 1, 2, 1, 1]),
            (3, 1, [1, 2, 3, 3, 2, 1]),
            (4, 2, [1, 1, 2, 2, 2, 2, 2, 2, 1, 1]),
        ],
    )
    def test_coverage_is_what_ones_through_ones_make(self, kernel_size, stride, expected):
        layer = upsim.TransposedConv(1, 1, kernel_size, stride, bias=False, weight="ones")
        operator = upsim.Stack([layer], 1000).draw(0)[0].operator(1)
        found = upsim.coverage(operator, 4)
        assert found.tolist() == expected

    def test_coverage_of_no_overlap_is_flat(self):
        # Seed figure 2: length = stride = 3.
        layer = upsim.TransposedConv(1, 1, 3, 3)
        operator = drawn([layer])[0].operator(1)
        assert upsim.coverage(operator, 4).tolist() == [1] * 12

    def test_deficits_compound(self):
        one = boundary_report(positive([upsim.TransposedConv(1, 1, 4, 2, 2)]), 100)
        three = boundary_report(positive([upsim.TransposedConv(1, 1, 4, 2, 2)] * 3), 100)
        # n -> 2 n - 2 each time: 2, then 2 * 2 + 2, then 2 * 6 + 2
        assert (one.deficit, three.deficit) == (2, 14)


class TestCost:
    def test_by_hand(self):
        stack = upsim.Stack(
            [
                upsim.Conv(80, 512, 7, padding=3),
                upsim.LeakyReLU(0.2),
                upsim.TransposedConv(512, 256, 16, 8, 4),
                upsim.Conv(256, 256, 3, padding=1, groups=4, bias=False),
            ],
            sample_rate=8000,
        )
        report = upsim.cost(stack)
        assert [layer.parameters for layer in report.layers] == [
            80 * 512 * 7 + 512,
            0,
            512 * 256 * 16 + 256,
            256 * 64 * 3,
        ]
        # A transposed convolution works once an input sample: 1/8 an output sample.
        assert [layer.macs for layer in report.layers] == [
            Fraction(80 * 512 * 7, 8),
            0,
            Fraction(512 * 256 * 16, 8),
            256 * 64 * 3,
        ]
        assert report.macs_per_second == 8000 * (
            80 * 512 * 7 / 8 + 512 * 256 * 16 / 8 + 256 * 64 * 3
        )
        # float32 numbers held: 512 and 512 at 1 kHz, 256 and 256 at 8 kHz
        assert report.activation_bytes == 4 * (2 * 512 * 1000 + 2 * 256 * 8000)

    def test_subpixel_works_at_the_low_rate_and_resize_then_convolve_at_the_high_one(self):
        sub = upsim.cost(upsim.Stack([upsim.SubpixelConv(4, 4, 9, 2, 4)], 2000))
        resize = upsim.cost(upsim.Stack([upsim.Nearest(2), upsim.Conv(4, 4, 9, padding=4)], 2000))
        # Each output sample costs 9 taps in each: the subpixel layer has twice the kernels.
        assert sub.macs == resize.macs == 4 * 4 * 9
        assert sub.parameters == 2 * resize.parameters

    def test_strided_layers_and_branches(self):
        stack = upsim.Stack(
            [
                upsim.Residual(
                    upsim.Conv(2, 6, 4, 2, 1), upsim.GLU(), upsim.TransposedConv(3, 2, 4, 2, 1)
                )
            ],
            1000,
        )
        report = upsim.cost(stack)
        assert report.parameters == 2 * 6 * 4 + 6 + 3 * 2 * 4 + 2
        assert report.macs == Fraction(2 * 6 * 4, 2) + Fraction(3 * 2 * 4, 2)

    @pytest.mark.torch
    def test_parameters_as_torch_counts_them(self):
        from torch import nn

        pairs = [
            (upsim.Conv(6, 4, 5, groups=2), nn.Conv1d(6, 4, 5, groups=2)),
            (upsim.Conv(6, 4, 5, bias=False), nn.Conv1d(6, 4, 5, bias=False)),
            (
                upsim.TransposedConv(6, 4, 5, 2, groups=2),
                nn.ConvTranspose1d(6, 4, 5, 2, groups=2),
            ),
            (upsim.PReLU(6), nn.PReLU(6)),
        ]
        for layer, module in pairs:
            stack = upsim.Stack([layer], 1000)
            assert upsim.cost(stack).parameters == sum(p.numel() for p in module.parameters())


def test_every_phase_of_a_dilated_subpixel_layer_has_the_taps_of_its_kernel():
    layer = upsim.SubpixelConv(1, 1, 3, 2, dilation=2)
    stack = upsim.Stack([layer, upsim.WeightNorm(layer)], 8000).draw(0)
    for report in upsim.predict(stack, upsim.Constant(1.0)).overlap:
        assert report.overlap.kind == "full"
        assert report.overlap.counts == (3, 3)
