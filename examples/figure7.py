"""
Figure 7: subpixel convolution, ones in
=======================================

Ones at 4 kHz go through three subpixel convolutions (length 3, x2 each): 8, 16, 32 kHz. Each
layer adds its tone, and each later layer shows the replicas of the earlier ones.

The caption fixes length, stride and factor. It leaves open the channels (here: one), the
padding (here: "same", which only concerns the ends) and the weights and biases (here: PyTorch's
default, seed 0).
"""

import picture

import upsim
from upsim.show import draw_layers

layers = [upsim.SubpixelConv(1, 1, kernel_size=3, factor=2, padding="same")] * 3
stack = upsim.Stack(layers, sample_rate=32000, name="figure 7").draw(seed=0)
prediction = upsim.predict(stack, upsim.Constant(1.0))
print(prediction.table())

# %%
# What to see
# -----------
# Layer 1 puts out 8 kHz, twice its input rate, so an offset can leave it as a line at 4 kHz. In
# the 32 kHz output that line is seen at 4 kHz and, repeated by the later stretches, at 12 kHz.
# Layer 2 adds a line at 8 kHz, layer 3 one at 16 kHz: the comb of the layers.

for family in upsim.families(stack):
    print(f"{family.name}: lines at multiples of {float(family.spacing):g} Hz")

# %%
# Whose line is it? The *last* layer that could have made it of an offset:

for frequency in (4000, 8000, 12000, 16000):
    print(prediction.explain(frequency))

# %%
# The shares of a line add up as complex numbers, so two loud ones may cancel: at 4 kHz the
# input's offset alone would make -35 dB, and the bias of layer 1 -37 dB, but together they
# leave -47 dB.
#
# The lines at 8 and 16 kHz come mostly from biases, and that is special to subpixel
# convolutions: the bias is added *before* the shuffle. Its two values take turns at the output,
# which is a line all by itself. The two values of each layer:

for number, layer in enumerate(stack, 1):
    print(f"layer {number}: bias {layer.operator(1).offset[0].round(3)}")

# %%
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
picture.save(axes[0].figure, "figure7.png")
picture.save(column[0].figure, "figure7_spectrograms.png")
# sphinx_gallery_end_ignore
