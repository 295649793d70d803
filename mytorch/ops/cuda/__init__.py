"""The same arithmetic on an NVIDIA GPU: CUDA sources (*.cu), and functions like `mytorch.ops`' that launch them.

Each module here stands for the one of its name in `mytorch.ops`, whose functions hand their arrays over
(`cuda_implementation`) where these are CuPy's. Matrix products are cuBLAS's, through CuPy.
"""
