"""Doors: models of other frameworks become graphs.

A door (torch, ONNX, Keras) writes down what a model computes as a neutral
:class:`~upsim.importers.recording.Recording`; :func:`~upsim.importers.lowering.lowered` makes a
:class:`~upsim.Graph` of it.
"""
