"""What is in scope, and the reason for everything that is not: the one place to look for what is left out.

Whatever mytorch gets wrong is in scope. A reason says why a module does not belong into a library for convolutional
networks, or why a sample cannot be compared.
"""

RECURRENT = "recurrent networks and transformers are not convolutional networks"
LAZY = "a lazy module waits for its first input to learn a shape; the module it becomes is in scope"
LANGUAGE = "built for texts: indices, vocabularies and alignments"
RANDOM = "draws its windows at random, with PyTorch's generator"
MULTILABEL = "a loss for multi-label ranking, which no pipeline here uses; BCEWithLogitsLoss is in scope"

OUTSIDE_MODULES = {
    **dict.fromkeys(("RNN", "GRU", "LSTM", "RNNCell", "GRUCell", "LSTMCell"), RECURRENT),
    **dict.fromkeys(("Transformer", "TransformerEncoder", "TransformerEncoderLayer"), RECURRENT),
    **dict.fromkeys(("TransformerDecoderLayer", "MultiheadAttention"), RECURRENT),
    **dict.fromkeys(("LazyConv1d", "LazyConv2d", "LazyConv3d"), LAZY),
    **dict.fromkeys(("LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d"), LAZY),
    **dict.fromkeys(("Embedding", "CTCLoss", "LinearCrossEntropyLoss"), LANGUAGE),
    **dict.fromkeys(("FractionalMaxPool2d", "FractionalMaxPool3d"), RANDOM),
    **dict.fromkeys(("MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "SoftMarginLoss"), MULTILABEL),
}
"""Modules of PyTorch's own inputs that are not run, and why."""

EXCLUDED_MODULE_SAMPLES: dict[str, dict[str, str]] = {}
"""For each module, the start of a sample's text, and why samples that start so are excluded."""


def why_excluded(samples: dict[str, dict[str, str]], name: str, sample: str) -> str | None:
    """Return why the sample of this module or operator is excluded, or None if it is in scope."""
    return next((why for start, why in samples.get(name, {}).items() if sample.startswith(start)), None)
