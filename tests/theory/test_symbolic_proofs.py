"""The overlap rule, the factorisations, Strang & Fix: proofs, and kernels that break them."""

import pytest
import sympy as sp

from upsim.errors import ArgumentError
from upsim.layers import Hold, Stretch, TransposedConv
from upsim.network.stack import Stack
from upsim.theory.symbolic import (
    Proof,
    Step,
    all_ones_tones,
    box_division,
    equal_gains_factorisation,
    icnr_factorisation,
    overlap_rule,
    prove_multiplicity,
    prove_overlap_rule,
    prove_tones,
    strang_fix,
    symbolic,
    z,
)
from upsim.theory.symbolic.overlap import whole_taps as m
from upsim.theory.symbolic.roots import is_zero

CASES = [(L, r) for L in range(1, 9) for r in range(L)]


def decibels(expression):
    return round(float(expression), 2)


def test_the_rule_for_all_symbols_at_once():
    proof = prove_overlap_rule()
    assert proof.failures == ()
    assert "\\text{chord of the unit circle}" in proof.latex()
    assert proof.latex().count("\\\\") == len(proof.steps) - 1


@pytest.mark.parametrize(("factor", "remainder"), CASES)
def test_the_rule_for_every_kernel_of_one_remainder(factor, remainder):
    rule = all_ones_tones(factor, remainder)
    assert rule.proof.failures == ()
    assert rule.phase_gains == (m + 1,) * remainder + (m,) * (factor - remainder)
    assert is_zero(rule.tones[0] - rule.kernel_size / factor)
    # |a_k|^2 = ratio^2 a_0^2, exactly and for every m.
    for k in range(1, factor):
        squared = rule.tones[k] * sp.conjugate(rule.tones[k])
        assert is_zero(squared - (rule.ratio(k) * rule.kernel_size / factor) ** 2)
    assert rule.has_tones == bool(remainder)


@pytest.mark.parametrize("factor", range(1, 7))
def test_the_symbolic_rule_at_numbers_is_the_layers_own_answer(factor):
    for kernel_size in range(1, 2 * factor + 2):
        count, remainder = divmod(kernel_size, factor)
        general = all_ones_tones(factor, remainder)
        exact = overlap_rule(factor, kernel_size)
        layer = symbolic(TransposedConv(1, 1, kernel_size, factor, weight="ones"))
        assert exact.proof.holds
        assert exact.phase_gains == layer.phase_gains
        assert tuple(tone.subs(m, count) for tone in general.tones) == exact.tones == layer.tones
        assert (not exact.has_tones) == (kernel_size % factor == 0)


@pytest.mark.parametrize(
    ("kernel_size", "factor", "expected"),
    [
        (3, 2, {1: -9.54}),
        (25, 4, {1: -27.96}),
        (16, 5, {1: -24.08}),
        (8, 6, {1: -13.29, 2: -18.06}),
    ],
)
def test_numbers_of_the_rule(kernel_size, factor, expected):
    rule = overlap_rule(factor, kernel_size)
    assert {k: decibels(rule.ratio_db(k)) for k in expected} == expected


def test_an_exact_zero_under_partial_overlap():
    rule = overlap_rule(6, 8)
    assert rule.overlap == "partial"
    assert rule.tones[3] == rule.ratio(3) == 0
    assert rule.ratio_db(3) == -sp.oo
    assert (overlap_rule(4, 4).overlap, overlap_rule(4, 8).overlap) == ("none", "full")
    assert all_ones_tones(6, 2).ratio(3) == 0  # for every m, not for 8 taps alone


@pytest.mark.parametrize(("factor", "remainder"), [(2, 1), (3, 1), (4, 2), (7, 3)])
def test_teeth_another_kernel_fails_the_rule(factor, remainder):
    rule = all_ones_tones(factor, remainder)
    # One tap of 2 among the ones.
    louder = (rule.phase_gains[0] + 1, *rule.phase_gains[1:])
    assert not prove_tones(louder, rule.kernel_size).holds
    # The right number of taps in the wrong phases.
    swapped = rule.phase_gains[::-1]
    assert not prove_tones(swapped, rule.kernel_size).holds
    # The right gains, a kernel one tap longer.
    assert not prove_tones(rule.phase_gains, rule.kernel_size + 1).holds


