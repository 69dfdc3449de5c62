"""Chains of movements as layers: whatever the words, the same samples come out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upsim.errors import NotPredictableError
from upsim.importers.lowering import lowered
from upsim.importers.recording import Recording, Step
from upsim.neural.run import run_graph
from upsim.words.tolerance import rounding

#: Two recorded lengths, with the small divisors that the movements below need.
LENGTHS = (24, 36)


class Chain:
    """Movements of a tensor, done with NumPy and written down as steps at the same time."""

    def __init__(self, channels):
        self.channels = channels
        self.steps = []
        self.arrays = [np.empty((1, channels, n)) for n in LENGTHS]
        self.shapes = [{"0": array.shape} for array in self.arrays]
        self.done = []

    def add(self, function, move, **fields):
        """Add one movement: ``move(array, number)`` does it at each recorded length."""
        self.arrays = [move(array) for array in self.arrays]
        name = str(len(self.steps) + 1)
        step = Step(
            f"step {name}",
            "movement",
            (str(len(self.steps)),),
            (name,),
            {"function": function} | fields,
        )
        self.steps.append(step)
        self.done.append(move)
        for shapes, array in zip(self.shapes, self.arrays, strict=True):
            shapes[name] = array.shape
        return self

    def graph(self):
        """Return the graph, behind a layer, so that there always is a node."""
        first = Step("first", "elementwise", ("x",), ("0",), {"function": "negative"})
        shapes = [each | {"x": each["0"]} for each in self.shapes]
        recording = Recording([first, *self.steps], ("x",), str(len(self.steps)), shapes)
        return lowered(recording, 16000)

    def check(self, length=48):
        """Compare the graph with NumPy, at a length that was not recorded."""
        graph = self.graph()
        samples = np.random.default_rng(0).normal(size=(1, self.channels, length))
        want = -samples
        for move in self.done:
            want = move(want)
        (axis,) = [
            axis
            for axis in range(self.arrays[0].ndim)
            if self.arrays[0].shape[axis] != self.arrays[1].shape[axis]
        ]
        last = np.moveaxis(want, axis, -1)
        got = run_graph(graph, [samples])[graph.end][0]
        want = last.reshape(-1, last.shape[-1])
        assert got.shape == want.shape
        # Only a padding with a constant computes anything: it takes the constant away and adds it.
        assert np.max(np.abs(got - want)) <= rounding(2, float(np.max(np.abs(want))) + 1)
        return [repr(part.layer) for part in graph.parts[1:]]


def reshape(chain, *sizes):
    """Reshape; one size is -1."""
    return chain.add("reshape", lambda array: array.reshape(sizes))


def transpose(chain, *axes):
    return chain.add("transpose", lambda array: array.transpose(axes), axes=axes)


def cut(chain, axis, start=None, stop=None, step=1):
    index = (slice(None),) * axis + (slice(start, stop, step),)
    return chain.add(
        "slice", lambda array: array[index], axis=axis, start=start, stop=stop, step=step
    )


NUMPY = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(chain, axis, left, right, mode="constant", value=0.0):
    def move(array):
        widths = [(0, 0)] * array.ndim
        widths[axis] = (left, right)
        more = {"constant_values": value} if mode == "constant" else {}
        return np.pad(array, widths, mode=NUMPY[mode], **more)

    return chain.add("pad", move, axis=axis, left=left, right=right, mode=mode, value=value)


def test_shuffles_in_both_orders():
    chain = Chain(6)
    reshape(chain, 1, 2, 3, -1)
    transpose(chain, 0, 1, 3, 2)
    reshape(chain, 1, 2, -1)
    assert chain.check() == ["PeriodicShuffle(3)"]
    chain = Chain(6)
    transpose(chain, 0, 2, 1)
    reshape(chain, 1, -1, 2)
    transpose(chain, 0, 2, 1)
    assert chain.check() == ["PeriodicShuffle(3, order='tensorflow')"]


def test_nearest_neighbour_from_a_broadcast_or_a_repetition():
    chain = Chain(2)
    reshape(chain, 1, 2, -1, 1)
    chain.add("expand", lambda array: np.broadcast_to(array, (*array.shape[:3], 3)))
    reshape(chain, 1, 2, -1)
    assert chain.check() == ["Nearest(3)"]
    chain = Chain(2).add("repeat", lambda array: np.repeat(array, 3, 2), axis=2, count=3)
    cut(chain, 2, 1)
    assert chain.check() == ["Nearest(3)", "Crop(left=1)"]


def test_zeros_between_samples_are_a_stretch():
    chain = Chain(2)
    reshape(chain, 1, 2, -1, 1)
    pad(chain, 3, 0, 2)
    reshape(chain, 1, 2, -1)
    assert chain.check() == ["Stretch(3)"]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_paddings_have_their_mode(mode):
    assert pad(Chain(2), 2, 3, 2, mode).check() == [f"Pad(3, 2, mode={mode!r})"]


def test_paddings_of_constants():
    assert pad(Chain(2), 2, 3, 2).check() == ["Pad(3, 2)"]
    assert pad(Chain(2), 2, 3, 2, value=0.5).check()[1] == "Pad(3, 2)"
    # Replication written as a concatenation of the first sample.
    chain = Chain(2)
    chain.add(
        "pad",
        lambda array: np.pad(array, [(0, 0), (0, 0), (2, 0)], mode="edge"),
        axis=2,
        left=2,
        right=0,
        mode="replicate",
    )
    pad(chain, 2, 0, 3)
    assert chain.check() == ["Pad(2, 0, mode='replicate')", "Pad(0, 3)"]


def test_what_depends_on_the_length_is_seen_at_the_second():
    kept = tuple(2 * n - 5 for n in LENGTHS)
    chain = Chain(2).add("repeat", lambda array: np.repeat(array, 2, 2), axis=2, count=2)
    chain.steps.append(
        Step(
            "trim",
            "movement",
            ("1",),
            ("2",),
            {"function": "slice", "axis": 2, "start": 0, "stop": kept},
        )
    )
    chain.arrays = [array[..., :n] for array, n in zip(chain.arrays, kept, strict=True)]
    for shapes, array in zip(chain.shapes, chain.arrays, strict=True):
        shapes["2"] = array.shape
    chain.done.append(lambda array: array[..., :-5])
    assert chain.check() == ["Nearest(2)", "Crop(right=5)"]


@pytest.mark.parametrize(
    "move",
    [
        lambda chain: chain.add("flip", lambda array: np.flip(array, 2), axis=2),
        # The first sample, held for as long as the signal is.
        lambda chain: cut(chain, 2, 0, 1).add(
            "tile", lambda array: np.tile(array, (1, 1, 24)), counts=(1, 1, 24)
        ),
    ],
    ids=["turned round", "held"],
)
def test_what_is_not_the_same_along_time_is_refused(move):
    with pytest.raises(NotPredictableError):
        move(Chain(2)).graph()


@st.composite
def chains(draw):
    """Return a chain of one to four movements on (1, channels, time) and what lies between."""
    chain = Chain(draw(st.sampled_from((2, 4, 6))))
    for _ in range(draw(st.integers(1, 4))):
        channels = chain.arrays[0].shape[1]
        kind = draw(st.sampled_from(("shuffle", "blocks", "cut", "pad", "repeat", "pick")))
        if kind == "shuffle" and channels % 2 == 0:
            reshape(chain, 1, channels // 2, 2, -1)
            transpose(chain, 0, 1, 3, 2)
            reshape(chain, 1, channels // 2, -1)
        elif kind == "blocks" and all(array.shape[2] % 2 == 0 for array in chain.arrays):
            reshape(chain, 1, channels, -1, 2)
            transpose(chain, 0, 1, 3, 2)
            reshape(chain, 1, channels * 2, -1)
        elif kind == "cut":
            cut(chain, 2, draw(st.integers(0, 2)), -draw(st.integers(1, 2)))
        elif kind == "pad":
            mode = draw(st.sampled_from(tuple(NUMPY)))
            pad(chain, 2, draw(st.integers(0, 2)), draw(st.integers(1, 2)), mode)
        elif kind == "repeat":
            chain.add("repeat", lambda array: np.repeat(array, 2, 2), axis=2, count=2)
        else:
            order = draw(st.lists(st.integers(0, channels - 1), min_size=1, max_size=4))
            chain.add(
                "gather",
                lambda array, order=order: np.take(array, order, 1),
                axis=1,
                indices=np.array(order),
            )
    return chain


@given(chains())
def test_any_chain_gives_the_samples_that_numpy_gives(chain):
    chain.check()


def test_values_read_before_and_behind_a_node_keep_their_places():
    # The first movement becomes a node of its own, for its reader, before the second is read off.
    def moved(name, function, reads, makes, **fields):
        return Step(name, "movement", (reads,), (makes,), {"function": function} | fields)

    steps = [
        moved("cut", "slice", "x", "a", axis=2, start=1, stop=None),
        moved("pick", "gather", "a", "b", axis=1, indices=np.array([1, 0])),
        Step("act", "elementwise", ("a",), ("c",), {"function": "tanh"}),
        Step("sum", "elementwise", ("b", "c"), ("y",), {"function": "add"}),
    ]
    shapes = [{"x": (1, 2, n)} | dict.fromkeys("abcy", (1, 2, n - 1)) for n in LENGTHS]
    graph = lowered(Recording(steps, ("x",), "y", shapes), 16000)
    samples = np.random.default_rng(0).normal(size=(1, 2, 30))
    kept = samples[0, :, 1:]
    got = run_graph(graph, [samples])[graph.end][0]
    assert np.max(np.abs(got - (kept[::-1] + np.tanh(kept)))) <= rounding(8, 4.0)


def test_a_long_chain_of_movements_is_followed():
    chain = Chain(2)
    for _ in range(400):
        transpose(chain, 0, 2, 1)
    assert chain.check() == []
