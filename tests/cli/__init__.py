"""Tests of the command line; a package, so that its conftest and the others coexist."""
