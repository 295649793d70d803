"""How images were prepared is recorded where they are made, and a mismatch is refused with the command that helps."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.data.align.job import align_folder
from experiments.data.dataset import read_split
from experiments.data.pack import pack_folder
from experiments.data.preparation import (
    AS_THEY_ARE,
    PREPARED,
    AlignSettings,
    Preparation,
    parse_preparation,
    read_preparation,
    require_preparation,
    write_preparation,
)
from experiments.errors import FacesError

ALIGNED = Preparation(detector="mtcnn", template="five-point", size=112, margin=0.0)
OTHERS = [
    ALIGNED.model_copy(update={"detector": "retinaface"}),
    ALIGNED.model_copy(update={"template": "margin"}),
    ALIGNED.model_copy(update={"size": 160}),
    ALIGNED.model_copy(update={"margin": 0.35}),
    AS_THEY_ARE,
]


def test_a_folder_without_a_record_holds_images_as_they_are(tmp_path):
    assert read_preparation(tmp_path) == AS_THEY_ARE


@pytest.mark.parametrize("inside", [".", "train", "train/anna", "test/1.jpg", "missing/part"])
def test_a_record_holds_for_everything_below_it(tmp_path, inside):
    (tmp_path / "train" / "anna").mkdir(parents=True)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "1.jpg").touch()
    write_preparation(tmp_path, ALIGNED)
    assert read_preparation(tmp_path / inside) == ALIGNED


def test_a_link_is_as_what_it_leads_to(tmp_path):
    (tmp_path / "aligned" / "train").mkdir(parents=True)
    write_preparation(tmp_path / "aligned", ALIGNED)
    (tmp_path / "link").symlink_to(tmp_path / "aligned" / "train")
    assert read_preparation(tmp_path / "link") == ALIGNED


@given(
    kept=st.builds(
        Preparation,
        detector=st.text(min_size=1, max_size=80),
        template=st.sampled_from(["five-point", "margin"]),
        size=st.integers(8, 4096),
        margin=st.floats(0, 4),
    )
)
def test_what_is_written_is_read_again(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("record")
    write_preparation(folder, kept)
    assert read_preparation(folder) == kept


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["detector", "template", "size", "margin", "x"]), inner, max_size=4)
        ),
        max_leaves=6,
    )
)
def test_any_other_json_is_a_record_or_named_in_an_error(tmp_path_factory, value):
    where = tmp_path_factory.mktemp("record") / PREPARED
    try:
        outcome = parse_preparation(value, where)
    except FacesError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert str(where) in outcome
        assert "align again" in outcome
    else:
        assert isinstance(value, dict)
        assert set(value) <= {"detector", "template", "size", "margin"}


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_every_field_counts(tmp_path, other):
    write_preparation(tmp_path, other)
    with pytest.raises(FacesError) as refused:
        require_preparation(ALIGNED, tmp_path, "the run r")
    assert str(tmp_path) in str(refused.value)
    assert "the run r" in str(refused.value)
    assert require_preparation(other, tmp_path, "the run r") == other
    assert require_preparation(None, tmp_path, "an older run") == other


def test_images_as_they_are_are_refused_with_the_command_that_aligns_them(tmp_path):
    folder = tmp_path / "my faces"
    folder.mkdir()
    wanted = ALIGNED.model_copy(update={"template": "margin", "size": 160, "margin": 0.5})
    with pytest.raises(FacesError) as refused:
        require_preparation(wanted, folder, "the run r")
    command = shlex.split(str(refused.value).split("`")[1])
    assert command[:3] == ["faces", "align", str(folder)]
    assert command[4:] == ["--size", "160", "--crop", "margin", "--margin", "0.5"]


def test_aligned_images_are_refused_where_they_were_not_expected(tmp_path):
    write_preparation(tmp_path, ALIGNED)
    with pytest.raises(FacesError, match="use the original images"):
        require_preparation(AS_THEY_ARE, tmp_path, "the run r")


def test_aligning_writes_the_record_and_packing_carries_it_over(competition, tmp_path, monkeypatch, tiny):
    def stop(*_: object) -> None:
        raise InterruptedError

    monkeypatch.setattr("experiments.data.align.job.align_images", stop)
    with pytest.raises(InterruptedError):  # stopped at the first image: the record is there already
        align_folder(competition, tmp_path / "aligned", AlignSettings(size=64, margin=0.2))
    aligned = ALIGNED.model_copy(update={"size": 64, "margin": 0.2})
    assert read_preparation(tmp_path / "aligned") == aligned
    write_preparation(competition, aligned)
    pack_folder(competition, tmp_path / "packed", (16, 16))
    assert read_preparation(tmp_path / "packed" / "test") == aligned
    for folder in (competition, tmp_path / "packed"):
        assert [faces.preparation for faces in read_split(folder, tiny())] == [aligned, aligned]


def test_extra_images_prepared_otherwise_are_refused(own_people, people, tiny):
    write_preparation(own_people, ALIGNED)
    with pytest.raises(FacesError, match=r"as they are, but the training set .*faces align"):
        read_split(own_people, tiny(f"data.extra_images={people}"))


@pytest.mark.parametrize("detector", ["mtcnn", "yunet"])
@pytest.mark.parametrize("template", ["five-point", "margin"])
@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_the_command_that_is_advised_prepares_images_just_so(
    tmp_path, monkeypatch, command, detector, template, margin
):
    """It is typed as it is printed, and what `faces align` would do is what was asked for."""
    wanted = Preparation(detector=detector, template=template, size=96, margin=margin)
    (tmp_path / "my faces").mkdir()
    asked = []

    def align(source, target, settings, *_, **options):
        asked.append((source, settings.preparation))
        raise FacesError("far enough")

    monkeypatch.setattr("experiments.data.align.job.align_folder", align)
    assert command(*shlex.split(wanted.command(tmp_path / "my faces"))[1:]).status == 2
    assert asked == [(tmp_path / "my faces", wanted)]