def test_teeth_a_wrong_step_is_found_and_named():
    wrong = Step("one and one", sp.Integer(2), sp.Integer(3))
    proof = Proof("arithmetic", (Step("fine", sp.Integer(2), sp.Integer(2)), wrong))
    assert not proof.holds
    assert proof.failures == (wrong,)


@pytest.mark.parametrize("remainder", [-1, 4, 5])
def test_a_remainder_is_below_the_factor(remainder):
    with pytest.raises(ArgumentError, match="remainder"):
        all_ones_tones(4, remainder)


@pytest.mark.parametrize(
    ("factor", "kernel_size"), [(1, 3), (2, 2), (2, 5), (3, 7), (4, 8), (5, 6)]
)
def test_equal_phase_gains_factor_out_the_box(factor, kernel_size):
    result = equal_gains_factorisation(factor, kernel_size)
    assert result.proof.failures == ()
    assert result.remainder == 0
    assert sp.expand(result.H - result.quotient * result.box) == 0
    # All K - (L - 1) taps that the condition leaves are free.
    assert len(result.H.free_symbols - {z}) == kernel_size - factor + 1


@pytest.mark.parametrize(("factor", "kernel_size"), [(2, 3), (3, 4), (4, 9)])
def test_and_only_equal_phase_gains_do(factor, kernel_size):
    taps = sp.symbols(f"h_:{kernel_size}", real=True)
    result = box_division(taps, factor)
    # The division and the form of the remainder hold; that it is zero does not.
    assert [step.holds for step in result.proof.steps] == [True, True, False]
    layer = symbolic(TransposedConv(1, 1, kernel_size, factor), taps="h")
    # The remainder vanishes exactly under the layer's own condition.
    solution = sp.solve(layer.condition, taps[: factor - 1], dict=True)[0]
    assert sp.expand(result.remainder.subs(solution)) == 0


def test_a_kernel_shorter_than_the_factor_is_refused():
    with pytest.raises(ArgumentError, match="at least one tap") as caught:
        equal_gains_factorisation(4, 3)
    assert caught.value.fix == "kernel_size=4"


@pytest.mark.parametrize(("factor", "slots"), [(2, 1), (2, 3), (3, 2), (5, 3)])
def test_icnr_is_a_low_rate_filter_and_nearest_neighbour(factor, slots):
    result = icnr_factorisation(factor, slots)
    assert result.holds
    assert sp.expand(result.H - result.quotient * result.box) == 0
    powers = sp.Poly(result.quotient.subs(z, 1 / sp.Symbol("x")), sp.Symbol("x")).monoms()
    assert all(power % factor == 0 for (power,) in powers)


def test_teeth_a_kernel_that_is_no_icnr_draw():
    p = sp.symbols("p_:2", real=True)
    assert not box_division([p[0], p[0], p[1], 2 * p[1]], 2).holds


@pytest.mark.parametrize(("factor", "order"), [(2, 1), (2, 4), (3, 2), (4, 3), (7, 2)])
def test_strang_fix(factor, order):
    assert strang_fix(factor, order).holds
    s = symbolic(Stack([Stretch(factor), Hold(factor, order)], 8))
    assert set(s.nulls.values()) == {order}


def test_strang_fix_means_that_polynomials_leave_no_replica():
    # With x[b] = (L b)^p, output sample t of phase i is the sum of h[n] (t - n)^p over the taps
    # n = i (mod L).  No replica: all phases are one polynomial in t.
    t = sp.Symbol("t")
    factor, order = 4, 3
    stack = Stack([Stretch(factor), Hold(factor, order)], 8)
    taps = symbolic(stack).transfer.response.entry(0, 0)

    def phases(degree):
        return {
            sp.expand(sum(tap * (t - n) ** degree for n, tap in taps.items() if n % factor == i))
            for i in range(factor)
        }

    assert [len(phases(degree)) for degree in range(order)] == [1] * order
    assert len(phases(order)) > 1


def test_teeth_a_triangle_is_no_hold_of_order_three():
    assert prove_multiplicity([1, 2, 1], 2, 2).holds
    assert not prove_multiplicity([1, 2, 1], 2, 3).holds
    assert not prove_multiplicity([1, 3, 1], 2, 2).holds
    # Order 2 exactly: a third zero is a failure, too.
    assert not prove_multiplicity([1, 3, 3, 1], 2, 2).holds
