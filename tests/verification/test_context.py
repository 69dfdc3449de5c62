"""Context: what is outside it changes nothing, what is inside does; errors are those of runs."""

import json
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import upsim
from upsim import neural
from upsim.errors import ArgumentError, NotPredictableError, ShapeError
from upsim.neural.run import run_graph
from upsim.testing.strategies import stacks
from upsim.words.tolerance import probable


def run(graph, samples):
    return run_graph(graph, [each[None] for each in samples])[graph.end][0]


def noise(graph, frames, seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal((each.channels, int(frames * rate / graph.input_rate)))
        for each, rate in zip(graph.inputs, graph.input_rates, strict=True)
    ]


def bounded(stack):
    found = upsim.context(stack)
    # What a test can run in a moment.
    assume(found.bounded and (found.left + found.right + found.step) * max(stack.rate, 1) < 2000)
    return found


CROSSING = upsim.Graph(
    [
        ("down", upsim.Conv(1, 3, 4, stride=2, padding=1), "wave"),
        ("inner", upsim.Conv(3, 3, 5, padding=2), "down"),
        ("act", upsim.Tanh(), "inner"),
        ("up", upsim.TransposedConv(3, 2, 4, stride=2, padding=1), "act"),
        ("skip", upsim.Concatenate(), ("up", "wave")),
        ("mixed", upsim.Conv(3, 2, 3, padding=1), "skip"),
        ("also", upsim.Average(), ("mixed", "up")),
        ("post", upsim.TransposedConv(2, 1, 6, stride=3, padding=1), "also"),
    ],
    inputs={"wave": 1},
    sample_rate=48000,
).draw(0)

TWO_RATES = upsim.Graph(
    [
        ("up", upsim.TransposedConv(2, 2, 8, stride=4, padding=2), "mel"),
        ("source", upsim.Conv(1, 2, 7, padding=3), "pitch"),
        ("sum", upsim.Add(), ("up", "source")),
        ("act", upsim.ELU(), "sum"),
        ("post", upsim.Conv(2, 1, 3, padding=1), "act"),
    ],
    inputs={"mel": 2, "pitch": 1},
    sample_rate=16000,
).draw(0)


class TestByHand:
    @pytest.mark.parametrize(
        ("layers", "left", "right"),
        [
            ([upsim.Conv(1, 1, 7, padding=3)], 3, 3),
            ([upsim.Conv(1, 1, 7)], 0, 6),  # the output starts at the first whole window
            ([upsim.Conv(1, 1, 3, padding=2, dilation=2)], 2, 2),
            ([upsim.Nearest(4)], 0, 0),
            ([upsim.Crop(3, 0)], 0, 3),
            # 16 taps over a stride of 8 stand 4 to the left: outputs of a frame look at the one
            # before and the one behind.
            ([upsim.TransposedConv(1, 1, 16, 8, padding=4)], 1, 1),
            # Uncropped, the tail of a frame reaches into the next one's outputs.
            ([upsim.TransposedConv(1, 1, 16, 8)], 1, 0),
            ([upsim.Conv(1, 1, 3, padding=1)] * 5, 5, 5),
            ([upsim.Nearest(2), upsim.Conv(1, 1, 7, padding=3)], 2, 2),
        ],
    )
    def test_frames_a_side(self, layers, left, right):
        found = upsim.context(upsim.Stack(layers, 16000))
        assert (found.left, found.right, found.bounded) == (left, right, True)

    def test_lookahead_and_delay_are_exact(self):
        stack = upsim.Stack([upsim.TransposedConv(1, 1, 16, 8, padding=4)], 16000)
        found = upsim.context(stack)
        # Tap k is at k - 4 of 8 output samples a frame: from -4 to 11, the middle at 3.5.
        assert found.lookahead == Fraction(4, 8)
        assert found.delay == Fraction(7, 2) / 8
        told = found.to_dict()["delay"]
        assert told == {
            "frames": 3.5 / 8, "output_samples": 3.5, "milliseconds": 1000 * 3.5 / 16000,
        }  # fmt: skip

    def test_what_the_end_of_a_run_takes_away_is_fed_beside(self):
        # The last 5 samples are cut off before a window of 3 looks over the end.
        stack = upsim.Stack([upsim.Crop(0, 5), upsim.Conv(1, 1, 3, padding=1)], 16000)
        found = upsim.context(stack, 10)
        assert (found.left, found.right) == (1, 1)
        assert found.overlap == (1, 6)
        assert found.latency == 16

    def test_a_u_net_starts_at_multiples_and_runs_what_fits(self):
        down = upsim.Conv(1, 1, 4, stride=4)
        stack = upsim.Stack([upsim.Residual(down, upsim.TransposedConv(1, 1, 4, 4))], 16000)
        found = upsim.context(stack, 8)
        # Output 3 of a block of 4 looks at its first sample and at its last one.
        assert (found.step, found.left, found.right, found.overlap) == (4, 3, 3, (0, 0))
        with pytest.raises(ArgumentError, match="a multiple of 4") as caught:
            upsim.context(stack, 10)
        assert caught.value.fix == "chunk=8 or chunk=12"

    def test_a_lowered_rate_looks_at_whole_blocks(self):
        found = upsim.context(upsim.Stack([upsim.Decimate(4)], 4000), 4)
        assert (found.step, found.left, found.right) == (4, 0, 0)

    def test_several_rates_count_in_frames_of_the_first(self):
        found = upsim.context(TWO_RATES)
        # 3 + 1 samples of the source at 4 samples a frame; 1 frame of the mel and a sample of post.
        assert [(each.name, each.left, each.right) for each in found.inputs] == [
            ("mel", 1, 1), ("pitch", 4, 4),
        ]  # fmt: skip
        assert (found.left, found.right) == (1, 1)


