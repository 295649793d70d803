"""Networks built of mytorch layers."""

from models.scratch.course_cnn import CNN
from models.scratch.scanning_mlp import CNN_DistributedScanningMLP, CNN_SimpleScanningMLP

__all__ = ["CNN", "CNN_DistributedScanningMLP", "CNN_SimpleScanningMLP"]
