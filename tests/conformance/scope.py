"""What is in scope, and the reason for everything that is not: the one place to look for what is left out.

Whatever mytorch gets wrong is in scope. A reason says why a module does not belong into a library for convolutional
networks, or why a sample cannot be compared.
"""

import re

RECURRENT = "recurrent networks and transformers are not convolutional networks"
LAZY = "a lazy module waits for its first input to learn a shape; the module it becomes is in scope"
LANGUAGE = "built for texts: indices, vocabularies and alignments"
RANDOM = "draws windows, slopes or channels at random, with PyTorch's generator"

OUTSIDE_MODULES = {
    **dict.fromkeys(("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"), RECURRENT),
    **dict.fromkeys(("Transformer", "TransformerEncoder", "TransformerEncoderLayer"), RECURRENT),
    **dict.fromkeys(("TransformerDecoderLayer", "MultiheadAttention"), RECURRENT),
    **dict.fromkeys(("LazyConv1d", "LazyConv2d", "LazyConv3d"), LAZY),
    **dict.fromkeys(("LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"), LAZY),
    **dict.fromkeys(("Embedding", "CTCLoss", "LinearCrossEntropyLoss"), LANGUAGE),
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), RANDOM),
}
"""Modules of PyTorch's own inputs that are not run, and why."""

ATTENTION = "attention: transformers are out of scope"
DISTANCE = "a distance between vectors, which the losses in scope compute for themselves"

OUTSIDE_OPS = {
    **dict.fromkeys(("scaled_dot_product_attention", "multi_head_attention_forward"), ATTENTION),
    **dict.fromkeys(("embedding", "embedding_bag", "ctc_loss", "linear_cross_entropy"), LANGUAGE),
    **dict.fromkeys(("fractional_max_pool2d", "fractional_max_pool3d", "rrelu", "feature_alpha_dropout"), RANDOM),
    "pdist": DISTANCE,
    "triplet_margin_with_distance_loss": "its distance is any function, which needs automatic differentiation",
    "grid_sample": "samples at learned positions; no layer of PyTorch does, only this function",
    "all others": "tensor algebra beyond the layers and the functions that connect them in a network",
}
"""Functions of PyTorch's own samples that are not run, and why."""

EXCLUDED_MODULE_SAMPLES: dict[str, dict[str, str]] = {}
"""For each module, a regular expression, and why samples whose text it is found in are excluded."""

MASK = "the mask is random, drawn by another generator; tests/gradients compares for the same mask"

ROUNDING = "a quotient rounded to whole numbers, whose gradient is zero, is no part of a network"
FACTOR = "a factor of the second operand: in a graph, a Scale in front of it"

CHANNELS = "pads channels or the batch, which a padding layer is not made for"
NO_CHANNELS = "an input with one axis, which has no channels: no batch norm layer takes it"
LENGTH = "a length other than the Euclidean one, which no network for embeddings divides by"
NO_AXES = "elements of an array that has no axis to select along"
OLD_CAT = "an array without elements and with another number of axes, which PyTorch permits for old programs only"

EXCLUDED_OP_SAMPLES: dict[str, dict[str, str]] = {
    "pad": {r"float64\[\d+, \d+\], \(-?\d+, -?\d+, -?\d|float64\[\d+, 3, 3\], \(1, 1, 1, 1, 1, 1": CHANNELS},
    "batch_norm": {r"^batch_norm\(float64\[0\], float64\[0\]": NO_CHANNELS},
    "normalize": {r" p=(?!2\.0)": LENGTH},
    "index_select": {r"^index_select\(float64\[\]": NO_AXES},
    "cat": {r"float64\[0\], float64\[5, 5\]": OLD_CAT},
    "add": {"alpha=": FACTOR},
    "sub": {"alpha=": FACTOR},
    "div": {"rounding_mode=": ROUNDING},
    "dropout": {r"p=0\.5, training=True|^dropout\(float64[^=]*\)$": MASK},
    "dropout2d": {r"p=0\.5, training=True|^dropout2d\(float64[^=]*\)$": MASK},
    "dropout3d": {r"p=0\.5, training=True|^dropout3d\(float64[^=]*\)$": MASK},
    "alpha_dropout": {r"p=0\.5, training=True|^alpha_dropout\(float64[^=]*\)$": MASK},
}
"""The same for functions."""


ONNX_OPERATORS = (
    "Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "MaxUnpool",
    "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "RMSNormalization",
    "LRN", "Gemm", "MatMul", "Relu", "LeakyRelu", "PRelu", "Elu", "Celu", "Selu", "Gelu", "Mish", "Swish", "Sigmoid",
    "HardSigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Clip", "Softmax",
    "LogSoftmax", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split", "Slice", "Add", "Sub",
    "Mul", "Div", "Sum", "Mean", "ReduceMean", "Pad", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth", "Col2Im",
    "DequantizeLinear", "Identity", "Dropout",
)  # fmt: skip
"""Operators of ONNX whose node tests are run: what exporters write for convolutional networks."""

OUTSIDE_NODES = {"all others": "operators that no convolutional network of a model zoo needs"}
"""Operators of ONNX that are not run, and why."""

TYPES = "a type that networks of mytorch do not compute in: they compute in float32 and float64"
TRAINING = "a node in training: exporters write networks for inference"
SEQUENCE = "a sequence or an optional value, which no layer takes"

VOLUMES = "columns folded into a volume: PyTorch's Fold makes images only, and so does mytorch's"
POSITIONS = "the positions of maxima between two nodes; in a Graph numbers are passed on, with gradients"
EMPTY = "an image without pixels, and a shape that has a length of zero on purpose"

INTEGERS_READ = "dequantizelinear|clip_default_int8_inbounds|edge_pad|reflect_pad|wrap_pad"
"""Tests of integers that are in scope: stored weights, no change at all, and images that are given as float32."""

EXCLUDED_NODES: dict[str, dict[str, str]] = {
    "any": {
        rf"^test_(?!{INTEGERS_READ})\S+ \((u?int|float16|bfloat16|bool)": TYPES,
        r"training_mode=1|^test_training_": TRAINING,
        r"\(undefined": SEQUENCE,
    },
    "Col2Im": {"^test_col2im_5d": VOLUMES},
    "MaxPool": {"^test_maxpool_with_argmax": POSITIONS},
    "MaxUnpool": {"^test_maxunpool": POSITIONS},
    "Reshape": {"^test_reshape_allowzero": EMPTY},
}
"""For each operator, and for any, regular expressions as above."""


def why_excluded(samples: dict[str, dict[str, str]], name: str, sample: str) -> str | None:
    """Return why the sample of this module or function is excluded, or None if it is in scope."""
    return next((why for pattern, why in samples.get(name, {}).items() if re.search(pattern, sample)), None)
