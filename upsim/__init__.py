"""Predict in closed form what the upsampling layers of a neural audio network do to a spectrum."""

__version__ = "0.1.0"
