"""
There is a line at 5.5 kHz in my MelGAN
=======================================

An untrained MelGAN, silence in, and the analyser shows a row of steady lines, one of the
strongest near 5.5 kHz. Which layer makes it, and what can be changed? This page walks from the
question to a repaired stack. The recipe in general is in :doc:`the how-to
</howto-line-at-n-khz>`.

The stack has MelGAN's strides (8, 8, 2, 2), kernels, activations and rate, 22,050 Hz, with few
channels so that its tables stay short. Where lines can lie does not depend on the number of
channels.
"""

import matplotlib.pyplot as plt
import picture

import upsim


def melgan(*, weights=("torch",) * 4, bias=True, resize=False):
    """Return MelGAN's upsampling path with few channels, without its residual blocks."""
    channels, plan = [32, 16, 8, 4, 2], [(16, 8), (16, 8), (4, 2), (4, 2)]
    layers = [upsim.Conv(4, 32, 7, padding="same", bias=bias)]
    for number, (kernel, stride) in enumerate(plan):
        wide, narrow = channels[number], channels[number + 1]
        layers.append(upsim.LeakyReLU(0.2))
        if resize:
            layers.append(upsim.Nearest(stride))
            layers.append(upsim.Conv(wide, narrow, kernel + 1, padding="same", bias=bias))
        else:
            shape = {"kernel_size": kernel, "stride": stride, "padding": stride // 2}
            drawn = {"bias": bias, "weight": weights[number]}
            layers.append(upsim.TransposedConv(wide, narrow, **shape, **drawn))
    layers += [upsim.LeakyReLU(0.2), upsim.Conv(2, 1, 7, padding="same", bias=bias), upsim.Tanh()]
    return upsim.Stack(layers, sample_rate=22050, name="small MelGAN").draw(seed=0)


stack = melgan()

# %%
# Which lines are possible at all?
# --------------------------------
# No weight is needed for that. Each transposed convolution owns the multiples of its input
# rate:

for family in upsim.families(stack):
    print(f"{family.name:26} lines at multiples of {float(family.spacing):g} Hz")

# %%
# An analyser shows bins, and a bin is not a place. 5.5 kHz itself is impossible here, and the
# answer names the neighbours:

print(upsim.explain(stack, 5500))

# %%
# So it is 5512.5 Hz, a quarter of the output rate. That is a multiple of 86.13, of 689.06 and
# of 5512.5 Hz; the *last* layer that owns it is layer 7, the third transposed convolution. The
# layers before it may feed it, but no other layer need take part.
#
# How loud, and from what?
# ------------------------
# Silence goes in, so every line comes from the stack itself. Nothing is random: this prediction
# is exact, through all activations.

before = upsim.predict(stack, upsim.Silence())
print(before)
print(before.explain(5512.5))

# %%
# The first share is the bias of layer 5, the layer before. It is an offset at the input of
# layer 7, and layer 7 has unequal phase gains.

before.plot(kind="comb", title="silence in: which line stands on whose ladder")

# %%
# What can be changed?
# --------------------
# Four changes, each predicted anew. The numbers are for the untrained stack; training moves the
# weights, and the prediction can be repeated with the trained ones.

changes = {
    "as it is": melgan(),
    "layer 7 starts checkerboard-free": melgan(
        weights=("torch", "torch", "checkerboard-free", "torch")
    ),
    "all four start checkerboard-free": melgan(weights=("checkerboard-free",) * 4),
    "nearest neighbour + convolution": melgan(resize=True),
    "no biases": melgan(bias=False),
}
after = {name: upsim.predict(changed, upsim.Silence()) for name, changed in changes.items()}
for name, prediction in after.items():
    line = prediction.explain(5512.5).tone
    level = upsim.words.units.format_decibels(line.power[0]) if line else "no line"
    lines = sum(tone.fraction > 0 for tone in prediction.tones)
    print(f"{name:34} 5512.5 Hz: {level:11} lines in all: {lines}")

# %%
# * Repairing layer 7 alone takes its line down to what the later activations make of the
#   *other* lines (LeakyReLU and tanh distort, and 5512.5 Hz is a multiple of 86.13 Hz). Every
#   other line stays.
# * With all four layers repaired no offset can make a line, and there is none.
# * Nearest neighbour has equal phase gains by construction, and training cannot undo it,
#   whereas it can undo an initialisation.
# * Without any bias, silence stays silence. That says nothing about music: the LeakyReLUs give
#   it an offset again.
#
# Is that so?
# -----------

verdicts = {name: upsim.verify(changed, upsim.Silence()) for name, changed in changes.items()}
for name, verdict in verdicts.items():
    print(f"{name:34} {'the NumPy run agrees' if verdict.passed else verdict}")

# %%

ax = after["layer 7 starts checkerboard-free"].plot(
    kind="comb", title="layer 7 repaired: its 5512.5 Hz sinks by 47 dB, the rest stays"
)

# sphinx_gallery_start_ignore
picture.save(plt.figure(1), "line_at_n_khz_before.png")
picture.save(ax.figure, "line_at_n_khz_after.png")
# sphinx_gallery_end_ignore
