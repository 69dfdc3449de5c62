"""The fields of a configuration: found by their names wherever they are nested, each checked once.

A field is known by its path, ``model.upsample_rates``: keys of nested objects and keys that hold
dots themselves are the same.  A family reads its fields from the section in which its own keys
stand.  Rates, hops and mel bands may stand in any section: all of them are read, and two values of
one field contradict each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from upsim.errors import ArgumentError, ArgumentTypeError, FileFormatError, TooLargeError
from upsim.words.arguments import LARGEST_COUNT, finite_number, shown, whole_number
from upsim.words.units import format_hertz, positive_rate

#: What a sample rate is called, the output's own first.
RATES = (
    ("output_sampling_rate", "output_sample_rate"),
    ("sampling_rate", "sample_rate", "sr"),
)

#: What the samples of a frame are called.
HOPS = ("hop_size", "hop_length", "decode_upsample_rate")

#: What strides are called.
STRIDE_WORDS = frozenset(
    ["upsample_rates", "upsample_scales", "upsample_factors", "upsampling_ratios", "decoder_rates"]
)

#: What a generator has once, in whichever section it stands.
_ONCE = STRIDE_WORDS | {"num_mels", "upsample_kernel_sizes", "upsample_initial_channel"}

#: Fields that say which model it is.
TYPES = ("model_type", "architectures", "_class_name", "generator_type", "_target_", "class_path")

#: Sections of other networks, and of the training.
_ELSEWHERE = ("discriminator", "loss", "train", "optimizer", "encoder", "teacher", "semantic")

#: Fields of training, of features and of files: they change nothing of a generator.
_BESIDE_WORDS = (
    "batch_size learning_rate lr adam_b1 adam_b2 betas lr_decay seed num_workers segment_size "
    "num_gpus num_freq n_fft fft_size filter_length win_size win_length fmin fmax fmax_for_loss "
    "mel_fmin mel_fmax n_mel_channels max_wav_value version transformers_version torch_dtype dtype "
    "_name_or_path auto_map initializer_range use_weight_norm use_spectral_norm p_dropout dropout "
    "discriminator_periods resolutions mpd_reshapes discriminator_channel_mult "
    "mrd_use_spectral_norm mpd_use_spectral_norm cqtd_filters cqtd_max_filters lambda_melloss "
    "clip_grad_norm output_hidden_states return_dict output_attentions problem_type "
    "id2label label2id chunk_size_feed_forward is_encoder_decoder tie_word_embeddings "
    "pad_token_id window format use_cuda_kernel use_causal_conv freq_mode save_every"
)
_BESIDE = frozenset(_BESIDE_WORDS.split())

_DEEPEST, _MOST_FIELDS = 16, 20_000

#: Entries of a list of strides, kernels or dilations.
_LONGEST_LIST = 16

_NAMED = 12


class Field(NamedTuple):
    """A value and where it stands."""

    section: str
    key: str
    value: object

    @property
    def path(self) -> str:
        """The keys from the outside in."""
        return f"{self.section}.{self.key}" if self.section else self.key


class Fields:
    """The fields of a configuration, seen from one section.

    Parameters
    ----------
    found : sequence of Field
    home : str
        The section that a family's own fields stand in.
    others : sequence of str
        Sections of other generators.
    """

    def __init__(self, found: Sequence[Field], home: str = "", others: Sequence[str] = ()) -> None:
        self._found = tuple(found)
        self.home = home
        self._others = tuple(_branch(each, home) for each in others)
        self._read: set[str] = set()
        self.notes: list[str] = []
        #: Fields that are not given, and what a family's code takes instead.
        self.assumed: dict[str, object] = {}

    @classmethod
    def of(cls, config: Mapping[object, object]) -> Fields:
        """Return the fields of nested plain data, or refuse what is none."""
        found: dict[str, Field] = {}
        for field in _flat(config, "", 0):
            known = found.setdefault(field.path, field)
            if known is not field:
                raise contradiction((known, field))
            if len(found) > _MOST_FIELDS:
                raise TooLargeError(
                    "the configuration has too many fields",
                    given=f"more than {_MOST_FIELDS}",
                    expected="the configuration of one model",
                )
        return cls(tuple(found.values()))

    def at(self, home: str) -> Fields:
        """Return the same fields, seen from a section; what is read there counts as read here."""
        seen = Fields(self._found, home)
        seen._others, seen._read = self._others, self._read
        seen.notes, seen.assumed = self.notes, self.assumed
        return seen

    def inside(self, section: str) -> Fields:
        """Return the fields of a section of this one."""
        return self.at(f"{self.home}.{section}" if self.home else section)

    def of_one(self, homes: Sequence[str]) -> Fields:
        """Return the fields seen from the first of some generators, without those of the others."""
        return Fields(self._found, homes[0], homes[1:])

    def __iter__(self) -> Iterator[Field]:
        return iter(self._found)

    def sections(self, keys: Iterable[str]) -> list[str]:
        """Return the sections that hold all keys, the outermost first."""
        held: dict[str, set[str]] = {}
        for field in self._found:
            held.setdefault(field.section, set()).add(field.key)
        wanted = set(keys)
        fitting = [each for each, own in held.items() if wanted <= own and not _is_elsewhere(each)]
        return sorted(fitting, key=lambda each: (each.count("."), bool(each)))

    def words(self) -> dict[str, str]:
        """Return the words that say which model it is, each with the path of its field."""
        found: dict[str, str] = {}
        for field in self._found:
            if field.key in TYPES:
                values = field.value if isinstance(field.value, list | tuple) else (field.value,)
                for value in values[:4]:
                    if isinstance(value, str):
                        word = value.rpartition(".")[2].rpartition(":")[2].lower()
                        found.setdefault(word, field.path)
        return found

    # ------------------------------------------------------------------ values by name

    def _find(self, names: Sequence[str]) -> Field | None:
        """Return the field of one of some names at home; two of different values are refused."""
        here = [each for each in self._found if each.section == self.home and each.key in names]
        here = [each for each in here if each.value is not None]
        self._read.update(each.path for each in here)
        if len(_different(here)) > 1:
            raise contradiction(here)
        return here[0] if here else None

    def has(self, *names: str) -> bool:
        """Return whether one of the names stands at home and is not null."""
        return self._find(names) is not None

    def _needed(self, names: Sequence[str], default: object) -> Field:
        found = self._find(names)
        if found is None:
            if default is None:
                raise FileFormatError(
                    "the configuration lacks a field",
                    given=f"no {' or '.join(names)}",
                    expected=f"{self._spoken(names[0])}",
                    fix=f'add "{names[0]}" beside the fields that are there',
                )
            self.assumed[self._spoken(names[0])] = default
            return Field(self.home, names[0], default)
        return found

    def _spoken(self, key: str) -> str:
        return f"{self.home}.{key}" if self.home else key

    def whole(
        self,
        *names: str,
        default: int | None = None,
        least: int = 1,
        most: int = LARGEST_COUNT,
    ) -> int:
        """Return a whole number; ``most`` bounds what counts modules."""
        field = self._needed(names, default)
        return whole_number(field.value, field.path, least=least, most=most)

    def wholes(self, *names: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """Return a list of positive whole numbers."""
        field = self._needed(names, default)
        return _wholes(field.value, field.path)

    def lists(
        self, *names: str, default: Sequence[Sequence[int]] | None = None
    ) -> tuple[tuple[int, ...], ...]:
        """Return a list of lists of positive whole numbers."""
        field = self._needed(names, default)
        return tuple(
            _wholes(each, f"{field.path}[{number}]")
            for number, each in enumerate(_listed(field.value, field.path))
        )

    def number(self, *names: str, default: float | None = None) -> float:
        """Return a finite number."""
        field = self._needed(names, default)
        return finite_number(field.value, field.path)

    def flag(self, *names: str, default: bool) -> bool:
        """Return true or false."""
        field = self._needed(names, default)
        if not isinstance(field.value, bool):
            raise ArgumentTypeError(
                f"{field.path} is on or off",
                given=f"{field.path}={shown(field.value)}",
                expected="true or false",
            )
        return field.value

    def word(self, *names: str, choices: Sequence[str], default: str | None = None) -> str:
        """Return one of some texts; a number is taken as its text."""
        field = self._needed(names, default)
        value = str(field.value) if isinstance(field.value, int) else field.value
        if not isinstance(value, str) or value not in choices:
            raise ArgumentError(
                f"{field.path} is not known",
                given=f"{field.path}={shown(field.value)}",
                expected=f"one of {', '.join(map(repr, choices))}",
            )
        return value

    # ------------------------------------------------------------------ fields from anywhere

    def anywhere(self, names: Sequence[str]) -> list[Field]:
        """Return fields from all sections but those of other networks, those at home first."""
        found = [
            each
            for each in self._found
            if each.key in names
            and each.value is not None
            and not _is_elsewhere(each.section)
            and not any(_is_inside(each.section, other) for other in self._others)
        ]
        self._read.update(each.path for each in found)
        return sorted(found, key=lambda each: each.section != self.home)

    def mel_bands(self) -> Field | None:
        """Return the mel bands of the features, from any section."""
        found = self.anywhere(("num_mels",))
        if len(_different(found)) > 1:
            raise contradiction(found)
        return found[0] if found else None

    def note_other_mels(self, channels: int) -> None:
        """Note mel bands that are not the channels of the input: it reads something else then."""
        bands = self.mel_bands()
        if bands is not None and not _equal(bands.value, channels):
            self.notes.append(
                f"the input has {channels} channels and not the {shown(bands.value)} of "
                f"{bands.path}"
            )

    def refuse_contradictions(self) -> None:
        """Refuse a second value of what was read at home and a generator has once."""
        for name in sorted(_ONCE):
            if any(each.key == name and each.path in self._read for each in self._at_home()):
                found = self.anywhere((name,))
                if len(_different(found)) > 1:
                    raise contradiction(found)

    def _at_home(self) -> list[Field]:
        return [each for each in self._found if each.section == self.home]

    def rate(self, given: object, usual: int | None = None) -> Fraction:
        """Return the output's sample rate: of the configuration, or given beside it.

        ``usual`` is the rate of a family whose code has it and whose configurations do not.
        """
        asked = None if given is None else positive_rate(given, "sample_rate")
        for names in RATES:
            found = self.anywhere(names)
            values = {each.path: positive_rate(each.value, each.path) for each in found}
            if len(set(values.values())) > 1:
                raise contradiction(found)
            for path, value in values.items():
                if asked not in (None, value):
                    raise ArgumentError(
                        "the sample rate is another one in the configuration",
                        given=f"{path}: {format_hertz(value)}, "
                        f"sample_rate={format_hertz(asked or value)}",
                        fix="leave sample_rate= out",
                    )
                return value
        if asked is None and usual is None:
            raise FileFormatError(
                "the configuration does not say its sample rate",
                given=f"no {', '.join(RATES[1])}",
                expected="the rate of the output in Hz",
                fix="upsim.from_config(config, sample_rate=24000), with the right number",
            )
        return Fraction(usual or 0) if asked is None else asked

    def assumptions(self, whose: str) -> list[str]:
        """Return a note on what was taken for fields that are not given, if there is any."""
        values = [
            f"{path.removeprefix(f'{self.home}.')}={json.dumps(value)}"
            for path, value in self.assumed.items()
        ]
        return [f"not given, so as {whose} has it: {', '.join(values)}"] if values else []

    def not_read(self, known: Iterable[str]) -> list[str]:
        """Return the paths of the fields at home that nothing was made of."""
        beside = _BESIDE | set(known) | set(TYPES)
        return [
            each.path
            for each in self._at_home()
            if each.value is not None
            and each.path not in self._read
            and each.key not in beside
            and not _is_elsewhere(each.key)
        ]


def listed_paths(paths: Sequence[str]) -> str:
    """Return a few paths in words."""
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


def _flat(config: Mapping[object, object], section: str, depth: int) -> Iterator[Field]:
    if depth > _DEEPEST:
        raise FileFormatError(
            "the configuration is nested too deeply",
            given=f"more than {_DEEPEST} objects inside each other",
            where=section[:80],
        )
    for key, value in config.items():
        if not isinstance(key, str) or not key.isprintable():
            continue  # a vocabulary: no field has a name that is no text
        path = f"{section}.{key}" if section else key
        if isinstance(value, Mapping):
            yield from _flat(value, path, depth + 1)
        else:
            inside, _, last = path.rpartition(".")
            yield Field(inside, last, value)


def _is_elsewhere(section: str) -> bool:
    parts = section.lower().replace("_", ".").split(".")
    return any(part.startswith(word) for part in parts for word in _ELSEWHERE)


def _is_inside(section: str, other: str) -> bool:
    return section == other or section.startswith(f"{other}.")


def _branch(other: str, home: str) -> str:
    """Return the outermost section of another generator that does not hold this one.

    Examples
    --------
    >>> _branch("large.model", "small.model"), _branch("both.b.model", "both.a.model")
    ('large', 'both.b')
    """
    keys, own = other.split("."), home.split(".") if home else []
    common = 0
    while common < min(len(keys) - 1, len(own)) and keys[common] == own[common]:
        common += 1
    return ".".join(keys[: common + 1])


def contradiction(fields: Sequence[Field], beside: str = "") -> ArgumentError:
    """Return the refusal of fields that say different things, each with its value."""
    given = [f"{each.path}={shown(each.value)}" for each in _different(fields)[:4]]
    return ArgumentError(
        "fields of the configuration contradict each other",
        given=", ".join([*given, *([beside] if beside else [])]),
        expected="one value",
        fix="remove the one that is not meant",
    )


def _different(fields: Sequence[Field]) -> list[Field]:
    """Return the first field of each value."""
    found: list[Field] = []
    for field in fields:
        if not any(_equal(field.value, each.value) for each in found):
            found.append(field)
    return found


def _equal(first: object, second: object) -> bool:
    try:
        return first is second or bool(first == second)
    except Exception:  # noqa: BLE001 - a stranger's comparison raises what it likes
        return False


def _listed(value: object, path: str) -> Sequence[object]:
    if not isinstance(value, list | tuple):
        raise ArgumentTypeError(
            f"{path} must be a list",
            given=f"{path}={shown(value)}",
            expected="a list of whole numbers",
        )
    if not value:
        raise ArgumentError(f"{path} is empty", given="[]", expected="at least one entry")
    if len(value) > _LONGEST_LIST:
        raise TooLargeError(
            f"{path} is too long",
            given=f"{len(value)} entries",
            expected=f"at most {_LONGEST_LIST}",
        )
    return value


def _wholes(value: object, path: str) -> tuple[int, ...]:
    return tuple(
        whole_number(each, f"{path}[{number}]") for number, each in enumerate(_listed(value, path))
    )
