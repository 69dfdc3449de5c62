"""Contributions add as phasors, and the strongest come first."""

from __future__ import annotations

import numpy as np
import pytest

from upsim.show import ContributionRow, ToneRow, draw_provenance
from upsim.show.provenance import strongest_contributions
from upsim.words.tolerance import rounding


def part(power, phase, *, frequency_hz=1.0, layer="1", cause="bias"):
    return ContributionRow(
        frequency_hz=frequency_hz, layer=layer, cause=cause, power=power, phase=phase
    )


def test_the_rest_is_a_sum_of_phasors():
    group = [part(9.0, 0.0), part(4.0, 0.0), part(4.0, np.pi / 2)]
    kept, rest = strongest_contributions(group, 2)
    assert kept.power == 9.0
    # |2 + 2j|^2 = 8, at 45 degrees.
    assert rest.power == pytest.approx(8.0, rel=rounding(8, 1.0))
    assert rest.phase == pytest.approx(np.pi / 4, rel=rounding(8, 1.0))


def test_opposite_phasors_leave_nothing_and_unknown_phases_add_as_powers():
    _, rest = strongest_contributions([part(9.0, 0.0), part(1.0, 0.0), part(1.0, np.pi)], 2)
    assert rest.power < rounding(8, 1.0)
    _, rest = strongest_contributions([part(9.0, None), part(1.0, None), part(1.0, None)], 2)
    assert (rest.power, rest.phase) == (2.0, None)


def test_bars_stand_at_their_levels_and_the_sum_beside_them(tones, contributions):
    ax = draw_provenance(tones, contributions, strongest=2)
    low = ax.get_ylim()[0]
    tops = [bar.get_y() + bar.get_height() for bar in ax.patches if bar.get_y() == low]
    # 0.25 + 2j, twice 0.25 - 1j, 0.25; together 1: and the same 13 dB lower for the next line.
    phasors = np.array([0.25 + 2j, 0.25 - 1j, 0.25 - 1j, 0.25, 1.0])
    levels = 20 * np.log10(np.abs(phasors))
    assert tops == pytest.approx([*levels, *(levels - 13.0)], abs=rounding(64, 100.0))
    assert [text.get_text() for text in ax.texts] == ["0 Hz", "8 kHz"]


def test_lines_of_unknown_phase_have_no_arrows():
    tone = ToneRow(frequency_hz=1.0, power=1.0, layer="1", cause="bias")
    arrows = [len(draw_provenance([tone], [part(1.0, phase)]).collections) for phase in (0.0, None)]
    assert arrows == [1, 0]
