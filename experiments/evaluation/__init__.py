"""Trained networks judged: classification, verification, robustness and galleries."""
