"""
Figure 3: partial overlap
=========================

A transposed convolution of length 3 and stride 2, all taps 1, without a bias, is fed with ones.
The kernel is not a multiple of the stride, so the copies of the kernel cover the output
unevenly: 2, 1, 2, 1, ...

The caption as printed repeats that of figure 2; the text says length 3, stride 2 and ones. The
sample rate is open (here: 4 kHz in, 8 kHz out), and so is the number of input samples (here:
8).
"""

import numpy as np
import picture

import upsim

layer = upsim.TransposedConv(1, 1, kernel_size=3, stride=2, bias=False, weight="ones")
stack = upsim.Stack([layer], sample_rate=8000).draw(seed=0)
prediction = upsim.predict(stack, upsim.Constant(1.0))
print(prediction.table())

# %%
# What to see
# -----------
# The output is a zigzag, and a zigzag is a line at half the output rate, 4 kHz. The offset is
# the mean of 2 and 1, the line half their difference: 1/2 over 3/2 is a third, or -9.54 dB.
# `upsim.overlap` needs no weights for that.

rule = upsim.overlap(kernel_size=3, stride=2)
(line,) = rule.lines
print(f"{rule.kind} overlap, {rule.counts} taps in the two phases")
print(f"line at {line.fraction} of the rate: {20 * np.log10(line.ratio):.2f} dB under the offset")

# %%
# The ends
# --------
# The first and the last output sample lie where the zigzag has a 2, but see one tap only: a
# boundary artifact. `coverage` counts the taps; with a kernel of ones and an input of ones that
# count is the output itself.

ones = np.ones((1, 8))
coverage = upsim.coverage(stack[0].operator(1), ones.shape[1])
edges = prediction.boundaries(ones.shape[1]).transients[-1]
print("coverage:", coverage)
print(f"not yet steady: {edges.left} sample at the start, {edges.right} at the end")

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
picture.draw_samples(samples, predicted, measured, title="ones in: 1, then 1, 2, 1, 2, ..., and 1")
prediction.plot(ax=spectrum, title="its spectrum: 0 Hz, and a line at 4 kHz")

# sphinx_gallery_start_ignore
picture.save(samples.figure, "figure3.png")
# sphinx_gallery_end_ignore
