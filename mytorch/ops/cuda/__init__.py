"""The same operations on an NVIDIA GPU: CUDA sources (*.cu), and the Python functions that launch them.

Each module corresponds to the one of the same name in `mytorch.ops`, whose functions call it for CuPy arrays (see
`mytorch.device.cuda_implementation`). Matrix products are computed by cuBLAS, through CuPy.
"""
