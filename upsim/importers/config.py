"""A model from its configuration alone: no weights, the model's own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod
from pathlib import Path

from upsim.errors import (
    ArgumentError,
    ArgumentTypeError,
    FileFormatError,
    NotPredictableError,
    UnknownNameError,
    UpsimError,
)
from upsim.importers.configfile import read_config
from upsim.importers.families import FAMILIES
from upsim.importers.families.family import Family, Model
from upsim.importers.families.hifigan import STRIDES
from upsim.importers.fields import HOPS, STRIDE_WORDS, Field, Fields, contradiction, listed_paths
from upsim.network.graph import Graph
from upsim.words.arguments import shown
from upsim.words.units import exact


def from_config(config: Mapping[str, object] | str | Path, *, sample_rate: object = None) -> Graph:
    """Return the generator that a configuration describes, under its modules' own names.

    Weights are the initialisations of its layers, so questions of structure need nothing more:
    which lines are possible, and first at which module.  What the configuration leaves out is in
    :attr:`Graph.notes`, with the fields that were not read.

    Parameters
    ----------
    config : mapping, or path of a JSON or YAML file
        As the model's code base has it.  The family is told by ``model_type``, ``generator_type``,
        ``_target_`` and their like, or else by the fields.
    sample_rate : number, optional
        Of the output, in Hz, where the configuration does not have it.

    Examples
    --------
    >>> config = {
    ...     "resblock": "1",
    ...     "upsample_rates": [8, 8, 2, 2],
    ...     "upsample_kernel_sizes": [16, 16, 4, 4],
    ...     "upsample_initial_channel": 512,
    ...     "resblock_kernel_sizes": [3, 7, 11],
    ...     "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    ...     "num_mels": 80,
    ...     "hop_size": 256,
    ...     "sampling_rate": 22050,
    ... }
    >>> import upsim
    >>> upsim.explain(from_config(config), "5.5kHz").layer
    'ups.2'
    """
    place = ""
    if isinstance(config, str) and config.lstrip()[:1] in ("{", "["):
        raise ArgumentTypeError(
            "a configuration is a mapping, or the path of a file",
            given="the text of one",
            fix="upsim.from_config(json.loads(text))",
        )
    if not isinstance(config, Mapping):
        place, content = str(config), read_config(config)
        if not isinstance(content, Mapping):
            raise FileFormatError(
                "a configuration is an object with fields", given=shown(content), where=place
            )
        config = content
    try:
        return _graph(config, sample_rate)
    except UpsimError as error:
        raise (error.at(place) if place else error) from None


def _graph(config: Mapping[str, object], sample_rate: object) -> Graph:
    try:
        fields = Fields.of(dict(config.items()))
    except UpsimError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's mapping raises what it likes
        raise ArgumentTypeError(
            "the configuration is no mapping that can be read",
            given=f"{type(config).__name__}: {str(error)[:100]}",
            expected="a dict of plain data",
        ) from None
    family, homes = _family_of(fields)
    if family.read is None:
        raise NotPredictableError(
            f"{family.title} cannot be said from its configuration: {family.refusal}",
            given=f"a configuration of {family.title}",
            expected="a generator of convolutions and activations",
            fix="upsim.from_torch(generator, ...), which keeps such a node as opaque",
        )
    fields = fields.of_one(homes)
    if len(homes) > 1:
        fields.notes.append(f"several generators: that of {homes[0] or 'the top'} is read")
    try:
        model = family.read(fields, sample_rate)
        _check_frames(fields, model)
        fields.refuse_contradictions()
        notes = [*fields.notes, *fields.assumptions(family.title)]
        notes += _unread(fields, family)
        return model.graph(family.title, notes)
    except UpsimError as error:
        raise error.at(f"read as {family.title}") from None


def _family_of(fields: Fields) -> tuple[Family, list[str]]:
    """Return the family and the sections in which its fields stand."""
    words = fields.words()
    told = [each for each in FAMILIES if set(each.types) & set(words)]
    for family in (*told, *(each for each in FAMILIES if each not in told)):
        for keys in family.sets_for(told=family in told):
            homes = fields.sections(keys)
            if homes:
                if told and family not in told:
                    raise _two_families(told[0], family, words, keys)
                return family, homes
    if told:
        if told[0].read is None:
            return told[0], [""]
        wanted = " or ".join(", ".join(each) for each in told[0].sets)
        raise FileFormatError(
            f"the configuration says that it is of {told[0].title} and lacks its fields",
            given=listed_paths([each.path for each in fields]) or "no fields",
            expected=wanted,
        )
    strides = fields.anywhere((*STRIDE_WORDS, "ratios", "strides"))
    if strides:
        raise _strides_alone(strides[0])
    known = ", ".join(each.title for each in FAMILIES)
    kind = ", ".join(f"{path}: {word}" for word, path in list(words.items())[:3])
    raise UnknownNameError(
        "this is the configuration of no family that upsim knows",
        given=kind or listed_paths([each.path for each in fields]) or "no fields",
        expected=known,
        fix="upsim.from_torch(module, ...), or upsim.Stack([...], sample_rate=...)",
    )


def _strides_alone(strides: Field) -> FileFormatError:
    """Return the refusal of strides that nothing else stands beside."""
    ways = [
        f"{', '.join(key for key in keys if key != strides.key)} ({family.title})"
        for family in FAMILIES
        if family.read is not None
        for keys in family.sets
        if strides.key in keys and len(keys) > 1
    ]
    fix = ""
    if strides.key in STRIDES and isinstance(strides.value, list | tuple):
        kernels = [2 * each for each in strides.value if isinstance(each, int)]
        fix = f'add "upsample_kernel_sizes": {kernels}, if it is a HiFi-GAN'
    return FileFormatError(
        "strides alone do not say which generator it is",
        given=f"{strides.path}={shown(strides.value)}",
        expected=f"beside it one of: {'; '.join(dict.fromkeys(ways))}" if ways else "more fields",
        fix=fix,
    )


def _two_families(
    told: Family, found: Family, words: Mapping[str, str], keys: Sequence[str]
) -> ArgumentError:
    path = next(words[each] for each in told.types if each in words)
    return ArgumentError(
        "the configuration says one family and has the fields of another",
        given=f"{path} says {told.title}, {', '.join(keys)} are of {found.title}",
        expected="one family",
        fix=f"remove {path}, or the fields that are not meant",
    )


def _check_frames(fields: Fields, model: Model) -> None:
    """Refuse factors that do not multiply to the samples of a frame."""
    product = prod(number for _, number in model.factors)
    words = " × ".join(word for word, _ in model.factors) or "1"
    found = fields.anywhere(HOPS)
    hops = [(each.path, exact(each.value, each.path)) for each in found]
    if len({hop for _, hop in hops}) > 1:
        raise contradiction(found, f"the strides multiply to {words} = {product}")
    for path, hop in (*hops, *model.frames):
        if hop != product:
            shown_hop = int(hop) if hop.denominator == 1 else float(Fraction(hop))
            raise ArgumentError(
                "the strides do not multiply to the samples of a frame",
                given=f"{words} = {product}, {path} {shown_hop}",
                expected="equal numbers",
                fix="check the strides, the hop and the bands",
            )


def _unread(fields: Fields, family: Family) -> list[str]:
    paths = fields.not_read(family.beside)
    return [f"fields of the configuration not read: {listed_paths(paths)}"] if paths else []
