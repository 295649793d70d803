"""Public sets: what is printed when there is no network, or no such set."""

import pytest

from experiments.data.download import download_dataset
from experiments.errors import FacesError


def test_an_unknown_set_is_answered_with_the_known(tmp_path):
    with pytest.raises(FacesError, match="no data set is called 'vggface': choose one of olivetti, lfw"):
        download_dataset("vggface", tmp_path / "out")


def test_without_a_network_the_remedy_is_said_and_nothing_is_left(tmp_path, start):
    nowhere = "import os; os.environ.update(http_proxy='http://127.0.0.1:9', https_proxy='http://127.0.0.1:9')"
    process = start(["data", "get", "olivetti", "--out", tmp_path / "out", "--cache", tmp_path / "cache"], nowhere)
    _, err = process.communicate()
    assert process.returncode == 2
    assert "olivetti: cannot be downloaded" in err
    assert "--cache FOLDER" in err
    assert not (tmp_path / "out").exists()
