"""What the project is, what it needs, and the command it installs. The tools' settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="mytorch-faces",
    version="0.1.0",
    description="A CNN library written by hand on NumPy, checked against PyTorch, and face recognition built with both",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(
        include=["mytorch*", "models*", "experiments*", "autograder*"],
        exclude=["experiments.docs*"],  # built from the project's folder, whose files it shows
    ),
    package_data={
        "autograder": ["rubrics/*.yaml"],
        "experiments": ["recipes/*.yaml"],
        "experiments.outputs.report": ["*.css", "*.typ"],
        "mytorch.ops.cuda": ["*.cu", "*.cuh"],
    },
    install_requires=[
        "accelerate>=1.2",
        "facenet-pytorch==2.5.3",  # 2.6 pins an old torch
        "matplotlib>=3.9",
        "numpy>=2.0",
        "pandas>=2.2",
        "pillow>=11",
        "pydantic>=2.9",
        "pyyaml>=6",
        "rich>=13.9",
        "safetensors>=0.5",
        "scikit-learn>=1.5",
        "scipy>=1.14",
        "threadpoolctl>=3.5",
        "timm>=1.0.12",
        "torch>=2.6",
        "torchvision>=0.21",
        "typer>=0.19",
        "typst>=0.13",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14"],
        "cuda13": ["cupy-cuda13x[ctk]>=14"],
        "docs": ["jinja2>=3.1", "latex2mathml>=3.78", "mkdocstrings-python>=2.0", "zensical==0.0.73"],
        "export": ["onnx>=1.17", "onnxruntime>=1.20", "onnxscript>=0.5"],
        "gallery": ["faiss-cpu>=1.9"],
        "kaggle": ["kaggle>=1.6"],
        "notebooks": ["ipykernel>=6.29", "nbclient>=0.10", "nbformat>=5.10"],
        "tensorboard": ["tensorboard>=2.18"],
        "tune": ["optuna>=4.1"],
        "dev": [
            "cuda-bindings>=13; sys_platform == 'linux'",
            "faiss-cpu>=1.9",
            "hypothesis>=6.120",
            "jinja2>=3.1",
            "latex2mathml>=3.78",
            "mkdocstrings-python>=2.0",
            "ipykernel>=6.29",
            "mypy>=1.14",
            "nbclient>=0.10",
            "nbformat>=5.10",
            "nvidia-cuda-nvrtc>=13; sys_platform == 'linux'",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "onnxscript>=0.5",
            "optuna>=4.1",
            "psutil>=6",
            "pypdf>=5",
            "pytest>=8.3",
            "pytest-xdist>=3.6",
            "pytorch-metric-learning>=2.8",
            "ruff>=0.9",
            "tensorboard>=2.18",
            "torchmetrics>=1.6",
            "types-PyYAML>=6",
            "zensical==0.0.73",
        ],
    },
    entry_points={"console_scripts": ["faces = experiments.cli:main"]},
)
