"""`python -m autograder`."""

import sys

from autograder.cli import main

if __name__ == "__main__":
    try:
        main()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        sys.exit("autograder: torch is not installed: in the project's folder, pip install '.[faces]'")
