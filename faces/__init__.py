"""Faces from Python: `faces.match(a, b)`, `faces.detect(image)`, `faces.embed(images)`, `faces.Gallery`.

An image is a path, the bytes of a file, a PIL image, or an RGB array (H, W, 3) uint8. Without a run of your own, the
known network SFace is used, whose thresholds come with the project; `faces.load` opens another network. Wrong input is
a `faces.FacesError`. PyTorch is imported only for runs.
"""

from experiments.errors import FacesError
from faces.gallery import Gallery
from faces.network import Network, detect, embed, load, match
from faces.results import Face, Identity, Match

__all__ = ["Face", "FacesError", "Gallery", "Identity", "Match", "Network", "detect", "embed", "load", "match"]
