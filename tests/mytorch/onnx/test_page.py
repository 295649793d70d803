"""The example on the site runs as it is printed there."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "pages" / "layers" / "containers.md"


@pytest.mark.parametrize("used", ["nn.Graph()", "mytorch.onnx.load("])
def test_examples_of_graphs_and_onnx_files_run(used, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (block for block in blocks if used in block)
    exec(compile(example, str(PAGE), "exec"), {})
