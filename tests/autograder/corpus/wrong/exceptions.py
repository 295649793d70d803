"""Mistakes that raise exceptions, each with its usual cause."""

# ruff: noqa: E501

from corpus.planting import Mistake as M
from corpus.wrong.parts import B, E, F, G, N, P, S, W

MISTAKES = [
    M("conv1d: [p:-p]", "Conv1d", "padded[:, :, p : padded.shape[2] - p]", "padded[:, :, p:-p]", (S, G), ("empty_slice",)),
    M("conv2d: [p:-p]", "Conv2d", "padded[:, :, p : padded.shape[2] - p, p : padded.shape[3] - p]", "padded[:, :, p:-p, p:-p]",
      (S, G), ("empty_slice",)),
    M("conv1d: [p:-p] assigned", "Conv1d", "return padded[:, :, p : padded.shape[2] - p]",
      "dLdA = np.zeros(self.A_shape)\n        dLdA += padded[:, :, p:-p]\n        return dLdA", (G,), ("minus_zero_slice",),
      also=(("        p = self.padding\n        padded = np.pad", "        self.A_shape, p = A.shape, self.padding\n        padded = np.pad"),)),
    M("conv1d: unbound", "Conv1d", "        p = self.padding\n        padded = np.pad(A, [(0, 0), (0, 0), (p, p)])",
      "        p = self.padding\n        if p:\n            padded = np.pad(A, [(0, 0), (0, 0), (p, p)])", (S, F, G, W, B, E, P), ("unbound_local",)),
    M("mean pool: unbound", "MeanPool2d_stride1", "        K = self.kernel\n        A = self.check(A, \"N C H W\", fits=K)",
      "        if A.shape[2] == A.shape[3]:\n            K = self.kernel\n        A = self.check(A, \"N C H W\", fits=K)", (N,), ("unbound_local", "square_only")),
    M("flatten: attribute never set", "Flatten", 'shape = self.saved("A_shape")', "shape = self.input_shape", (G,), ("attribute_not_set",)),
    M("linear: gradient under another name", "Linear", "self.dLdW = dLdZ.T @ A", "self.dW = dLdZ.T @ A", (W,), ("gradient_missing",),
      also=(("        self.dLdW = np.zeros_like(self.W)\n", ""),)),
    M("linear: float for a size", "Linear", "self.dLdb = dLdZ.sum(axis=0)[:, None]",
      "self.dLdb = np.zeros((dLdZ.size / len(dLdZ), 1)) + dLdZ.sum(axis=0)[:, None]", (G, B), ("float_as_size",)),
    M("tanh: forbidden package", "Tanh", "np.tanh(self.check(Z))", "torch.tanh(self.check(Z))", (S, F, G, E), ("forbidden_name",)),
    M("sigmoid: not callable", "Sigmoid", "return self.gradient(dLdA, A.shape) * A * (1 - A)", "return self.gradient(dLdA, A.shape) * A(1 - A)", (G,), ("not_callable",)),
    M("relu: truth of an array", "ReLU", "self.A = np.maximum(self.check(Z), 0)", "self.A = self.check(Z) if (Z > 0) else 0 * Z", (S, F, G, E), ("truth_value",)),
    M("softmax: axis lost", "Softmax", "np.sum(dLdA * A, axis=1, keepdims=True)", "np.sum(dLdA * A, axis=1)[:, 0]", (G,), ("too_few_axes",)),
    M("mse: None", "MSELoss", "return np.mean(self.difference**2)", "self.value = np.mean(self.difference**2)", (S, F, E), ("returned_none",)),
    M("max: out of bounds", "MaxPool2d_stride1", "return np.take_along_axis(windows, self.winner[..., None], axis=-1)[..., 0]",
      "Z = np.take_along_axis(windows, self.winner[..., None], axis=-1)[..., 0]\n        Z[:, :, A.shape[2] - K + 1]\n        return Z", (S, F, G, E, N), ("out_of_bounds",)),
    M("mean pool: integer array", "MeanPool2d_stride1", "dLdA = np.zeros((N, C, H_in, W_in), share.dtype)",
      "dLdA = np.zeros((N, C, H_in, W_in), int)", (G,), ("integer_array",)),
    M("upsample: read-only", "Upsample1d", "        Z[:, :, ::k] = A\n", "        Z.flags.writeable = False\n        Z[:, :, ::k] = A\n", (S, F, G, E), ("read_only",)),
    M("downsample: wrong reshape", "Downsample1d", "dLdA[:, :, :: self.downsampling_factor] = dLdZ",
      "dLdA[:, :, :: self.downsampling_factor] = dLdZ.reshape(-1, 2, 9)", (G,), ("reshape_size",)),
    M("conv2d: name missing", "Conv2d_stride1", "self.dLdb = dLdZ.sum(axis=(0, 2, 3))", "self.dLdb = dLdY.sum(axis=(0, 2, 3))", (G, W, B), ("name_missing",)),
    M("conv2d: too few arguments", "Conv2d_stride1", "def backward(self, dLdZ: Array)", "def backward(self, dLdZ: Array, A: Array)", (G, W, B), ("signature",)),
    M("conv2d: not enough values", "Conv2d_stride1", "        W = self.W.astype(A.dtype, copy=False)\n\n", "        N, C, H = A.shape\n        W = self.W.astype(A.dtype, copy=False)\n\n", (G, W, B), ("unpack_axes",)),
    M("conv1d: endless recursion", "Conv1d_stride1", "        A, K = self.saved(\"A\"), self.kernel_size\n", "        self.backward(dLdZ)\n        A, K = self.saved(\"A\"), self.kernel_size\n", (G, W, B), ("recursion",)),
    M("linear: divides by zero", "Linear", "self.dLdb = dLdZ.sum(axis=0)[:, None]", "self.dLdb = dLdZ.sum(axis=0)[:, None] * (1 // (len(A) - len(A)))", (G, B), ("division_by_zero",)),
    M("swish: None inside", "Swish", "gradient, S = self.gradient(dLdA, Z.shape), self.S", "gradient, S = self.gradient(dLdA, Z.shape), None", (G, W), ("is_none", "operand_types")),
    M("cross entropy: key missing", "CrossEntropyLoss", 'P: Array = self.saved("P")', 'P: Array = self.cache["P"]', (G,), ("key_missing",), also=(("self.P = np.exp(log_P)", "self.P, self.cache = np.exp(log_P), {}"),)),
    M("gelu: no such function", "GELU", "self.Phi = ((1 + _erf(self.Z / math.sqrt(2))) / 2)", "self.Phi = ((1 + np.erf(self.Z / math.sqrt(2))) / 2)", (S, F, G, E), ("numpy_name",)),
    M("conv1d: negative padding", "Conv1d", "padded = np.pad(A, [(0, 0), (0, 0), (p, p)])", "padded = np.zeros((*A.shape[:2], A.shape[2] - 9 * p))\n        padded = padded if p else A", (P,), ("negative_size",)),
]  # fmt: skip
