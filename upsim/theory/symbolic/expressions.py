"""What a layer or a linear stack does to a spectrum, as SymPy expressions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product

import sympy as sp

from upsim.errors import ArgumentError, ArgumentTypeError, NotPredictableError
from upsim.layers.base import Layer
from upsim.network.graph import Graph, refuse_several_inputs
from upsim.network.stack import Stack
from upsim.theory.symbolic import typeset
from upsim.theory.symbolic.laurent import Expr, z
from upsim.theory.symbolic.lowering import graph_transfer
from upsim.theory.symbolic.magnitude import Magnitude, decibels, omega
from upsim.theory.symbolic.naming import taps_by_node
from upsim.theory.symbolic.roots import multiplicity_at, value_at
from upsim.theory.symbolic.transfer import StretchTransfer, Transfer


@dataclass(frozen=True, eq=False)
class Symbolic:
    r"""The exact transfer function of a linear map, and what follows from it.

    The map is a stretch by ``L`` and the FIR :math:`H(z) = \sum_n h[n] z^{-n}`.  With one channel
    in and one out every answer is an expression; with more it is a matrix (out, in) of them, and
    :meth:`channel` picks one pair.  Where the map decimates, ``H`` is its polyphase matrix and
    ``z`` one block.  An offset that the layers add themselves (a bias) is no part of ``H``.

    Attributes
    ----------
    transfer : StretchTransfer or BlockTransfer
    name : str
        What was asked about.
    """

    transfer: Transfer
    name: str = ""

    @property
    def factor(self) -> int:
        """``L``: output phases, after which the map repeats itself."""
        return self.transfer.up

    @property
    def is_scalar(self) -> bool:
        """Whether one channel comes in and one goes out."""
        return self.transfer.channels == (1, 1)

    @cached_property
    def H(self) -> Expr:  # noqa: N802 - the formula's own letter
        """``H(z)``, or for a decimating map the polyphase matrix ``P(z)`` (rows ``o up + i``)."""
        matrix = self.transfer.response.expression()
        return matrix[0, 0] if matrix.shape == (1, 1) else matrix

    @cached_property
    def symbols(self) -> tuple[Expr, ...]:
        """The free symbols of ``H`` other than ``z``, by name."""
        return tuple(sorted(self.H.free_symbols - {z}, key=lambda symbol: symbol.sort_key()))

    @cached_property
    def phase_gains(self) -> tuple[Expr, ...]:
        r""":math:`g_i = \sum_m h[m L + i]`: what each output phase makes of a constant 1."""
        return tuple(self._summed(lambda tap: tap))

    @cached_property
    def phase_powers(self) -> tuple[Expr, ...]:
        r""":math:`\sum_m h[m L + i]^2`: each phase's variance for white input of power 1."""
        return tuple(self._summed(lambda tap: tap.applyfunc(lambda value: value**2)))

    @cached_property
    def tones(self) -> tuple[Expr, ...]:
        r"""Lines that an input offset of 1 makes: :math:`a_k = H(e^{j2\pi k/L}) / L`.

        They are the DFT of the phase gains over ``L``; line ``k`` lies at ``k / L`` of the output
        rate.
        """
        gains = [sp.Matrix([gain]) for gain in self.phase_gains]
        out, inward = self.transfer.channels
        found = []
        for k in range(self.factor):
            line = sp.zeros(out, inward)
            for pair in product(range(out), range(inward)):
                by_phase = {i: gain[pair] for i, gain in enumerate(gains)}
                line[pair] = sp.expand(value_at(by_phase, Fraction(k, self.factor)) / self.factor)
            found.append(self._shaped(line))
        return tuple(found)

    @cached_property
    def condition(self) -> tuple[Expr, ...]:
        r"""The equations under which no input offset makes a tone: equal phase gains.

        Constant in, constant out, if and only if :math:`g_0 = g_i` for every phase, if and only if
        :math:`H(e^{j2\pi k/L}) = 0` for ``k = 1 … L - 1`` (Harada, Muramatsu & Kiya 1998; Sugawara,
        Shiota & Kiya, ICIP 2018).  Empty: no tone, whatever the symbols; ``False`` among them: a
        tone, whatever the symbols.
        """
        first, *others = (sp.Matrix([gain]) for gain in self.phase_gains)
        pairs = (pair for other in others for pair in zip(first, other, strict=True))
        equations = (sp.Eq(left, right) for left, right in pairs if sp.expand(left - right) != 0)
        return tuple(dict.fromkeys(equations))

    @cached_property
    def nulls(self) -> dict[int, Expr]:
        r"""Multiplicity of the zero of ``H`` at :math:`e^{j2\pi k/L}`, ``k = 1 … L - 1``.

        0: the line passes.  ``d + 1`` at every ``k``: no replicas of polynomials up to degree
        ``d`` (Strang & Fix 1971).  With several channels: the least of all pairs.
        """
        return {k: self.multiplicity(Fraction(k, self.factor)) for k in range(1, self.factor)}

    def multiplicity(self, frequency: Fraction) -> Expr:
        """Return the multiplicity of the zero at a frequency in cycles per output sample.

        Examples
        --------
        >>> from upsim.layers import Hold
        >>> symbolic(Hold(4, 3)).multiplicity(Fraction(1, 4))
        3
        """
        response = self._fir().response
        out, inward = response.shape
        turn = Fraction(frequency)
        pairs = product(range(out), range(inward))
        return min(multiplicity_at(response.entry(o, c), turn) for o, c in pairs)

    @cached_property
    def droop(self) -> Expr:
        r""":math:`|H|` at the old Nyquist, :math:`\omega = \pi / L`, over :math:`|H(1)|`."""
        constant = value_at(self._one_pair(), Fraction(0))
        if constant == 0:
            raise NotPredictableError(
                "the droop is measured against the gain at 0 Hz, which is 0 here",
                given=self.name,
                expected="a map that passes a constant",
                fix="s.magnitude(sympy.pi / s.factor) is the magnitude at the old Nyquist",
            )
        return sp.simplify(self.magnitude(sp.pi / self.factor) / sp.Abs(constant))

    @property
    def droop_db(self) -> Expr:
        """The droop in decibels, exact; ``float()`` of it is the number."""
        return decibels(self.droop)

    def tone_db(self, k: int) -> Expr:
        r"""Return line ``k`` over the constant, :math:`20 \log_{10} |a_k| / |a_0|`, exact."""
        self._one_pair()
        return decibels(sp.Abs(self.tones[k]) / sp.Abs(self.tones[0]))

    def magnitude(self, frequency: Expr = omega) -> Expr:
        r"""Return :math:`|H(e^{j\omega})|`, a product of sines where it closes.

        Parameters
        ----------
        frequency : expression
            ``omega``, radians per output sample: the symbol, or a number such as ``pi / 4``.

        Examples
        --------
        >>> from upsim.layers import Nearest
        >>> symbolic(Nearest(4)).magnitude()
        Abs(sin(2*omega))/Abs(sin(omega/2))
        """
        return Magnitude.of(self._one_pair()).at(frequency)

    @cached_property
    def factored(self) -> Expr:
        """``H(z)`` as a product of irreducible polynomials in ``1/z``."""
        taps = self._one_pair()
        first = min(taps, default=0)
        inverse = sp.Symbol("u")
        polynomial = sum((tap * inverse ** (n - first) for n, tap in taps.items()), sp.Integer(0))
        return sp.factor(polynomial).subs(inverse, 1 / z) * z**-first

    def channel(self, out: int, inward: int) -> Symbolic:
        """Return the expressions of one output channel and one input channel.

        Examples
        --------
        >>> from upsim.layers import HaarSynthesis
        >>> haar = symbolic(HaarSynthesis())
        >>> haar.channel(0, 1).H
        sqrt(2)/2 - sqrt(2)/(2*z)
        """
        outs, ins = self.transfer.channels
        if not (0 <= out < outs and 0 <= inward < ins):
            raise ArgumentError(
                "there is no such pair of channels",
                given=f"channel({out}, {inward})",
                expected=f"out below {outs}, in below {ins}, from 0",
                fix="channel(0, 0)",
            )
        return Symbolic(self.transfer.pair(out, inward), f"{self.name}, {inward} to {out}")

    def latex(self) -> str:
        """Return one aligned LaTeX block: ``H(z)``, phase gains, tones, nulls and droop."""
        lines = typeset.transfer_lines(self.transfer)
        lines += typeset.numbered("g", self.phase_gains)
        lines += typeset.numbered("a", self.tones)
        lines += typeset.condition_lines(self.condition)
        if isinstance(self.transfer, StretchTransfer):
            lines += typeset.null_lines(self.nulls, self.factor)
            if self.is_scalar and self.tones[0] != 0:
                lines += typeset.droop_lines(self.droop, self.factor, numeric=not self.symbols)
        return typeset.aligned(lines)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __repr__(self) -> str:
        return f"<Symbolic {self.name}: L = {self.factor}, H(z) = {self.H}>"

    def _summed(self, of: typeset.Function) -> list[Expr]:
        blank = sp.zeros(*self.transfer.channels)
        return [
            self._shaped(sum(map(of, map(sp.Matrix, taps)), blank).applyfunc(sp.expand))
            for taps in self.transfer.phase_taps()
        ]

    def _shaped(self, matrix: Expr) -> Expr:
        return matrix[0, 0] if self.is_scalar else sp.ImmutableMatrix(matrix)

    def _fir(self) -> StretchTransfer:
        if isinstance(self.transfer, StretchTransfer):
            return self.transfer
        raise NotPredictableError(
            "a map that decimates has a polyphase matrix and no single H(z) at its output rate",
            given=f"{self.name}, which repeats every {self.transfer.down} input samples",
            expected="a stretch followed by an FIR",
            fix="s.H, s.phase_gains, s.phase_powers, s.tones and s.condition hold for it, too; or "
            "ask for the layers that do not decimate as a stack of their own",
        )

    def _one_pair(self) -> dict[int, Expr]:
        response = self._fir().response
        if not self.is_scalar:
            outs, ins = self.transfer.channels
            raise NotPredictableError(
                "a magnitude belongs to one pair of channels",
                given=f"{ins} channels in, {outs} out",
                expected="one in, one out",
                fix="s.channel(0, 0)",
            )
        return response.entry(0, 0)


