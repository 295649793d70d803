"""`python -m docs`: build the site, without a network; warnings are errors."""

import sys

from docs.site import BUILD, build
from experiments.errors import FacesError


def main() -> None:
    """Build, and say where it is; what is wrong is said on standard error, with exit status 2."""
    try:
        site = build(BUILD)
    except FacesError as error:
        print(f"docs: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"open {site / 'index.html'}")


if __name__ == "__main__":
    main()
