"""Lessons: notebooks that run from top to bottom on drawn faces, what runs them, and what they draw with."""
