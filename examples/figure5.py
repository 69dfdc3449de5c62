"""
Figure 5: overlap and weights, four cases
=========================================

Ten ones go through a transposed convolution without a bias: partial overlap (rows 1 and 2) and
full overlap (rows 3 and 4), each with a kernel of ones (rows 1 and 3) and with a random one
(rows 2 and 4).

The figure's text names the rows but not their numbers. The authors' public notebook has length 8
and stride 6 for partial overlap, length 8 and stride 4 for full. Still open are the random weights
(here: PyTorch's default, seed 0) and the sample rate (here: 4 kHz in, so 24 and 16 kHz out).
"""

import numpy as np
import picture

import upsim

rows = {
    "1: partial overlap, ones": (6, "ones"),
    "2: partial overlap, random": (6, "torch"),
    "3: full overlap, ones": (4, "ones"),
    "4: full overlap, random": (4, "torch"),
}
ones = np.ones((1, 10))
predictions, tones, outputs, edges, verdicts = {}, {}, {}, {}, {}
for name, (stride, weight) in rows.items():
    layer = upsim.TransposedConv(1, 1, 8, stride=stride, bias=False, weight=weight)
    stack = upsim.Stack([layer], sample_rate=4000 * stride, name=name).draw(seed=0)
    predictions[name] = upsim.predict(stack, upsim.Constant(1.0))
    tones[name] = [tone for tone in predictions[name].tones if tone.fraction > 0]
    finite = upsim.predict(stack, upsim.Recorded(ones, stack.input_rate)).waveform[0]
    outputs[name] = (finite, upsim.neural.run(stack, ones)[0])
    edges[name] = predictions[name].boundaries(ones.shape[1]).transients[-1]
    verdicts[name] = upsim.verify(stack, upsim.Constant(1.0))
    found = ", ".join(f"{tone.frequency:g} Hz by {tone.cause}" for tone in tones[name])
    print(f"{name:27} {found or 'no tone'}")

# %%
# What to see
# -----------
# * **Row 1**: uneven counts of equal taps (2, 2, 1, 1, 1, 1), so lines at multiples of 4 kHz. The
#   cause is *overlap*. One multiple is missing although the overlap is partial: at half the rate,
#   12 kHz, eight equal taps cancel in pairs.
# * **Row 2**: the taps differ as well, and every multiple has its line. The cause is whichever of
#   the two makes it stronger.
# * **Row 3**: two equal taps on every sample, no line. This is why "make the kernel a multiple of
#   the stride" is good advice for kernels of ones, and why it is heard so often.
# * **Row 4**: the same length and stride, random taps: the lines are back. What counts is whether
#   the *phase gains* are equal, not how many taps they have:

for name, prediction in predictions.items():
    (report,) = prediction.overlap
    print(f"{name:27} phase gains {report.phase_gains[0, 0].round(3)}")

# %%
# The ends differ from the steady state in all rows, for partial and for full overlap alike:

for name, edge in edges.items():
    print(f"{name:27} unsteady: {edge.left} samples at the start, {edge.right} at the end")

# %%
# The witness
# -----------

for name, (finite, measured) in outputs.items():
    agrees = "agrees" if verdicts[name].passed else "DISAGREES"
    error = np.abs(finite - measured).max()
    print(f"{name:27} the NumPy run {agrees}, largest difference {error:.1e}")

# %%

axes = picture.new_axes(rows=4, height=13)
for (samples, spectrum), (name, prediction) in zip(axes, predictions.items(), strict=True):
    picture.draw_samples(samples, *outputs[name], title=name)
    prediction.plot(ax=spectrum, title="tones" if tones[name] else "no tone")

# sphinx_gallery_start_ignore
picture.save(axes[0, 0].figure, "figure5.png")
# sphinx_gallery_end_ignore
