"""
Figure 2: random weights repeat
===============================

A transposed convolution of length 3 and stride 3, without a bias, is fed with ones. Nothing
overlaps, and still its output repeats every 3 samples: the three random taps, again and again.

The caption of figure 2 fixes length, stride and the missing bias. It leaves open the weights
(here: PyTorch's default, drawn with seed 0) and the sample rate (here: 4 kHz in, as in the
later figures, so 12 kHz out).
"""

import numpy as np
import picture

import upsim

layer = upsim.TransposedConv(1, 1, kernel_size=3, stride=3, bias=False)
stack = upsim.Stack([layer], sample_rate=12000).draw(seed=0)
prediction = upsim.predict(stack, upsim.Constant(1.0))
print(prediction.table())

# %%
# What to see
# -----------
# Each output sample meets exactly one tap, so the three phase gains *are* the three taps. They
# differ, so a constant does not stay constant: there is a line at one third of the output rate,
# 4 kHz. Its cause is "weights": an all-ones kernel of this shape would make none.

(report,) = prediction.overlap
print("overlap:", report.overlap.kind, "- phase gains:", report.phase_gains[0, 0].round(4))
print(prediction.explain(4000))

# %%
# The witness
# -----------
# The prediction of a finite input knows the ends, too. Here there is nothing to know: with one
# tap an output sample, the first and the last samples are like all others. The same layer as a
# framework computes it, in NumPy:

ones = np.ones((1, 8))
predicted = upsim.predict(stack, upsim.Recorded(ones, stack.input_rate)).waveform[0]
measured = upsim.neural.run(stack, ones)[0]
verdict = upsim.verify(stack, upsim.Constant(1.0))
print("largest difference:", np.abs(predicted - measured).max())
print(verdict)

# %%

samples, spectrum = picture.new_axes()[0]
picture.draw_samples(samples, predicted, measured, title="ones in: a pattern of period 3")
prediction.plot(ax=spectrum, title="its spectrum: 0 Hz, and a line at 4 kHz")

# sphinx_gallery_start_ignore
picture.save(samples.figure, "figure2.png")
# sphinx_gallery_end_ignore
