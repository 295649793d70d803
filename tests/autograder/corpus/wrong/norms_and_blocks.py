"""Mistakes in batch norm over maps, dropout over channels, residual blocks."""

from corpus.planting import Mistake as M
from corpus.wrong.parts import RUN, E, F, G

MISTAKES = [
    M(
        "norm: unbiased variance",
        "BatchNorm2d",
        "V = Z.var(axis=self.axes, keepdims=True)",
        "V = Z.var(axis=self.axes, keepdims=True, ddof=1)",
        (F,),
        ("variance_unbiased",),
    ),
    M(
        "norm: alpha the wrong way around",
        "BatchNorm2d",
        "self.running_M = self.alpha * self.running_M + (1 - self.alpha) * M",
        "self.running_M = (1 - self.alpha) * self.running_M + self.alpha * M",
        (RUN,),
        ("running_swapped",),
    ),
    M(
        "norm: evaluating moves the statistics",
        "BatchNorm2d",
        "        if eval:",
        "        if eval:\n            self.running_M = self.alpha * self.running_M + (1 - self.alpha) * "
        "Z.mean(axis=self.axes, keepdims=True)\n        if eval:",
        (RUN,),
        ("eval_updates",),
    ),
    M(
        "norm: evaluating overwrites",
        "BatchNorm2d",
        "            return BW * (Z - M) / np.sqrt(V + self.eps) + Bb\n",
        "            self.deviation = np.sqrt(V + self.eps)\n            self.NZ = (Z - M) / self.deviation\n"
        "            return BW * self.NZ + Bb\n",
        (E,),
        ("state_overwritten",),
    ),
    M(
        "norm: statistics constant",
        "BatchNorm2d",
        "(dLdNZ - mean(dLdNZ) - NZ * mean(dLdNZ * NZ)) / self.deviation",
        "dLdNZ / self.deviation",
        (G,),
        ("norm_statistics_constant",),
    ),
    M(
        "norm: over space only",
        "BatchNorm2d",
        'self.axes = tuple(i for i, axis in enumerate(axes) if axis != "C")',
        "self.axes = (2, 3)",
        (F,),
        ("norm_axis_space",),
    ),
    M("dropout: not scaled", "Dropout2d", "self.mask / (1 - self.p)", "self.mask", (F,), ("dropout_not_scaled",)),
    M(
        "dropout: single pixels",
        "Dropout2d",
        "return (*Z.shape[:2], 1, 1)",
        "return Z.shape",
        (F,),
        ("dropout_per_pixel",),
    ),
    M(
        "dropout: p the wrong way around",
        "Dropout2d",
        "binomial(1, 1 - self.p",
        "binomial(1, self.p",
        (F,),
        ("dropout_mask_inverted",),
    ),
    M(
        "block: shortcut's gradient missing",
        "ResBlock",
        "return residual + self.shortcut.backward(dLdS)",
        "return residual",
        (G,),
        ("resblock_shortcut_constant",),
    ),
    M(
        "block: no ReLU at the end",
        "ResBlock",
        "return self.final_activation.forward(residual + past)",
        "self.final_activation.forward(residual + past)\n        return residual + past",
        (F,),
        ("resblock_last_relu",),
    ),
    M(
        "block: no shortcut",
        "ResBlock",
        "self.final_activation.forward(residual + past)",
        "self.final_activation.forward(residual)",
        (F,),
        ("resblock_no_shortcut",),
    ),
]
