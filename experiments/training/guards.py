"""What to try when a training diverges or its memory runs out."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite

import torch

from experiments.config.recipe import Recipe
from experiments.errors import DivergenceError, FacesError


def refuse_divergence(loss: float, epoch: int, recipe: Recipe, kept: int) -> None:
    """Raise FacesError for a loss that is no number. kept: the epochs that the run's files hold."""
    if isfinite(loss):
        return
    lower = min(recipe.optimizer.lr / 10, 0.01)
    stands = f"The run stands as after epoch {kept}" if kept else "Nothing was learned: the run may be removed"
    ways = [f"a lower learning rate, such as --set optimizer.lr={lower:.2g} (and in stages, by stages.0.lr)"]
    if recipe.training.clip is None:
        ways.append("--set training.clip=1")
    if recipe.training.precision == "fp16":
        ways.append("--set training.precision=bf16")
    raise DivergenceError(
        f"the loss became {loss} in epoch {epoch + 1}: training diverged. {stands}; start another, in another --out, "
        f"with {' or '.join(ways)}"
    )


@contextmanager
def advice_on_memory(recipe: Recipe, processes: int) -> Iterator[None]:
    """Turn memory that runs out, the GPU's or the machine's, into a FacesError that says what to set."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        said = "can't allocate memory" in str(error) or "out of memory" in str(error)
        if not said and not isinstance(error, torch.OutOfMemoryError | MemoryError):
            raise
        share = max(1, recipe.batch_size // processes // recipe.training.accumulate)
        half = max(2, recipe.batch_size // 2)
        raise FacesError(
            f"out of memory with {share} pictures of {recipe.data.size[0]} x {recipe.data.size[1]} at a time: try "
            f"--set training.accumulate={recipe.training.accumulate * 2}, which learns from the same batches in "
            f"smaller parts, or --set batch_size={half}; in another --out, as that is another recipe"
        ) from error
