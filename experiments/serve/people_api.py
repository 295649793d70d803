"""The API under /api/v1: identify, and the people of the gallery."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from experiments.data.images import ImageError
from experiments.evaluation.gallery.identify import DEFAULT_FAR
from experiments.evaluation.gallery.records import MAX_NAME, Match, Person
from experiments.serve.api import REFUSALS, Crops, Far, Photo, Photos, compute, read_upload, read_uploads, service_of
from experiments.serve.guard import RefusedError
from experiments.serve.people import MAX_CANDIDATES, NamedFace, People
from experiments.serve.schemas import ComparisonAnswer, ErrorAnswer, FaceAnswer

REFUSED = {
    **REFUSALS,
    404: "no person has this id",
    409: "another person has this photo or name, or the server has no gallery",
}
router = APIRouter(
    prefix="/api/v1",
    responses={status: {"model": ErrorAnswer, "description": f"Refused: {why}."} for status, why in REFUSED.items()},
)
PersonId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="A person's id, which never changes.")]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


class PersonAnswer(BaseModel):
    """Somebody enrolled."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "0f" * 16, "name": "Anna", "photos": 3, "created": "2026-01-31T12:00:00Z"}]
        }
    )
    id: str
    name: str
    photos: int
    created: datetime

    @classmethod
    def of(cls, person: Person) -> "PersonAnswer":
        """Put a person into an answer."""
        return cls(id=person.id, name=person.name, photos=person.photos, created=person.created)


class PeopleAnswer(BaseModel):
    """People by name. total: how many are enrolled."""

    total: int
    people: list[PersonAnswer]


class RefusedPhoto(BaseModel):
    """A photo that was left out, and why."""

    photo: str
    problem: str


class EnrollAnswer(BaseModel):
    """What an enrollment did."""

    person: PersonAnswer
    added: int
    refused: list[RefusedPhoto]


class Rename(BaseModel):
    """A person's new name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Anna B."}]})
    name: Name


class Candidate(BaseModel):
    """A person, and how similar the face is to their photos."""

    id: str
    name: str
    similarity: float

    @classmethod
    def of(cls, match: Match) -> "Candidate":
        """Put a match into an answer."""
        return cls(id=match.id, name=match.name, similarity=match.similarity)


class IdentifiedFace(FaceAnswer):
    """A face with the person's name and id; both are null below the threshold."""

    name: str | None
    id: str | None
    candidates: list[Candidate]

    @classmethod
    def named(cls, face: NamedFace, crops: bool) -> "IdentifiedFace":
        """Put a face into an answer."""
        return cls(
            **FaceAnswer.of(face.found, crops).model_dump(),
            name=face.best and face.best.name,
            id=face.best and face.best.id,
            candidates=[Candidate.of(match) for match in face.candidates],
        )


class IdentifiedPhoto(BaseModel):
    """A photo's faces; or why it could not be read."""

    photo: str
    width: int
    height: int
    faces: list[IdentifiedFace]
    error: str | None = None


class IdentifyAnswer(BaseModel):
    """Who is in each photo. threshold: the similarity from which a face gets a name; basis: where it comes from."""

    threshold: float
    basis: str
    photos: list[IdentifiedPhoto]


class VerifyAnswer(ComparisonAnswer):
    """Whether a photo shows a person: its largest central face is compared with the mean of their photos."""

    person: PersonAnswer


def people_of(request: Request) -> People:
    """Return the gallery. Raises RefusedError where the server has none."""
    people = service_of(request).people
    if people is None:
        raise RefusedError(409, "gallery", "this server has no gallery: start it with --gallery FILE")
    return people


def actor_of(request: Request) -> str:
    """Return who the audit log says made a change: the key's name, or the address."""
    return f"faces serve: {request.scope['client_name']}"


