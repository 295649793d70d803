"""What a run's network is made of: parameters, FLOPs, and its parts in order."""

from dataclasses import dataclass

from experiments.run import Run


@dataclass(frozen=True)
class Piece:
    """A part of a network: its name, what it gives for one picture (nothing where that is not known), parameters."""

    name: str
    output: str
    parameters: int


@dataclass(frozen=True)
class Anatomy:
    """A network's parameters, its FLOPs for one picture, and its parts from the input to the head."""

    parameters: int
    flops: int
    pieces: list[Piece]


def anatomy(run: Run) -> Anatomy | None:
    """Of a run's network, built from its recipe and filled with its weights; None where the folder has no weights."""
    if not run.best.is_file():
        return None
    from experiments.inference.model import Trained
    from experiments.tools.cost import cost
    from models.stages import parts
    from mytorch import nn as ours
    from mytorch import summary

    trained = Trained.open(run.folder, "cpu")
    costs = cost(trained)
    if isinstance(trained.network, ours.Module):
        rows = summary(trained.network, (3, *trained.recipe.data.size)).rows
        pieces = [Piece(row.kind, " × ".join(map(str, row.output)), row.parameters) for row in rows if row.depth == 1]
    else:
        pieces = [
            Piece(name, "", sum(p.numel() for p in part.parameters())) for name, part in parts(trained.network).items()
        ]
    return Anatomy(costs.parameters, costs.flops, pieces)
