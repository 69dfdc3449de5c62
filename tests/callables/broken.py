"""Functions that are wrong, each in one way, and the law that says so."""

import sys
import time

import numpy as np


def hold(x):
    return np.repeat(x, 2, axis=-1)


def into_nothing(x):
    return None


def two_answers(x):
    return hold(x), 1


def as_a_list(x):
    return hold(x).tolist()


def complex_numbers(x):
    return hold(x) + 0j


def whole_numbers(x):
    return hold(x).astype(int)


def objects(x):
    return hold(x).astype(object)


def not_a_number(x):
    return hold(x) * np.nan


def infinite_later(x):
    made = hold(x)
    made[..., -1] = np.inf
    return made


def an_axis_less(x):
    return hold(x)[0]


def an_axis_more(x):
    return hold(x)[..., None]


def batch_doubled(x):
    return np.concatenate([hold(x), hold(x)])


def raises(x):
    raise RuntimeError("no such\nsize")


def leaves(x):
    sys.exit(3)


def zeroes_its_input(x):
    made = hold(x)
    x[...] = 0
    return made


class Drifts:
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return hold(x) * self.calls


def random(x):
    made = hold(x)
    return made + 1e-3 * np.random.default_rng().standard_normal(made.shape)


class Levels:
    """Divides by the largest sample that it has ever seen."""

    def __init__(self):
        self.largest = 8.0

    def __call__(self, x):
        self.largest = max(self.largest, float(np.abs(x).max()))
        return hold(x) / self.largest


def centres_the_batch(x):
    return hold(x - x.mean(axis=0))


def even_only(x):
    return hold(x)[..., : 2 * x.shape[-1] - x.shape[-1] % 2]


def empty_if_silent(x):
    return hold(x) if x.any() else x


def clips(x):
    return np.clip(hold(x), -100, 100)


def dead_zone(x):
    return hold(np.where(np.abs(x) < 0.01, 0, x))


def last_sample_first(x):
    return hold(x)[..., ::-1]


def fades(x):
    made = hold(x)
    return made * np.linspace(0, 1, made.shape[-1])


def drifting_offset(x):
    made = hold(x)
    return made + np.arange(made.shape[-1])


def knows_its_length(x):
    made = hold(x)
    made[..., :4] *= x.shape[-1]
    return made


def far_echo(x):
    made = hold(x)
    made[..., 300:] += made[..., :-300] if made.shape[-1] > 300 else 0
    return made


def half(x):
    return hold(x) / 2


def leaks(x):
    return hold(x) + x.mean(axis=-2, keepdims=True).repeat(2, axis=-1)


def coarse(x):
    return (
        hold(x) if x.dtype == np.float64 else hold(x.astype(np.float16)).astype(np.float32) * 1.01
    )


def never(x):
    while True:
        pass


def sleeps(x):
    time.sleep(600)


#: What the report must say, by the law, of each function with its arguments.
BROKEN = [
    ("runs", into_nothing, {}, "it returns None"),
    ("runs", two_answers, {}, "it returns a tuple of 2"),
    ("runs", as_a_list, {}, "it returns a list of 1"),
    ("runs", complex_numbers, {}, "numbers of type complex128"),
    ("runs", whole_numbers, {}, "numbers of type int64"),
    ("runs", objects, {}, "numbers of type object"),
    ("runs", not_a_number, {}, "gives nan at (0, 0, 0)"),
    ("runs", infinite_later, {}, "gives inf at (0, 0, 1)"),
    ("runs", an_axis_less, {}, "gives shape (2, 2), expected 3 axes"),
    ("runs", an_axis_more, {}, "gives shape (1, 2, 2, 1), expected 3 axes"),
    ("runs", batch_doubled, {"layout": "channels-first"}, "1 in a batch become 2"),
    ("runs", raises, {}, "input of shape (1, 2, 1): it raises RuntimeError: no such size"),
    ("runs", leaves, {}, "it raises SystemExit: 3"),
    ("runs", len, {}, "an object of type int"),
    ("input_kept", zeroes_its_input, {}, "is 0.0 after the call"),
    ("two_calls", Drifts(), {}, "the second call gives"),
    ("two_calls", random, {}, "the second call gives"),
    ("no_state", Levels(), {}, "after calls with other inputs"),
    ("batch_independence", centres_the_batch, {}, "element 0 of a batch of 3"),
    ("length", even_only, {}, "1 samples in give 1 out, 2 give 4: 3 more, expected 2"),
    ("length", empty_if_silent, {}, "1 samples give 2, as many zeros give 1"),
    ("length", hold, {"like": "Stretch(3)"}, "1 samples in give 2 out, Stretch(3) gives 3"),
    ("affine", clips, {}, "f(1024 x) - f(0) = 100"),
    ("affine", dead_zone, {}, "f(0.000976562 x) - f(0) = 0,"),
    ("periodic_in_time", last_sample_first, {}, "impulses at samples"),
    ("periodic_in_time", fades, {}, "impulses at samples"),
    ("periodic_in_time", drifting_offset, {}, "zeros, samples 2 apart"),
    ("edges", knows_its_length, {}, "samples at the start"),
    ("overlap", far_echo, {}, "outside the kernel of output samples"),
    ("gain", half, {"gain": 1.0}, "leaves as 0.5, expected 1"),
    ("channels_apart", leaks, {"groups": 2}, "group 0 of 2"),
    ("precision", coarse, {}, "float32 gives"),
    ("equals", half, {"like": "Nearest(2)"}, "it gives 0.5, expected 1"),
]
