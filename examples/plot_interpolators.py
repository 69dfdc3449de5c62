"""
Interpolators side by side: droop and nulls
===========================================

An interpolator is a stretch and a fixed filter. It should pass the old band (up to the old
Nyquist frequency) and remove the replicas above it. None does both: the gentle ones *droop* in
the band and leak above it, and all of them are judged by their *nulls*, the places where an
offset would leave a line.
"""

import numpy as np
import picture

import upsim

layers = {
    "stretch": upsim.Stretch,
    "nearest": upsim.Nearest,
    "linear, half-pixel": upsim.Linear,
    "linear, triangle": lambda factor: upsim.Linear(factor, "triangle"),
    "cubic, a = -0.75": upsim.Cubic,
    "windowed sinc": upsim.WindowedSinc,
}
factors = (2, 4)
reports = {}
for name, make in layers.items():
    for factor in factors:
        stack = upsim.Stack([make(factor)], sample_rate=4000 * factor)
        (reports[name, factor],) = upsim.predict(stack, upsim.WhiteNoise()).filtering

for (name, factor), report in reports.items():
    nulls = ", ".join(
        f"{float(null.frequency):g} Hz ({null.multiplicity}-fold)" for null in report.nulls
    )
    print(f"x{factor} {name:20} droop {report.droop:6.2f} dB   nulls: {nulls or 'none'}")

# %%
# What to see
# -----------
# * **Stretch** is no filter: every replica is as strong as the band, an offset leaves at full
#   level.
# * **Nearest** has a simple zero at every multiple of the input rate, so offsets leave no line.
#   Its droop is 3.01 dB for a factor of 2.
# * **Linear** has deeper zeros and, for that, at least twice the droop.
# * **Cubic** bends less inside the band.
# * A **windowed sinc** comes close to what a resampler does; its many taps are the price.
#
# The multiplicity says how good a null is: with a *d*-fold zero not only constants but all
# polynomials of degree below *d* leave no replica (Strang and Fix).
#
# Two kinds of linear
# -------------------
# The textbook's triangle puts output sample *mL* on input sample *m*. torch's default
# (`align_corners=False`) samples the same triangle at half-pixel centres. For an odd factor
# that is the same kernel, shifted. For an even factor it is not, and the droop for x2 is 9.03
# dB, not 6.02:

for convention in ("half-pixel", "triangle"):
    for factor in (2, 3):
        taps = upsim.Linear(factor, convention).operator(1).taps[0, 0]
        print(f"x{factor} {convention:10} taps {taps.round(4)}")

# %%
# The witness
# -----------
# One run of each layer in NumPy, fed with a single 1: the transform of what comes out is the
# filter.

errors = {}
turns = np.linspace(0, 0.5, 1001)
gains = {}
for name, make in layers.items():
    for factor in factors:
        layer, middle = make(factor), 64
        impulse = np.zeros((1, 2 * middle + 1))
        impulse[0, middle] = 1.0
        stack = upsim.Stack([layer], sample_rate=4000 * factor)
        response = upsim.neural.run(stack, impulse)[0]
        times = np.arange(response.size) - factor * middle
        measured = np.exp(-2j * np.pi * np.outer(turns, times)) @ response
        gains[name, factor] = layer.operator(1).response(turns)[:, 0, 0]
        errors[name, factor] = np.abs(measured - gains[name, factor]).max()
print(f"largest difference of all: {max(errors.values()):.1e}")

# %%

axes = picture.new_axes(rows=2, columns=1, height=10)[:, 0]
styles = ["-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1)), "-"]
colours = ["0.6", "#0072B2", "#D55E00", "#E69F00", "#009E73", "#000000"]
for ax, factor in zip(axes, factors, strict=True):
    for name, style, colour in zip(layers, styles, colours, strict=True):
        power = np.maximum(np.abs(gains[name, factor] / gains[name, factor][0]) ** 2, 1e-12)
        ax.plot(
            turns * 4 * factor, 10 * np.log10(power), ls=style, color=colour, lw=2.2, label=name
        )
    ax.axvline(2, color="0.4", lw=1, ls=":")
    ax.text(2.02, 1.5, "old Nyquist", fontsize=12, color="0.3")
    ax.set_ylim(-80, 6)
    ax.set_xlim(0, 2 * factor)
    ax.set_title(f"x{factor}: 4 kHz in, {4 * factor} kHz out", loc="left", fontsize=15)
    ax.set_ylabel("gain (dB re 0 Hz)", fontsize=14)
    ax.tick_params(labelsize=12)
    ax.grid(color="0.88")
axes[1].set_xlabel("frequency (kHz)", fontsize=14)
axes[0].legend(ncols=3, fontsize=12, loc="lower left")

# sphinx_gallery_start_ignore
picture.save(axes[0].figure, "interpolators.png")
# sphinx_gallery_end_ignore
