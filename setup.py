"""For tools that still call setup.py. Name, requirements and packages are in pyproject.toml."""

from setuptools import setup

setup()
