"""The reference lists every public name, and nothing that does not exist."""

import re
from functools import reduce
from pathlib import Path

import upsim
from upsim import errors, neural, show, testing  # noqa: F401 - reached through upsim below
from upsim.importers import flax  # noqa: F401 - as above

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.rst").read_text(encoding="utf-8")
LISTED = re.findall(r"^   (\w[\w.]*)$", PAGE, re.MULTILINE)


def test_every_public_name_is_in_the_reference():
    rooms = {"errors", "gaussian", "layers", "models", "neural", "operators", "testing"}
    modules = {"__version__"} | rooms
    names = set(upsim.__all__) - modules
    assert names - set(LISTED) == set()


def test_every_name_in_the_reference_exists():
    for name in LISTED:
        assert reduce(getattr, name.split("."), upsim) is not None, name


def test_every_error_is_in_the_reference():
    kinds = {
        f"errors.{name}"
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.UpsimError)
    }
    assert kinds == {name for name in LISTED if name.startswith("errors.")}


def test_every_model_is_in_the_reference():
    names = {f"models.{name}" for name in upsim.models.__all__ if name != "NAMES"}
    assert names == {name for name in LISTED if name.startswith("models.")}
