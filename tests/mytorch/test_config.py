import pytest

import mytorch
from mytorch import config


def test_show_config_prints_what_is_used(capsys):
    mytorch.show_config()
    printed = capsys.readouterr().out
    for name in ("Python", "NumPy", "threads", "BLAS", "Winograd", "GPU"):
        assert f"\n{name} " in f"\n{printed}"


def test_blas_kernels_that_do_not_suit_the_processor_are_reported(monkeypatch):
    old = [{"internal_api": "openblas", "version": "0.3", "architecture": "Haswell", "num_threads": 2}]
    monkeypatch.setattr(config, "blas_libraries", lambda: old)
    monkeypatch.setattr(config, "_has_avx512", lambda: True)
    assert any("OPENBLAS_CORETYPE=SKYLAKEX" in hint for hint in config.config()[1])
    monkeypatch.setattr(config, "_has_avx512", lambda: False)
    assert not any("OPENBLAS_CORETYPE" in hint for hint in config.config()[1])


def test_a_missing_threadpoolctl_is_reported(monkeypatch):
    monkeypatch.setattr(config, "blas_libraries", lambda: None)
    facts, hints = config.config()
    assert facts["BLAS"] == "unknown without threadpoolctl"
    assert any("pip install threadpoolctl" in hint for hint in hints)


def test_a_single_thread_is_reported(monkeypatch):
    monkeypatch.setattr(config.os, "cpu_count", lambda: 4)
    with mytorch.threads.num_threads(1):
        assert any("set_num_threads" in hint for hint in config.config()[1])


def test_forbidden_winograd_is_reported():
    mytorch.allow_winograd(False)
    try:
        assert "forbidden" in config.config()[0]["Winograd"]
    finally:
        mytorch.allow_winograd(True)


@pytest.mark.parametrize(("text", "expected"), [("flags : sse avx512f", True), ("flags : sse", False)])
def test_avx512_is_read_from_cpuinfo(tmp_path, text, expected):
    path = tmp_path / "cpuinfo"
    path.write_text(text)
    assert config._has_avx512(path) is expected
    assert config._has_avx512(tmp_path / "none") is False