@router.post("/identify", tags=["people"], response_model=IdentifyAnswer, summary="Who is in a photo?")
async def identify(
    request: Request,
    photos: Photos,
    far: Annotated[float, Form(gt=0, lt=1, description="How often a stranger may be given a name.")] = DEFAULT_FAR,
    top: Annotated[int, Form(ge=1, le=MAX_CANDIDATES, description="How many similar people to list.")] = 3,
    crops: Crops = False,
) -> IdentifyAnswer:
    """Name every face of every photo; a face that is not similar enough to any person is unknown."""
    people, uploads = people_of(request), await read_uploads(request, photos)

    def work() -> IdentifyAnswer:
        threshold, answers = people.threshold(far), []
        for upload in uploads:
            try:
                found, faces = people.identify(upload, threshold.value, top)
            except ImageError as error:
                answers.append(IdentifiedPhoto(photo=upload.name, width=0, height=0, faces=[], error=str(error)))
                continue
            named = [IdentifiedFace.named(face, crops) for face in faces]
            answers.append(IdentifiedPhoto(photo=upload.name, width=found.width, height=found.height, faces=named))
        return IdentifyAnswer(threshold=threshold.value, basis=threshold.basis, photos=answers)

    return await compute(request, work)


@router.get("/people", tags=["people"], response_model=PeopleAnswer, summary="Who is enrolled?")
async def list_people(
    request: Request,
    search: Annotated[str, Query(max_length=MAX_NAME, description="A part of the name.")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
) -> PeopleAnswer:
    """List people by name, a page at a time."""
    store = people_of(request).store
    found = await run_in_threadpool(store.people, search, limit, offset)
    total = await run_in_threadpool(store.count)
    return PeopleAnswer(total=total, people=[PersonAnswer.of(person) for person in found])


@router.post("/people", tags=["people"], status_code=201, response_model=EnrollAnswer, summary="Enroll a person")
async def enroll(
    request: Request,
    name: Annotated[str, Form(min_length=1, max_length=MAX_NAME, description="A new person, or somebody enrolled.")],
    photos: Photos,
) -> EnrollAnswer:
    """Enroll a person by photos, or add photos to one. Photos that are not good enough are left out, and listed."""
    people, uploads = people_of(request), await read_uploads(request, photos)
    done = await compute(request, lambda: people.enroll(name, uploads, actor_of(request)))
    refused = [RefusedPhoto(photo=photo, problem=problem) for photo, problem in done.refused]
    return EnrollAnswer(person=PersonAnswer.of(done.person), added=done.added, refused=refused)


@router.get("/people/{person}", tags=["people"], response_model=PersonAnswer, summary="A person")
async def get_person(request: Request, person: PersonId) -> PersonAnswer:
    """Return a person by id."""
    return PersonAnswer.of(await run_in_threadpool(people_of(request).store.person, person))


@router.patch("/people/{person}", tags=["people"], response_model=PersonAnswer, summary="Rename a person")
async def rename(request: Request, person: PersonId, change: Rename) -> PersonAnswer:
    """Give a person another name."""
    store = people_of(request).store
    return PersonAnswer.of(await run_in_threadpool(store.rename, person, change.name, actor_of(request)))


@router.delete("/people/{person}", tags=["people"], status_code=204, summary="Delete a person")
async def delete(request: Request, person: PersonId) -> Response:
    """Remove a person with all that is stored about them."""
    await run_in_threadpool(people_of(request).store.remove, [person], actor_of(request))
    return Response(status_code=204)


@router.get(
    "/people/{person}/thumbnail",
    tags=["people"],
    summary="A small image of a person's face",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "A JPEG."}
    },
)
async def thumbnail(request: Request, person: PersonId) -> Response:
    """Return the face that a person was enrolled with first, where the server stores images."""
    return Response(await run_in_threadpool(people_of(request).thumbnail, person), media_type="image/jpeg")


@router.post("/people/{person}/verify", tags=["people"], response_model=VerifyAnswer, summary="Is it this person?")
async def verify(request: Request, person: PersonId, photo: Photo, far: Far = None) -> VerifyAnswer:
    """Compare a photo's largest central face with a person, at a threshold with a measured false-match rate."""
    people, upload = people_of(request), await read_upload(photo, "photo")
    who, _, comparison = await compute(request, lambda: people.verify(person, upload, far))
    return VerifyAnswer(**ComparisonAnswer.values(comparison), person=PersonAnswer.of(who))
