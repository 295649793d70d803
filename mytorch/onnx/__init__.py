"""Networks as ONNX files: `load` reads one into an `nn.Graph`, `save` writes any network of mytorch.

They need the package onnx, which is imported when they are called: pip install -e '.[export]' in the project's folder.
"""

from mytorch.onnx.read import load
from mytorch.onnx.write import save

__all__ = ["load", "save"]
