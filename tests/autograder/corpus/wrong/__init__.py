"""Mistakes that students make, one each, a family of classes a file; see `planting` for what becomes of them.

DEFAULT: those in the classes of the default rubric. EARLIER: those in the classes of earlier assignments.
"""

from corpus.wrong import convolution, earlier, networks, norms_and_blocks, pooling, resampling

_FAMILIES = (resampling, convolution, pooling, networks, norms_and_blocks)
DEFAULT = [mistake for family in _FAMILIES for mistake in family.MISTAKES]
EARLIER = earlier.MISTAKES
