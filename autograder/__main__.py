"""`python -m autograder`."""

import sys

from autograder.cli import main
from autograder.terminal import NEEDS_PYTORCH

if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        sys.exit(f"autograder: {NEEDS_PYTORCH}")
