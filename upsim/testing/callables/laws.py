"""The laws that an upsampler obeys, whoever wrote it, each shown by running it.

A law takes a :class:`~upsim.testing.callables.subject.Subject` and raises
:class:`~upsim.testing.callables.broken.BrokenLawError` with the first, that is the smallest, input
on which it is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from upsim.operators.operator import Real
from upsim.testing.callables.broken import BrokenLawError
from upsim.testing.callables.frameworks import runnable
from upsim.testing.callables.layouts import has_batch, laid_out, read_back
from upsim.testing.callables.measured import impulses, measured
from upsim.testing.callables.reference import output_length, run_reference
from upsim.testing.callables.subject import Subject
from upsim.words.arguments import shown

Check = Callable[[Subject], None]
Condition = Callable[[Subject], bool]


@dataclass(frozen=True)
class CallableLaw:
    """One law of callables.

    Parameters
    ----------
    name, statement, formula, source : str
    needs : tuple of str
        Laws without which this one cannot be judged.
    condition : callable (subject) -> bool
        Whether it speaks of a subject.
    check : callable (subject) -> None
    """

    name: str
    statement: str
    formula: str
    source: str
    needs: tuple[str, ...]
    condition: Condition
    check: Check

    def __call__(self, subject: Subject) -> None:
        """Check the law; raise BrokenLawError where it, or one that it needs, is broken."""
        for name in self.needs:
            try:
                CALLABLE_LAWS[name](subject)
            except BrokenLawError as error:
                raise BrokenLawError(
                    error.law, f"not checked, because {error.law} is broken: {error.what}"
                ) from None
        if self.condition(subject):
            self.check(subject)


#: Every law by its name, in the order in which they are checked.
CALLABLE_LAWS: dict[str, CallableLaw] = {}


def _always(subject: Subject) -> bool:
    del subject
    return True


def callable_law(
    *, formula: str, source: str, needs: tuple[str, ...] = (), when: Condition = _always
) -> Callable[[Check], Check]:
    """Enter a function into :data:`CALLABLE_LAWS`; "Check that ..." is the statement."""

    def enter(check: Check) -> Check:
        said = (check.__doc__ or "").strip().splitlines()[0].removeprefix("Check that ")
        statement = said[:1].upper() + said[1:]
        name = check.__name__
        CALLABLE_LAWS[name] = CallableLaw(name, statement, formula, source, needs, when, check)
        return check

    return enter


def same(
    law: str, actual: Real, expected: Real, *, within: float, what: str, names: tuple[str, str]
) -> None:
    """Raise BrokenLawError, saying where, unless two outputs (channels, time) agree."""
    if actual.shape != expected.shape:
        raise BrokenLawError(law, f"{what}: shapes {actual.shape} and {expected.shape}")
    apart = np.abs(actual - expected)
    if apart.size == 0 or bool(np.all(apart <= within)):
        return
    place = np.unravel_index(int(np.argmax(apart > within)), actual.shape)
    spot = tuple(int(each) for each in place)
    raise BrokenLawError(
        law,
        f"{what}: {names[0]} {actual[place]:.6g}, {names[1]} {expected[place]:.6g} at {spot} of "
        f"{actual.shape} (apart by {apart[place]:.3g}, allowed {within:.2g})",
    )


def size(*arrays: Real) -> float:
    """Return the largest absolute value of each array, added up."""
    return float(sum(np.abs(each).max(initial=0.0) for each in arrays))


def lengths(subject: Subject) -> tuple[int, ...]:
    """Return the input lengths that are tried: the shortest, a few beside it, and a long one."""
    least, down = subject.least, subject.down
    return (*range(least, least + max(4, down + 1)), 2 * least + 16 * down + 1)


def even_lengths(subject: Subject) -> tuple[int, ...]:
    """Return a short and a longer input of whole blocks."""
    blocks = -(-subject.least // subject.down)
    return (blocks * subject.down, (2 * blocks + 16) * subject.down)


def smallest(channels: int, length: int) -> Real:
    """Return an impulse in the first channel, in the middle."""
    samples = np.zeros((channels, length))
    samples[0, length // 2] = 1.0
    return samples


@callable_law(
    formula="f: (batch, channels, n) -> (batch, channels', n') of finite real numbers",
    source="the definition of a layer",
)
def runs(subject: Subject) -> None:
    """Check that it returns one array of finite real numbers, whatever the length."""
    for count in lengths(subject):
        for samples in subject.probes(count):
            made = subject.run(samples[None])
            if made.shape[1] != subject.out_channels:
                raise BrokenLawError(
                    "runs",
                    f"{count} samples give {made.shape[1]} channels, {subject.least} samples give "
                    f"{subject.out_channels}",
                )


@callable_law(formula="x after f(x) = x before", source="a layer owns its output only")
def input_kept(subject: Subject) -> None:
    """Check that it leaves its input as it was."""
    subject.run(next(subject.probes(subject.least, 1))[None])
    if subject.changed_input:
        raise BrokenLawError("input_kept", subject.changed_input)


@callable_law(needs=("runs",), formula="f(x) = f(x)", source="a layer is a function")
def two_calls(subject: Subject) -> None:
    """Check that two calls with one input agree."""
    for count in (*lengths(subject)[:1], lengths(subject)[-1]):
        for samples in subject.probes(count):
            one, two = (subject.run(samples[None])[0] for _ in range(2))
            within = subject.margin(size(one, two), samples.size)
            same(
                "two_calls",
                two,
                one,
                within=within,
                what=_say(samples),
                names=("the second call gives", "the first"),
            )


@callable_law(
    needs=("runs", "two_calls"),
    formula="f(x); f(y); f(x) again",
    source="a layer is a function",
)
def no_state(subject: Subject) -> None:
    """Check that calls in between, of other lengths and sizes, change nothing."""
    count, longer = lengths(subject)[0], lengths(subject)[-1]
    for samples in subject.probes(count):
        before = subject.run(samples[None])[0]
        for between in subject.probes(longer):
            subject.run(64 * between[None])
        after = subject.run(samples[None])[0]
        within = subject.margin(size(before, after), samples.size)
        same(
            "no_state",
            after,
            before,
            within=within,
            what=f"{_say(samples)}, after calls with other inputs",
            names=("now", "before"),
        )


@callable_law(
    needs=("runs", "two_calls"),
    when=lambda subject: has_batch(subject.layout),
    formula="f([x, y])[0] = f([x])[0]",
    source="the elements of a batch are separate",
)
def batch_independence(subject: Subject) -> None:
    """Check that the elements of a batch do not see each other."""
    for count in even_lengths(subject):
        inputs = np.stack([*subject.probes(count, 2), np.zeros((subject.channels, count))])
        together = subject.run(inputs)
        for number, samples in enumerate(inputs):
            alone = subject.run(samples[None])[0]
            within = subject.margin(size(alone, together[number]), samples.size)
            try:
                same(
                    "batch_independence",
                    together[number],
                    alone,
                    within=within,
                    what=f"{count} samples, element {number} of a batch of 3",
                    names=("in the batch", "alone"),
                )
            except BrokenLawError:
                subject.batched = False  # the laws that follow run one element at a time
                raise


@callable_law(
    needs=("runs",),
    formula="n' = floor((n U + e) / D), for all n",
    source="a layer that repeats itself every D samples in and U samples out",
)
def length(subject: Subject) -> None:
    """Check that U samples more leave for D samples more, whatever they hold."""
    found = {}
    for count in range(subject.least, subject.least + 3 * subject.down + 2):
        zeros = np.zeros((1, subject.channels, count))
        found[count] = subject.run(zeros).shape[2]
        for samples in subject.probes(count, 1):
            made = subject.run(samples[None]).shape[2]
            if made != found[count]:
                raise BrokenLawError(
                    "length", f"{count} samples give {made}, as many zeros give {found[count]}"
                )
        if subject.like is not None:
            promised = output_length(subject.like, count)
            if promised is not None and promised != found[count]:
                raise BrokenLawError(
                    "length",
                    f"{count} samples in give {found[count]} out, "
                    f"{shown(subject.like)} gives {promised}",
                )
    for count, total in found.items():
        later = found.get(count + subject.down)
        if later is not None and later - total != subject.up:
            raise BrokenLawError(
                "length",
                f"{count} samples in give {total} out, {count + subject.down} give {later}: "
                f"{later - total} more, expected {subject.up}",
            )


@callable_law(
    needs=("runs", "two_calls", "no_state", "length"),
    formula="f(a x + b y) - f(0) = a (f(x) - f(0)) + b (f(y) - f(0))",
    source="the definition; a bias is f(0)",
)
def affine(subject: Subject) -> None:
    """Check that it is linear up to a bias."""
    for count in even_lengths(subject):
        silence = subject.offset(count)
        first = smallest(subject.channels, count)
        for samples in (first, *subject.probes(count)):
            plain = subject.run(samples[None])[0] - silence
            # Powers of two round nothing, and reach what clips and what has a dead zone.
            for power in (2.0, -1.0, 2.0**10, 2.0**-10):
                made = subject.run(power * samples[None])[0] - silence
                within = subject.margin(
                    abs(power) * size(plain) + (1 + abs(power)) * size(silence), samples.size
                )
                same(
                    "affine",
                    made,
                    power * plain,
                    within=within,
                    what=f"{_say(samples)}",
                    names=(f"f({power:g} x) - f(0) =", f"{power:g} (f(x) - f(0)) ="),
                )
        for one in (first, next(subject.probes(count, 1))):
            other = list(subject.probes(count, 2))[1]
            apart = [subject.run(each[None])[0] - silence for each in (one, other)]
            made = subject.run(one[None] + other[None])[0] - silence
            same(
                "affine",
                made,
                apart[0] + apart[1],
                within=subject.margin(size(made, *apart, silence, silence), one.size),
                what=f"x = {_say(one)} and another y",
                names=("f(x + y) - f(0) =", "f(x) - f(0) + f(y) - f(0) ="),
            )


@callable_law(
    needs=("affine",),
    formula="(T_U f)(x) = f(T_D x), T_k a shift by k samples, far from the ends",
    source="Vaidyanathan, Multirate Systems and Filter Banks, 1993, section 10.1",
)
def periodic_in_time(subject: Subject) -> None:
    """Check that an input that comes D samples later leaves U samples later."""
    found = measured(subject)
    if found.is_circular:
        return  # which is this law on a circle
    up, down = subject.up, subject.down
    count = (found.blocks + 8) * down
    total = subject.offset(count).shape[1]
    middle = found.blocks // 2
    places = tuple((middle + block) * down + part for block in range(8) for part in range(down))
    answers = impulses(subject, count, places)
    shaped = answers.reshape(answers.shape[0], 8, down, *answers.shape[2:])
    within = subject.margin(2 * size(shaped) + size(subject.offset(count)), subject.channels)
    for block in range(1, 8):
        move = block * up
        same(
            "periodic_in_time",
            shaped[:, block, :, :, move:].reshape(-1, total - move),
            shaped[:, 0, :, :, : total - move].reshape(-1, total - move),
            within=within,
            what=f"impulses at samples {places[0]} and {places[0] + block * down} of {count}, "
            f"answers {move} samples apart, by (channels, time)",
            names=("the later", "the earlier"),
        )
    silence = subject.offset(count)
    inner = silence[:, found.edge * up : total - found.edge * up]
    if inner.shape[1] > up:
        same(
            "periodic_in_time",
            inner[:, up:],
            inner[:, :-up],
            within=subject.margin(2 * size(silence), subject.channels),
            what=f"{count} zeros, samples {up} apart, far from the ends",
            names=("the later", "the earlier"),
        )


@callable_law(
    needs=("periodic_in_time",),
    formula="f([x, y])[:t] = f([x, z])[:t]; f([y, x])[-t:] = f([z, x])[-t:]",
    source="a finite kernel looks so far and no farther",
)
def edges(subject: Subject) -> None:
    """Check that what happens at one end does not know of the other, nor of the length."""
    found = measured(subject)
    if found.is_circular:
        return
    up, down = subject.up, subject.down
    near, more = 2 * found.edge, 3
    short, long = (2 * near) * down, (2 * near + more) * down
    for samples in subject.probes(long):
        whole = subject.run(samples[None])[0]
        start, end = subject.run(samples[None, :, :short])[0], None
        end = subject.run(samples[None, :, long - short :])[0]
        within = subject.margin(size(whole, start, end), subject.channels * short)
        for law_part, one, other in (
            ("start", start[:, : near * up], whole[:, : near * up]),
            ("end", end[:, -near * up :], whole[:, -near * up :]),
        ):
            same(
                "edges",
                one,
                other,
                within=within,
                what=f"the {near * up} samples at the {law_part}, {short} and {long} samples in",
                names=("of the shorter input", "of the longer"),
            )


@callable_law(
    needs=("periodic_in_time",),
    formula="y[n] depends on x[m] only where n D - m U lies inside the kernel",
    source="the overlap of K taps with stride L: Odena et al., Distill 2016; Pons et al., 2021",
)
def overlap(subject: Subject) -> None:
    """Check that an output sample sees the inputs that its kernel overlaps, and no others."""
    found = measured(subject)
    if found.is_circular:
        return
    up, down = subject.up, subject.down
    blocks = 4 * found.edge + 1024
    count = blocks * down
    first, last = found.operator.support()
    (samples,) = subject.probes(count, 1)
    plain = subject.run(samples[None])[0]
    for block in (blocks // 4, blocks // 2, 3 * blocks // 4):
        # Inputs that any phase of one output block sees; all others may be anything.
        seen = np.zeros(count, dtype=np.bool_)
        for low, high in zip(first, last, strict=True):
            seen[block * down + low : block * down + high + 1] = True
        mixed = np.where(seen, samples, 2 * samples[:, ::-1] + 1)
        own = slice(block * up, (block + 1) * up)
        made = subject.run(mixed[None])[0][:, own]
        same(
            "overlap",
            made,
            plain[:, own],
            within=subject.margin(size(made, plain), subject.channels * count),
            what=f"{count} samples in, those outside the kernel of output samples {own.start} to "
            f"{own.stop - 1} changed",
            names=("after the change", "before"),
        )


def constant_runs(subject: Subject) -> tuple[Real, Real]:
    """Return what a constant 1 in each chosen channel and silence leave as, far from the ends.

    Shapes (chosen, out, U) and (out, U).
    """
    found = measured(subject)
    blocks = found.blocks if found.is_circular else 4 * found.edge + 2
    count = blocks * subject.down
    inputs = np.zeros((len(found.chosen), subject.channels, count))
    inputs[np.arange(len(found.chosen)), list(found.chosen)] = 1.0
    start = blocks // 2 * subject.up
    inside = slice(start, start + subject.up)
    silence = subject.offset(count)[:, inside]
    return subject.run(inputs)[:, :, inside] - silence, silence


@callable_law(
    needs=("periodic_in_time",),
    formula="1 -> g_i = sum_m h[m L + i], for output samples n = i modulo L",
    source="Harada, Muramatsu & Kiya 1998",
)
def phase_gains(subject: Subject) -> None:
    """Check that a constant leaves as the sums of the taps that each phase meets."""
    found = measured(subject)
    made, _ = constant_runs(subject)
    gains = found.operator.phase_gains().transpose(1, 0, 2)
    terms = found.operator.terms
    within = subject.margin(found.operator.largest_gain() + size(made), terms)
    same(
        "phase_gains",
        made.reshape(-1, subject.up),
        gains.reshape(-1, subject.up),
        within=within,
        what="a constant 1 in each channel by itself",
        names=("leaves as", "its phase's taps add up to"),
    )


@callable_law(
    needs=("phase_gains",),
    formula="a_k = H(k / L) / L = DFT_L(g) / L: no line <=> equal phase gains",
    source="Sugawara, Shiota & Kiya, ICIP 2018, arXiv 1806.02658",
)
def offset_tones(subject: Subject) -> None:
    """Check that the lines of a constant are the kernel's response at k / L."""
    found = measured(subject)
    made, _ = constant_runs(subject)
    up, down = subject.up, subject.down
    lines = np.abs(np.fft.fft(made, axis=2) / up)  # (chosen, out, U)
    gains = found.operator.gains(np.arange(up) / up)
    foretold = np.stack([np.abs(gains[k, -k % down]) for k in range(up)], axis=2)
    within = subject.margin(2 * found.operator.largest_gain(), found.operator.terms + 16 * up)
    same(
        "offset_tones",
        lines.reshape(-1, up),
        foretold.transpose(1, 0, 2).reshape(-1, up),
        within=within,
        what=f"lines at k / {up} of a constant 1",
        names=("in the run", "by the kernel"),
    )


