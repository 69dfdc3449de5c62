"""
Figure 4: full overlap
======================

A transposed convolution of length 3 and stride 1, all taps 1, without a bias, is fed with ones.
Every output sample but those near the ends sees all three taps: the output is 3, 3, 3, and
there is no tone.

The caption as printed repeats that of figure 2; the text says length 3, stride 1 and ones. With
stride 1 nothing is upsampled: 4 kHz in, 4 kHz out (the rate is our choice, and so are the 8
input samples).
"""

import numpy as np
import picture

import upsim

layer = upsim.TransposedConv(1, 1, kernel_size=3, stride=1, bias=False, weight="ones")
stack = upsim.Stack([layer], sample_rate=4000).draw(seed=0)
prediction = upsim.predict(stack, upsim.Constant(1.0))
print(prediction)

# %%
# What to see
# -----------
# There is one phase, so its gain is equal to itself and no offset can make a line: `explain`
# says so for any frequency.

rule = upsim.overlap(kernel_size=3, stride=1)
print(f"{rule.kind} overlap, {rule.counts[0]} taps on each output sample")
print(prediction.explain(1000))

# %%
# The ends
# --------
# What remains are the boundary artifacts: the first two samples and the last two are covered
# less.

ones = np.ones((1, 8))
coverage = upsim.coverage(stack[0].operator(1), ones.shape[1])
edges = prediction.boundaries(ones.shape[1]).transients[-1]
print("coverage:", coverage)
print(f"not yet steady: {edges.left} samples at the start, {edges.right} at the end")

# %%
# The witness
# -----------

predicted = upsim.predict(stack, upsim.Recorded(ones, stack.input_rate)).waveform[0]
measured = upsim.neural.run(stack, ones)[0]
verdict = upsim.verify(stack, upsim.Constant(1.0))
print("largest difference:", np.abs(predicted - measured).max())
print(verdict)

# %%

samples, spectrum = picture.new_axes()[0]
picture.draw_samples(samples, predicted, measured, title="ones in: 1, 2, 3, 3, ..., 3, 2, 1")
prediction.plot(ax=spectrum, title="its spectrum: 0 Hz and nothing else")

# sphinx_gallery_start_ignore
picture.save(samples.figure, "figure4.png")
# sphinx_gallery_end_ignore
