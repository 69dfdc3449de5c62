"""
Figure 8, left: transposed convolutions, ones in
================================================

Ones at 4 kHz go through three transposed convolutions of length 4 and stride 2: 8, 16, 32 kHz.
The overlap is full, four taps for two phases, and still each layer adds a tone.

The caption fixes length and stride. It leaves open the channels (here: one), the padding (here:
none) and weights and biases (here: PyTorch's default, seed 0).
"""

import picture

import upsim
from upsim.show import draw_layers

layers = [upsim.TransposedConv(1, 1, kernel_size=4, stride=2)] * 3
stack = upsim.Stack(layers, sample_rate=32000, name="figure 8 left").draw(seed=0)
prediction = upsim.predict(stack, upsim.Constant(1.0))
print(prediction.table())

# %%
# What to see
# -----------
# The same comb as in figure 7: lines at 4 and 12 kHz were first possible at layer 1, at 8 kHz
# at layer 2, at 16 kHz at layer 3. No line comes from overlap; the two phase gains of each
# layer are sums of two random taps each, and they differ:

for report in prediction.overlap:
    gains = report.phase_gains[0, 0].round(3)
    print(f"{report.name}: {report.overlap.kind} overlap, phase gains {gains}")

# %%
# "First possible" is not "alone responsible". The line at 16 kHz is made in layer 3, of
# whatever offset arrives there: that of the input, and the biases of layers 1 and 2. In a
# linear stack these shares add up to the line exactly:

line = prediction.explain(16000).tone
for share in line.contributions:
    source = f"{share.cause} of layer {share.layer}" if share.layer else share.cause
    print(f"{source:18} {share.amplitude[0].real:+.6f}")
print(f"{'sum':18} {sum(share.amplitude[0].real for share in line.contributions):+.6f}")
print(f"{'the line':18} {line.amplitude[0].real:+.6f}")

# %%
# The bias of layer 3 has no share: it is added after the stretch, so it only moves the output's
# own offset.
#
# The witness
# -----------

verdict = upsim.verify(stack, upsim.Constant(1.0))
print(verdict)

# %%
# The columns of the figure: spectra, and the same as spectrograms.

axes = prediction.plot(kind="layers")

# %%

column = draw_layers(prediction.panels(), kind="spectrogram")

# sphinx_gallery_start_ignore
picture.save(axes[0].figure, "figure8_left.png")
picture.save(column[0].figure, "figure8_left_spectrograms.png")
# sphinx_gallery_end_ignore