@callable_law(
    needs=("phase_gains",),
    when=lambda subject: subject.gain is not None,
    formula="mean_i sum_c g_ci = gain",
    source="an interpolator keeps a constant: its taps add up to L, not to 1",
)
def gain(subject: Subject) -> None:
    """Check that a constant 1 leaves with the gain that was asked for."""
    assert subject.gain is not None
    count = even_lengths(subject)[-1] + 4 * measured(subject).edge * subject.down
    made = subject.run(np.ones((1, subject.channels, count)))[0] - subject.offset(count)
    start = made.shape[1] // 2 // subject.up * subject.up
    found = made[:, start : start + subject.up].mean(axis=1, keepdims=True)
    same(
        "gain",
        found,
        np.full_like(found, subject.gain),
        within=subject.margin(size(made), subject.channels * count),
        what="a constant 1 in every channel, the mean of its phases",
        names=("leaves as", "expected"),
    )


@callable_law(
    needs=("affine",),
    when=lambda subject: subject.groups > 1,
    formula="y_o does not change with x_c where o and c are of different groups",
    source="torch.nn.Conv1d: groups",
)
def channels_apart(subject: Subject) -> None:
    """Check that channels of one group do not see those of another."""
    if subject.out_channels % subject.groups:
        raise BrokenLawError(
            "channels_apart",
            f"{subject.out_channels} channels out are no multiple of {subject.groups} groups",
        )
    rows, columns = subject.out_channels // subject.groups, subject.channels // subject.groups
    for count in even_lengths(subject):
        for samples in subject.probes(count):
            plain = subject.run(samples[None])[0]
            for group in range(subject.groups):
                other = samples + 3
                inside = slice(group * columns, (group + 1) * columns)
                other[inside] = samples[inside]
                made = subject.run(other[None])[0]
                own = slice(group * rows, (group + 1) * rows)
                same(
                    "channels_apart",
                    made[own],
                    plain[own],
                    within=subject.margin(size(plain, made), samples.size),
                    what=f"group {group} of {subject.groups}, {count} samples, "
                    "the other groups' input changed",
                    names=("after", "before"),
                )


