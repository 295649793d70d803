"""Mistakes that students make, one each, a family of classes per file; see `planting`."""

from corpus.wrong import convolution, earlier, exceptions, more, networks, norms_and_blocks, pooling, resampling

_FAMILIES = (resampling, convolution, pooling, networks, norms_and_blocks, earlier, more, exceptions)
MISTAKES = [mistake for family in _FAMILIES for mistake in family.MISTAKES]