class TestAgainstTheWitness:
    @settings(max_examples=40)
    @given(stacks(linear=False), st.integers(1, 3))
    def test_a_chunk_with_its_overlap_equals_the_whole(self, stack, count):
        step = bounded(stack).step
        stack = stack.draw(0)
        try:
            found = upsim.context(stack, count * step)
        except ShapeError:
            assume(False)
        self.assert_equal(stack, found)

    @pytest.mark.parametrize("graph", [CROSSING, TWO_RATES], ids=["crossing", "two rates"])
    def test_graphs(self, graph):
        self.assert_equal(graph, upsim.context(graph, 8))

    def assert_equal(self, graph, found):
        before, behind = found.overlap
        more = found.step * (1 + -(-max(before, found.left) // found.step))
        total = more + before + found.chunk + behind + 4 * found.step + found.right + 64
        fitting = upsim.lengths(graph, total)
        total = fitting.above if fitting.above is not None else total
        samples = noise(graph, total)
        whole = run(graph, samples)
        start = more + before
        cut = [
            each[:, int(more * ratio) : int((start + found.chunk + behind) * ratio)]
            for each, ratio in self.ratios(graph, samples)
        ]
        rate = graph.rate
        made = run(graph, cut)[:, int(before * rate) : int((before + found.chunk) * rate)]
        expected = whole[:, int(start * rate) : int((start + found.chunk) * rate)]
        scale = float(np.abs(whole).max(initial=1.0))
        assert made.shape == expected.shape
        assert np.abs(made - expected).max(initial=0.0) <= probable(2**14, scale)

    @staticmethod
    def ratios(graph, samples):
        rates = [rate / graph.input_rate for rate in graph.input_rates]
        return zip(samples, rates, strict=True)

    @settings(max_examples=40)
    @given(stacks(linear=False), st.integers(0, 50), st.integers(1, 9))
    def test_nothing_outside_the_context_matters(self, stack, shift, frames):
        found = bounded(stack)
        stack = stack.draw(0)
        # Any stretch of frames, at no multiple of anything, far from the ends of the run.
        first = 4 * (found.left + found.step) + shift
        total = first + frames + 4 * (found.right + found.step) + 64
        fitting = upsim.lengths(stack, total)
        assume(fitting.above is not None)
        samples = noise(stack, fitting.above)
        changed = [each.copy() for each in samples]
        changed[0][:, : first - found.left] += 1.0
        changed[0][:, first + frames + found.right :] -= 2.0
        rows = slice(-int(-first * stack.rate // 1), -int(-(first + frames) * stack.rate // 1))
        one, other = run(stack, samples)[:, rows], run(stack, changed)[:, rows]
        # BLAS may add in another order where the numbers beside are others: rounding, no more.
        scale = float(np.abs(one).max(initial=1.0))
        assert np.abs(one - other).max(initial=0.0) <= probable(2**14, scale)

    @pytest.mark.parametrize("side", ["left", "right"])
    @pytest.mark.parametrize("seed", range(6))
    def test_the_outermost_frame_of_the_context_matters(self, seed, side):
        rng = np.random.default_rng(seed)
        layers = []
        for _ in range(3):
            kernel, stride = int(rng.integers(2, 8)), int(rng.integers(1, 4))
            padding = int(rng.integers(0, kernel // 2 + 1))
            layers += [
                upsim.TransposedConv(1, 1, max(kernel, stride), stride, min(padding, 1)),
                upsim.Conv(1, 1, kernel, stride=int(rng.integers(1, 3)), padding=padding),
                upsim.Softplus(),  # strictly increasing: a change of its input shows
            ]
        stack = upsim.Stack(layers, 16000).draw(seed)
        found = upsim.context(stack)
        # Some stretch of frames within a step looks as far as is said.
        assert any(self.sees(stack, found, place, side) for place in range(found.step))

    def sees(self, stack, found, place, side):
        first = 4 * (found.left + found.step) + place
        total = first + 1 + 4 * (found.right + found.step) + 64
        samples = noise(stack, total)
        at = first - found.left if side == "left" else first + found.right
        changed = [samples[0].copy()]
        changed[0][:, at] += 1.0
        rows = slice(-int(-first * stack.rate // 1), -int(-(first + 1) * stack.rate // 1))
        return bool(np.any(run(stack, samples)[:, rows] != run(stack, changed)[:, rows]))


class TestWithoutAnEnd:
    def test_statistics_of_the_whole_signal_are_named(self):
        layers = [upsim.Conv(1, 4, 5, padding=2), ("norm", upsim.GroupNorm(2, 4))]
        stack = upsim.Stack([*layers, upsim.Conv(4, 1, 5, padding=2)], 8000)
        found = upsim.context(stack, 16)
        assert (found.left, found.right, found.bounded) == (4, 4, False)
        assert found.endless == ("norm (GroupNorm)",)
        assert "no context is enough" in repr(found)
        measured = upsim.context(stack.draw(0), 16, errors=True)
        # Every context leaves an error: a chunk's own statistics are others.
        assert all(each.mean > 1e-6 for each in measured.errors)
        assert measured.how == "measured against 80 frames a side"

    def test_an_opaque_node_is_named_and_keeps_its_rate(self):
        layers = [("lstm", upsim.Opaque("LSTM", 4, 2)), upsim.Conv(4, 1, 9, padding=4)]
        found = upsim.context(upsim.Stack(layers, 16000), 8)
        # 4 samples behind a rate of 2 are 2 frames.
        assert (found.left, found.right, found.bounded) == (2, 2, False)
        assert len(found.unknown) == 1
        assert "lstm" in found.unknown[0]
        assert "what it looks at is not known" in repr(found)


class TestErrors:
    @pytest.mark.parametrize(
        ("layers", "chunk"),
        [
            ([upsim.Conv(1, 1, 7, padding=3), upsim.Conv(1, 1, 5, padding=2)], 12),
            ([upsim.Conv(1, 2, 5), upsim.TransposedConv(2, 2, 6, 3, padding=1)], 9),
            ([upsim.Conv(2, 2, 4, stride=2, padding=1), upsim.TransposedConv(2, 1, 5, 2, 1)], 8),
            ([upsim.Residual(upsim.Conv(2, 2, 5, padding=2, padding_mode="reflect"))], 7),
            ([upsim.Parallel([upsim.Nearest(2)], [upsim.Linear(2)], merge="concatenate")], 6),
        ],
    )
    def test_the_closed_form_is_the_matrix_of_the_witness(self, layers, chunk):
        stack = upsim.Stack(layers, 16000).draw(1)
        found = upsim.context(stack, chunk, errors=True)
        assert found.how == "exact"
        before, behind = found.overlap
        whole, offset = self.probed(stack, before + chunk + behind)
        rate = stack.rate
        rows = slice(int(before * rate), int((before + chunk) * rate))
        whole, offset = whole[:, rows], offset[:, rows]
        power = ((whole**2).sum(axis=(2, 3)) + offset**2).mean()
        for each in found.errors:
            total = each.left + chunk + each.right
            short, own = self.probed(stack, total)
            begin = int(each.left * rate)
            short, own = short[:, begin : begin + int(chunk * rate)], own[:, begin:]
            away = whole.copy()
            away[..., before - each.left : before - each.left + total] -= short
            left_out = offset - own[:, : offset.shape[1]]
            squares = (away**2).sum(axis=(2, 3)) + left_out**2
            largest = np.abs(away).sum(axis=(2, 3)) + np.abs(left_out)
            # Each is a mean of squares of sums of products: errors of the sums count twice.
            exact = probable(2**14, 4.0)
            assert abs(each.mean - squares.mean() / power) < exact
            assert abs(each.worst - squares.max() / power) < exact * max(each.worst, 1.0)
            assert abs(each.largest - largest.max() ** 2 / power) < exact * max(each.largest, 1.0)

    @staticmethod
    def probed(stack, total):
        """Return (out, samples, in, frames) of the witness, by impulses, and what zeros make."""
        silent = neural.run(stack, np.zeros((stack.in_channels, total)))
        ones = np.eye(stack.in_channels * total).reshape(-1, stack.in_channels, total)
        made = neural.run(stack, ones) - silent
        return np.moveaxis(made, 0, -1).reshape(*silent.shape, stack.in_channels, total), silent

    def test_a_long_chunk_has_the_errors_of_a_short_one_at_its_ends(self):
        stack = upsim.Stack([upsim.Conv(1, 1, 7, padding=3)], 16000).draw(0)
        short = upsim.context(stack, 6, errors=True).errors
        long = upsim.context(stack, 60000, errors=True).errors
        for one, other in zip(short, long, strict=True):
            assert one.worst == other.worst
            assert abs(one.mean / 10000 - other.mean) <= probable(64, one.mean)

    def test_a_bent_network_is_measured(self):
        stack = upsim.Stack(
            [upsim.Conv(1, 4, 7, padding=3), upsim.ReLU(), upsim.Conv(4, 1, 3)], 8000
        )
        found = upsim.context(stack.draw(0), 16, errors=True)
        assert found.how == "measured"
        means = [each.mean for each in found.errors]
        assert means[0] > 0
        assert means[-1] == 0
        assert found.errors[0].largest is None
        assert found.errors[0].deviation > 0

    def test_the_measurement_agrees_with_the_closed_form(self, monkeypatch):
        stack = upsim.Stack([upsim.Conv(1, 1, 9, padding=4), upsim.Conv(1, 1, 5, padding=2)], 8000)
        stack = stack.draw(2)
        exact = upsim.context(stack, 12, errors=True)
        monkeypatch.setattr("upsim.verification.chunks.is_affine", lambda _: False)
        monkeypatch.setattr("upsim.verification.chunks._RUNS", 400)
        measured = upsim.context(stack, 12, errors=True)
        for one, other in zip(exact.errors, measured.errors, strict=True):
            # Five standard errors of the mean of 400 independent runs.
            assert abs(one.mean - other.mean) <= 5 * other.deviation

    def test_open_weights_have_no_error(self):
        with pytest.raises(NotPredictableError, match="whose weights are drawn"):
            upsim.context(upsim.Stack([upsim.Conv(1, 1, 3)], 8000), 8, errors=True)


class TestRecord:
    found = upsim.context(upsim.Stack([upsim.Conv(1, 1, 7, padding=3)], 8000).draw(0), errors=True)

    def test_without_a_chunk_one_is_chosen_for_the_errors(self):
        assert self.found.chunk == 6

    def test_words(self):
        assert "chunk of 6: feed 3 before and 3 behind" in repr(self.found)
        assert len(repr(self.found).splitlines()) <= 8
        assert self.found.table().splitlines()[0].split("  ")[0] == "context"
        assert "<table>" in self.found._repr_html_()
        assert "errors=True" in upsim.context(CROSSING).table()

    def test_plain_data(self):
        content = json.loads(self.found.to_json())
        assert (content["format"], content["version"]) == ("upsim-context", 1)
        assert (content["left"], content["overlap"], content["latency"]) == (3, [3, 3], 9)
        assert [each["context"] for each in content["errors"]] == [0, 1, 2, 3]

    def test_the_picture_has_the_curve(self):
        ax = self.found.plot()
        curve = ax.lines[0]
        assert curve.get_xdata().tolist() == [0, 1, 2]
        expected = [10 * np.log10(each.mean) for each in self.found.errors[:3]]
        assert curve.get_ydata().tolist() == pytest.approx(expected)
        plt.close(ax.figure)
        with pytest.raises(NotPredictableError, match="no error to draw"):
            upsim.context(CROSSING).plot()