@callable_law(
    needs=("affine",),
    when=lambda subject: subject.framework.pull is not None,
    formula="<f(x) - f(0), y> = <x, J^T y>, J^T from the framework's own gradients",
    source="the definition of the adjoint",
)
def adjoint(subject: Subject) -> None:
    """Check that the framework's gradient is the transpose of what is computed."""
    pull, framework = subject.framework.pull, subject.framework
    assert pull is not None
    for count in even_lengths(subject):
        silence = subject.offset(count)
        for samples in subject.probes(count, 2):
            made = subject.run(samples[None])[0] - silence
            back = np.random.default_rng(1).integers(-4, 5, made.shape).astype(np.float64)
            given = laid_out(samples[None], subject.layout)
            wanted = laid_out(back[None], subject.layout)

            def pulled(given: Real = given, wanted: Real = wanted) -> Real | None:
                tensor = framework.tensor(given, subject.function)
                answer = pull(runnable(subject.function), tensor, wanted)
                return None if answer is None else np.asarray(framework.array(answer), np.float64)

            try:
                found = subject.patience.call(pulled)
            except Exception as error:  # noqa: BLE001 - whatever a stranger's gradient raises
                said = " ".join(str(error).split())[:200]
                raise BrokenLawError(
                    "adjoint",
                    f"{count} samples: the gradient raises {type(error).__name__}: {said}",
                ) from None
            if found is None:
                raise BrokenLawError(
                    "adjoint", f"{count} samples: no gradient flows from the output to the input"
                )
            row = read_back(found, subject.layout)[0]
            left, right = np.sum(made * back), np.sum(samples * row)
            scale = float(np.abs(made * back).sum() + np.abs(samples * row).sum())
            within = subject.margin(scale + size(silence) * back.size, samples.size)
            same(
                "adjoint",
                np.array([[left]]),
                np.array([[right]]),
                within=within,
                what=f"{count} samples",
                names=("<f(x) - f(0), y> =", "<x, J^T y> ="),
            )


