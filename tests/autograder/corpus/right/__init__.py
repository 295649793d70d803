"""Correct submissions in different styles of arithmetic, layout and habit."""

from collections.abc import Callable
from pathlib import Path

from corpus.right import arithmetic, layout

STYLES: list[Callable[[Path], None]] = [
    arithmetic.loops_in_one_file,
    arithmetic.as_strided,
    arithmetic.convolve,
    arithmetic.im2col_and_prints,
    layout.float32_safe,
    layout.one_file,
    layout.flat_files,
    layout.handout_layout,
    layout.relative_imports,
    layout.path_juggling,
    layout.clutter,
    layout.zipped,
    arithmetic.aliases,
]
