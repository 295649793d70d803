"""Which photographs are good enough to enroll a person by."""

from dataclasses import dataclass

from experiments.data.align.in_memory import AlignedFace


@dataclass(frozen=True)
class Gate:
    """The least that a photograph must show.

    score: how sure the detector is of the face, 0 to 1. side: the face's, in pixels. alone: refuse a photograph with
    several faces, where otherwise the most central large one is taken.
    """

    score: float = 0.9
    side: float = 32.0
    alone: bool = False

    def objection(self, one: AlignedFace) -> str:
        """Why a photograph is left out, or nothing."""
        if one.face is None:
            return "no face found"
        if one.face.score < self.score:
            return f"a face of which the detector is only {one.face.score:.0%} sure, below {self.score:.0%}"
        if one.face.side < self.side:
            return f"a face of {one.face.side:.0f} pixels, below {self.side:.0f}"
        if self.alone and one.faces > 1:
            return f"{one.faces} faces"
        return ""
