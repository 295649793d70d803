"""Faces found, turned upright and cut out: what `faces align` does, a step a file."""
