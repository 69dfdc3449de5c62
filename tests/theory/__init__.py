"""Tests of the theory; a package, so that its independent oracle can be imported by name."""
