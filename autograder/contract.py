"""The classes of the handout's contract, and the file of the handout that holds each."""

from collections.abc import Mapping
from types import MappingProxyType

FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mytorch/nn/resampling.py": ("Upsample1d", "Downsample1d", "Upsample2d", "Downsample2d"),
        "mytorch/nn/conv1d.py": ("Conv1d_stride1", "Conv1d"),
        "mytorch/nn/conv2d.py": ("Conv2d_stride1", "Conv2d"),
        "mytorch/nn/transposed.py": ("ConvTranspose1d", "ConvTranspose2d"),
        "mytorch/nn/pool.py": ("MaxPool2d_stride1", "MeanPool2d_stride1", "MaxPool2d", "MeanPool2d"),
        "mytorch/nn/linear.py": ("Flatten", "Linear"),
        "mytorch/nn/activation.py": ("Identity", "Sigmoid", "Tanh", "ReLU", "GELU", "Swish", "Softmax"),
        "mytorch/nn/loss.py": ("MSELoss", "CrossEntropyLoss"),
        "mytorch/nn/batchnorm.py": ("BatchNorm1d", "BatchNorm2d"),
        "mytorch/nn/dropout.py": ("Dropout", "Dropout2d"),
        "mytorch/nn/resblock.py": ("ResBlock",),
        "mytorch/nn/optim.py": ("SGD", "Adam", "AdamW"),
        "models/mlp.py": ("MLP0", "MLP1", "MLP4"),
        "models/cnn.py": ("CNN",),
        "models/scanning_mlp.py": ("CNN_SimpleScanningMLP", "CNN_DistributedScanningMLP"),
    }
)

CLASSES: frozenset[str] = frozenset(name for names in FILES.values() for name in names)

# The classes that a class of the contract is usually built from: their faults appear here as well.
USES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Conv1d": ("Conv1d_stride1", "Downsample1d"),
        "Conv2d": ("Conv2d_stride1", "Downsample2d"),
        "ConvTranspose1d": ("Upsample1d", "Conv1d_stride1"),
        "ConvTranspose2d": ("Upsample2d", "Conv2d_stride1"),
        "MaxPool2d": ("MaxPool2d_stride1", "Downsample2d"),
        "MeanPool2d": ("MeanPool2d_stride1", "Downsample2d"),
        "ResBlock": ("Conv2d", "BatchNorm2d"),
        "MLP0": ("Linear", "ReLU"),
        "MLP1": ("Linear", "ReLU"),
        "MLP4": ("Linear", "ReLU"),
        "CNN": ("Conv1d", "Flatten", "Linear"),
        "CNN_SimpleScanningMLP": ("Conv1d", "Flatten"),
        "CNN_DistributedScanningMLP": ("Conv1d", "Flatten"),
    }
)