def symbolic(subject: Layer | Graph, *, taps: object = None) -> Symbolic:
    r"""Return the exact transfer function of a layer or of a linear stack.

    A stack folds to one stretch and one filter, :math:`H(z) = \prod_i H_i(z^{L_{i+1} \cdots L_N})`.
    Rational kernels come out in exact rationals; a float weight is the rational that it is.

    Parameters
    ----------
    subject : Layer, Stack or Graph
        Linear; branches may be inside.
    taps : str, sequence of expressions, or dict of them by layer number, optional
        What stands for the weights: ``"h"`` makes real symbols ``h_k``, or ``h_{o,c,k}`` with the
        indices of the layer's weight in torch's layout (axes of length 1 left out), or
        ``h^{(2)}_{k}`` where several layers have weights.  For a learned interpolation it is the
        share of the earlier sample, after the sigmoid.

        Layers inside branches are numbered as reports do: ``{"2.1.1": "h"}``.

    Returns
    -------
    Symbolic

    Notes
    -----
    A kernel that was computed in floats (a windowed sinc, drawn weights) has the tones of its own
    rounding: 1e-17 is not 0 here.

    Examples
    --------
    >>> from upsim.layers import Linear, TransposedConv
    >>> s = symbolic(Linear(2))
    >>> s.H, s.nulls, s.droop
    (z/4 + 3/4 + 3/(4*z) + 1/(4*z**2), {1: 3}, sqrt(2)/4)
    >>> symbolic(TransposedConv(1, 1, 3, 2), taps="h").condition
    (Eq(h_0 + h_2, h_1),)
    """
    if isinstance(subject, Layer):
        # The stack knows how many channels a layer needs; its rate is never looked at.
        graph: Graph = Stack([subject], 1)
    elif isinstance(subject, Graph):
        graph = subject
        refuse_several_inputs(graph, "symbolic")
    else:
        raise ArgumentTypeError(
            "symbolic takes a layer or a stack",
            given=f"{subject!r:.60} of type {type(subject).__name__}",
            fix="upsim.symbolic(upsim.Linear(2))",
        )
    transfer = graph_transfer(graph, taps_by_node(graph, taps))
    name = ", ".join(repr(part.layer) for part in graph.parts)
    return Symbolic(transfer, name if len(name) <= 80 else f"{len(graph)} layers")
