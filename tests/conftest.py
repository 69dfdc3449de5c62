"""What every test shares: Hypothesis profiles, no screen, optional parts skipped with a reason."""

import importlib.util
import os

# Before anything imports pyplot, also in subprocesses and in the doctests of upsim.
os.environ["MPLBACKEND"] = "Agg"

import pytest
from hypothesis import settings

# quick: what everybody runs. In CI the examples are a function of the test alone, so that a red run
# can be repeated. No deadline: a busy machine is not a bug.
settings.register_profile(
    "quick", max_examples=25, deadline=None, derandomize=bool(os.environ.get("CI"))
)
# thorough: new random examples on every run, many of them, before a release.
# pytest --hypothesis-profile=thorough   or   HYPOTHESIS_PROFILE=thorough pytest
settings.register_profile("thorough", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def _cuda_is_there() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what needs a part that this machine lacks."""
    torch_is_there = importlib.util.find_spec("torch") is not None
    wants_cuda = any(item.get_closest_marker("cuda") for item in items)
    cuda_is_there = torch_is_there and wants_cuda and _cuda_is_there()
    for item in items:
        needs_cuda = item.get_closest_marker("cuda") is not None
        needs_torch = needs_cuda or item.get_closest_marker("torch") is not None
        if needs_torch and not torch_is_there:
            item.add_marker(pytest.mark.skip(reason='torch is missing: pip install ".[torch]"'))
        elif needs_cuda and not cuda_is_there:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
