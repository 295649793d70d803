"""Mistakes in pooling."""

from corpus.planting import Mistake as M
from corpus.wrong.parts import E, F, G, S

MISTAKES = [
    M(
        "max: ties counted twice",
        "MaxPool2d_stride1",
        "np.where(winner == i * K + j, dLdZ, 0)",
        "np.where(self.A[:, :, i : i + H, j : j + W] == self.Z, dLdZ, 0)",
        (E,),
        ("pool_ties",),
        also=(("self.A_shape = A.shape", "self.A_shape, self.A, self.Z = A.shape, A, windows.max(axis=-1)"),),
    ),
    M(
        "max: the last of ties",
        "MaxPool2d_stride1",
        "windows.argmax(axis=-1)",
        "K * K - 1 - windows[..., ::-1].argmax(axis=-1)",
        (E,),
        ("pool_ties_last",),
    ),
    M(
        "max: begins at zero",
        "MaxPool2d_stride1",
        "axis=-1)[..., 0]",
        "axis=-1)[..., 0].clip(0)",
        (F,),
        ("pool_from_zero",),
    ),
    M(
        "max: overlaps overwritten",
        "MaxPool2d_stride1",
        "+= np.where(winner == i * K + j, dLdZ, 0)",
        "= np.where(winner == i * K + j, dLdZ, dLdA[:, :, i : i + H, j : j + W])",
        (G,),
        ("overlap_overwritten",),
    ),
    M("max: the minimum", "MaxPool2d_stride1", "windows.argmax", "windows.argmin", (F,), ("pool_minimum",)),
    M("max: stride forgotten", "MaxPool2d", "Downsample2d(stride)", "Downsample2d(1)", (S, F), ("stride_forgotten",)),
    M(
        "mean: not divided",
        "MeanPool2d_stride1",
        ".mean(axis=(-2, -1))",
        ".sum(axis=(-2, -1))",
        (F,),
        ("mean_not_divided",),
    ),
    M(
        "mean: gradient not divided",
        "MeanPool2d_stride1",
        " / K**2\n",
        " * 1.0\n",
        (G,),
        ("mean_gradient_not_divided",),
    ),
    M("mean: divided by k", "MeanPool2d_stride1", " / K**2\n", " / K\n", (G,), ("mean_divided_by_k",)),
    M("mean: overlaps overwritten", "MeanPool2d_stride1", "] += share", "] = share", (G,), ("overlap_overwritten",)),
    M(
        "mean: stride twice",
        "MeanPool2d",
        "Downsample2d(stride)",
        "Downsample2d(stride * stride)",
        (S, F),
        ("stride_twice",),
    ),
]