@callable_law(
    needs=("affine",),
    formula="|f32(x) - f64(x)| <= rounding(operations, sum |terms|, float32)",
    source="Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1",
)
def precision(subject: Subject) -> None:
    """Check that single precision gives what double precision gives, to its own rounding."""
    doubled = subject.framework.doubled
    other = subject
    for dtype in (np.float64, np.float32):
        try:
            subject.run(np.zeros((1, subject.channels, subject.least)), dtype=dtype)
        except BrokenLawError as error:
            if error.ends:
                raise
            return  # one precision is all that it takes
    if doubled is not None:
        try:
            copy = doubled(subject.function)
        except Exception:  # noqa: BLE001 - what cannot be copied has one precision only
            return
        other = subject if copy is None else replace(subject, function=copy)
    for count in even_lengths(subject):
        for samples in (np.ones((subject.channels, count)), *subject.probes(count)):
            bits = subject.bits, other.bits
            fine = other.run(samples[None], dtype=np.float64)[0]
            coarse = subject.run(samples[None], dtype=np.float32)[0]
            subject.bits = min(bits[0], 24)
            within = subject.margin(size(fine, coarse) + 4 * size(samples), samples.size)
            subject.bits, other.bits = bits
            same(
                "precision",
                coarse,
                fine,
                within=within,
                what=f"{count} samples",
                names=("float32 gives", "float64"),
            )


@callable_law(
    needs=("runs", "two_calls"),
    when=lambda subject: subject.like is not None,
    formula="f(x) = like(x), ends included",
    source="the layer that was named",
)
def equals(subject: Subject) -> None:
    """Check that it gives what the layer that it should be gives."""
    assert subject.like is not None
    for count in lengths(subject):
        zeros = np.zeros((subject.channels, count))
        for samples in (zeros, smallest(subject.channels, count), *subject.probes(count)):
            expected = run_reference(subject.like, samples)
            if expected is None:
                continue
            made = subject.run(samples[None])[0]
            same(
                "equals",
                made,
                expected,
                within=subject.margin(size(made, expected) + size(samples), samples.size),
                what=_say(samples),
                names=("it gives", "expected"),
            )


def _say(samples: Real) -> str:
    if not samples.any():
        return f"{samples.shape[1]} zeros in {samples.shape[0]} channels"
    if np.count_nonzero(samples) == 1:
        place = tuple(int(each) for each in np.argwhere(samples)[0])
        return f"{samples.shape[1]} samples in {samples.shape[0]} channels, 1 at {place}"
    if samples.size <= 6:
        return f"input {samples.tolist()}"
    return f"{samples.shape[1]} samples in {samples.shape[0]} channels"
