"""`python -m mclstexp`, and the command `mclstexp`."""

import sys

from mclstexp.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
