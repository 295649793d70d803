"""What PyTorch's own modules must refuse, mytorch refuses too, with an error that names the remedy."""

import pytest
import torch

from mytorch import nn
from tests.conformance.arrays import short
from tests.conformance.modules import as_argument, as_input, module_infos

WRONG = [
    (info.module_cls.__name__, wrong.module_error_input)
    for info in module_infos()
    if hasattr(nn, info.module_cls.__name__) and info.module_error_inputs_func
    for wrong in info.module_error_inputs_func(
        info, device="cpu", dtype=torch.float64, requires_grad=False, training=True
    )
]


def text(name, module_input):
    """Return the wrong arguments in words."""
    constructor, forward = module_input.constructor_input, module_input.forward_input
    given = [*map(short, constructor.args), *(f"{key}={short(value)}" for key, value in constructor.kwargs.items())]
    return f"{name}({', '.join(given)}) on {', '.join(map(short, forward.args if forward else ()))}"


@pytest.mark.parametrize(("name", "module_input"), WRONG, ids=[text(*wrong) for wrong in WRONG])
def test_what_pytorch_refuses_is_refused(name, module_input):
    constructor, forward = module_input.constructor_input, module_input.forward_input

    def run():
        keywords = {key: as_argument(value) for key, value in constructor.kwargs.items()}
        layer = getattr(nn, name)(*map(as_argument, constructor.args), **keywords).to("float64")
        layer(*(as_input(value, "float64") for value in forward.args))

    with pytest.raises((ValueError, TypeError)) as caught:
        run()
    assert "unexpected keyword" not in str(caught.value)
    assert len(str(caught.value)) > 30


def test_pytorch_has_such_inputs():
    assert len(WRONG) > 20
