"""Mistakes in up- and downsampling."""

from corpus.planting import Mistake as M
from corpus.wrong.parts import F, G, S

MISTAKES = [
    M(
        "upsample: zeros after the last",
        "Upsample1d",
        "k * (W - 1) + 1), A.dtype",
        "k * W), A.dtype",
        (S, F),
        ("upsample_trailing",),
    ),
    M(
        "upsample: repeats values",
        "Upsample1d",
        "        Z[:, :, ::k] = A\n",
        "        Z[...] = np.repeat(A, k, axis=2)[:, :, : Z.shape[2]]\n",
        (F,),
        ("upsample_repeated",),
    ),
    M(
        "upsample: gradient not sliced",
        "Upsample1d",
        "return dLdZ[:, :, :: self.upsampling_factor]",
        "return dLdZ",
        (S, G),
        ("upsample_not_sliced",),
    ),
    M(
        "upsample: gradient's first values",
        "Upsample2d",
        "return dLdZ[:, :, ::k, ::k]",
        "return dLdZ[:, :, : -(-dLdZ.shape[2] // k), : -(-dLdZ.shape[3] // k)]",
        (G,),
        ("upsample_cut",),
    ),
    M(
        "upsample: height only",
        "Upsample2d",
        "k * (W - 1) + 1), A.dtype)\n        Z[:, :, ::k, ::k] = A",
        "W), A.dtype)\n        Z[:, :, ::k] = A",
        (S, F),
        ("one_axis",),
    ),
    M(
        "upsample: a zero too many",
        "Upsample2d",
        "        k = self.upsampling_factor\n        Z =",
        "        k = self.upsampling_factor + 1\n        Z =",
        (S, F),
        ("upsample_zeros",),
    ),
    M(
        "downsample: begins late",
        "Downsample1d",
        "Z = A[:, :, :: self.downsampling_factor]",
        "Z = A[:, :, self.downsampling_factor - 1 :: self.downsampling_factor]",
        (S, F),
        ("resample_offset",),
    ),
    M(
        "downsample: gradient's size guessed",
        "Downsample1d",
        "dLdA = np.zeros(self.A_shape, dLdZ.dtype)",
        "dLdA = np.zeros((*dLdZ.shape[:2], self.downsampling_factor * (dLdZ.shape[2] - 1) + 1))",
        (S, G),
        ("downsample_backward_size",),
    ),
    M(
        "downsample: gradient's size a multiple",
        "Downsample2d",
        "dLdA = np.zeros(self.A_shape, dLdZ.dtype)",
        "dLdA = np.zeros((*dLdZ.shape[:2], k * dLdZ.shape[2], k * dLdZ.shape[3]))",
        (S, G),
        ("downsample_backward_padded",),
    ),
    M(
        "downsample: gradient repeated",
        "Downsample2d",
        "        dLdA[:, :, ::k, ::k] = dLdZ\n",
        "        big = np.repeat(np.repeat(dLdZ, k, 2), k, 3)\n"
        "        dLdA[...] = big[:, :, : dLdA.shape[2], : dLdA.shape[3]]\n",
        (G,),
        ("upsample_repeated",),
    ),
    M(
        "downsample: last samples dropped",
        "Downsample2d",
        "Z = A[:, :, ::k, ::k]",
        "Z = A[:, :, : A.shape[2] // k * k : k, : A.shape[3] // k * k : k]",
        (S, F),
        ("border_dropped",),
    ),
]
