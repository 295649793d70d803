"""Plots of training and verification, and sheets of images."""
