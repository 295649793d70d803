"""The API under /api/v1: match, detect, embed, thresholds, health, metrics."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Annotated, TypeVar

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from experiments.evaluation.thresholds import Threshold
from experiments.serve.guard import RefusedError
from experiments.serve.jobs import QueueFullError
from experiments.serve.recognizer import FoundFaces, Upload
from experiments.serve.schemas import (
    CalibrationAnswer,
    ComparisonAnswer,
    DetectAnswer,
    EmbedAnswer,
    EmbeddedFace,
    EmbeddedPhoto,
    ErrorAnswer,
    FaceAnswer,
    Health,
    MatchAnswer,
    PhotoAnswer,
    ThresholdAnswer,
)
from experiments.serve.service import Service
from mytorch.version import __version__

REFUSALS = {
    400: "malformed",
    401: "no valid API key",
    403: "made by a page of another site",
    408: "too slow to arrive",
    413: "too long",
    415: "neither multipart/form-data nor application/json",
    421: "a Host that is not this server's",
    422: "a photo or value that cannot be used",
    431: "longer headers than are read",
    429: "too many requests; Retry-After tells when to try again",
    503: "the server is busy",
}
"""The statuses of a refused request."""

router = APIRouter(
    prefix="/api/v1",
    responses={status: {"model": ErrorAnswer, "description": f"Refused: {why}."} for status, why in REFUSALS.items()},
)
Result = TypeVar("Result")

Photo = Annotated[UploadFile, File(description="A photo: JPEG, PNG or WebP.")]
Photos = Annotated[list[UploadFile], File(min_length=1, description="One or several photos: JPEG, PNG or WebP.")]
Far = Annotated[
    float | None,
    Form(gt=0, lt=1, description="Use the threshold of this false-match rate; that of equal error rates by default."),
]
Crops = Annotated[bool, Form(description="Return each face, aligned, as a data URL.")]


def service_of(request: Request) -> Service:
    """Return the service that answers a request."""
    service: Service = request.app.state.service
    return service


async def compute(request: Request, function: Callable[[], Result]) -> Result:
    """Run a function that uses the network. Raises RefusedError where too many requests wait."""
    service = service_of(request)
    try:
        return await service.jobs.run(function)
    except QueueFullError as error:
        message = f"{service.settings.queue} requests wait already: try again"
        raise RefusedError(429, "busy", message, {"retry-after": "1"}) from error


async def read_upload(photo: UploadFile, role: str) -> Upload:
    """Read an uploaded photo. Its messages say `role`, and the file's name where the client gave one."""
    name = PurePosixPath((photo.filename or "").replace("\\", "/")).name[:80]
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return Upload(f"{role} ({shown})" if shown else role, await photo.read(), shown)


async def read_uploads(request: Request, photos: list[UploadFile]) -> list[Upload]:
    """Read the photos of a request. Raises RefusedError for too many."""
    most = service_of(request).settings.max_photos
    if len(photos) > most:
        raise RefusedError(
            422, "unusable", f"photos: {len(photos)} of them, expected at most {most}: send them in parts"
        )
    return [await read_upload(photo, f"photo {number}") for number, photo in enumerate(photos, 1)]


@router.get("/health", tags=["server"], response_model=Health, summary="Is the server up?")
async def health(request: Request) -> Health:
    """Answer at once, without a key and without the network."""
    service = service_of(request)
    return Health(
        status="ok",
        version=__version__,
        network=service.recognizer.embedder.title,
        waiting=service.jobs.waiting,
    )


@router.get(
    "/metrics",
    tags=["server"],
    summary="Counts and times for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's format."}},
)
async def metrics(request: Request) -> Response:
    """Return requests by route and status, their seconds, and the length of the queue."""
    service = service_of(request)
    service.metrics.waiting.set(service.jobs.waiting)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get(
    "/thresholds", tags=["faces"], response_model=CalibrationAnswer, summary="The thresholds that can be asked for"
)
async def thresholds(request: Request) -> CalibrationAnswer:
    """Return the network's thresholds with their measured error rates."""
    recognizer = service_of(request).recognizer
    calibration = recognizer.calibration

    def answer(threshold: Threshold) -> ThresholdAnswer:
        return ThresholdAnswer.of(threshold)

    return CalibrationAnswer(
        network=recognizer.embedder.title,
        pairs=calibration.pairs,
        same=calibration.genuine,
        different=calibration.impostor,
        thresholds=[answer(threshold) for threshold in calibration.thresholds],
    )


@router.post("/match", tags=["faces"], response_model=MatchAnswer, summary="Do two photos show one person?")
async def match(request: Request, first: Photo, second: Photo, far: Far = None, crops: Crops = False) -> MatchAnswer:
    """Compare every face of one photo with every face of the other; the most similar pair decides.

    Example: `curl -F first=@anna1.jpg -F second=@anna2.jpg -F far=0.001 http://127.0.0.1:8000/api/v1/match`
    """
    one, other = await read_upload(first, "first"), await read_upload(second, "second")
    recognizer = service_of(request).recognizer
    found = await compute(request, lambda: recognizer.match(one, other, far))
    values = ComparisonAnswer.values(found.comparison)
    if found.pairs > 1:
        values["statement"].append(
            f"{found.pairs} pairs of faces were compared, the best decides: photos of different people match in at "
            f"most {found.far_bound:.2%} of cases"
        )
    return MatchAnswer(
        **values,
        pairs=found.pairs,
        false_match_bound=found.far_bound,
        best=list(found.best),
        first=PhotoAnswer.of(found.first, crops),
        second=PhotoAnswer.of(found.second, crops),
    )


@router.post("/detect", tags=["faces"], response_model=DetectAnswer, summary="The faces of photos")
async def detect(request: Request, photos: Photos, crops: Crops = False) -> DetectAnswer:
    """Return box, landmarks, score and quality of every face. A photo that cannot be read has an `error` instead."""
    uploads = await read_uploads(request, photos)
    service = service_of(request)
    answers = []
    for upload, found in zip(
        uploads, await compute(request, lambda: service.recognizer.detect_all(uploads)), strict=True
    ):
        if isinstance(found, FoundFaces):
            service.metrics.faces.inc(len(found.faces))
            answers.append(PhotoAnswer.of(found, crops))
        else:
            answers.append(PhotoAnswer(photo=upload.name, width=0, height=0, faces=[], error=str(found)))
    return DetectAnswer(photos=answers)


@router.post("/embed", tags=["faces"], response_model=EmbedAnswer, summary="The embeddings of faces")
async def embed(
    request: Request,
    photos: Photos,
    every: Annotated[bool, Form(description="Every face, not only the largest central one.")] = False,
) -> EmbedAnswer:
    """Return an embedding of each photo's largest central face, or of every face."""
    uploads = await read_uploads(request, photos)
    recognizer = service_of(request).recognizer

    def work() -> list[EmbeddedPhoto]:
        answers = []
        for upload, found in zip(uploads, recognizer.detect_all(uploads), strict=True):
            if not isinstance(found, FoundFaces):
                answers.append(EmbeddedPhoto(photo=upload.name, faces=[], error=str(found)))
                continue
            chosen = [face for face in found.faces if every or face.main]
            vectors = recognizer.embed(chosen)
            faces = [
                EmbeddedFace(**FaceAnswer.of(face, False).model_dump(), embedding=vector.tolist())
                for face, vector in zip(chosen, vectors, strict=True)
            ]
            answers.append(EmbeddedPhoto(photo=upload.name, faces=faces, error=None if faces else "no face was found"))
        return answers

    return EmbedAnswer(network=recognizer.embedder.fingerprint, photos=await compute(request, work))
