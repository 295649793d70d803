import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys
import numpy as np
from experiments.runtime import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def step():
    arrays = [np.ones(12_000_000, "f") for _ in range(2)]

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    """Pages that the system hands out in five steps."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's on Linux alone can be told")
def test_the_same_sizes_again_cost_no_new_pages():
    assert faults("kept") < faults("as it is") / 10
