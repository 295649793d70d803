"""Data sets: reading, checking, aligning, splitting, packing and augmenting face images, and drawing synthetic ones."""
