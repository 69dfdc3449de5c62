"""
Figure 5: overlap and weights, four cases
=========================================

Ones go through a transposed convolution without a bias: partial overlap (rows 1 and 2) and full
overlap (rows 3 and 4), each with a kernel of ones (rows 1 and 3) and with a random one (rows 2
and 4).

The figure's text names the rows but not their numbers. Here: stride 2 in all of them, length 3
for partial overlap and length 4 for full, PyTorch's default weights (seed 3) for the random
kernels, 4 kHz in and 8 kHz out.
"""

import numpy as np
import picture

import upsim

rows = {
    "1: partial overlap, ones": (3, "ones"),
    "2: partial overlap, random": (3, "torch"),
    "3: full overlap, ones": (4, "ones"),
    "4: full overlap, random": (4, "torch"),
}
ones = np.ones((1, 8))
predictions, tones, outputs, errors, edges = {}, {}, {}, {}, {}
for name, (length, weight) in rows.items():
    layer = upsim.TransposedConv(1, 1, length, stride=2, bias=False, weight=weight)
    stack = upsim.Stack([layer], sample_rate=8000, name=name).draw(seed=3)
    predictions[name] = upsim.predict(stack, upsim.Constant(1.0))
    tones[name] = [tone for tone in predictions[name].tones if tone.fraction > 0]
    finite = upsim.predict(stack, upsim.Recorded(ones, stack.input_rate)).waveform[0]
    measured = upsim.neural.run(stack, ones)[0]
    outputs[name] = (finite, measured)
    errors[name] = np.abs(finite - measured).max()
    edges[name] = predictions[name].boundaries(ones.shape[1]).transients[-1]
    found = ", ".join(f"{tone.frequency:g} Hz by {tone.cause}" for tone in tones[name]) or "no tone"
    print(f"{name:28} {found:20} largest difference from the NumPy run {errors[name]:.1e}")

# %%
# What to see
# -----------
# * **Row 1**: uneven counts of equal taps, a line at 4 kHz. The cause is *overlap*.
# * **Row 2**: the taps differ as well. The cause is whichever of the two makes the stronger
#   line; with these it is *weights*.
# * **Row 3**: two equal taps on every sample, no line. This is why "make the kernel a multiple
#   of the stride" is good advice for kernels of ones, and why it is heard so often.
# * **Row 4**: the same length and stride, random taps: the line is back. What counts is whether
#   the *phase gains* are equal, not how many taps they have:

for name, prediction in predictions.items():
    (report,) = prediction.overlap
    print(f"{name:28} phase gains {report.phase_gains[0, 0].round(3)}")

# %%
# The ends differ from the steady state in all rows, for partial and for full overlap alike:

for name, edge in edges.items():
    print(f"{name:28} unsteady: {edge.left} at the start, {edge.right} at the end")

# %%

axes = picture.new_axes(rows=4, height=13)
for (samples, spectrum), (name, prediction) in zip(axes, predictions.items(), strict=True):
    picture.draw_samples(samples, *outputs[name], title=name)
    prediction.plot(ax=spectrum, title="no tone" if not tones[name] else "a line at 4 kHz")

# sphinx_gallery_start_ignore
picture.save(axes[0, 0].figure, "figure5.png")
# sphinx_gallery_end_ignore
