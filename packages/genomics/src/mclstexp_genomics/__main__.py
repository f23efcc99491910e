"""`mclstexp-genomics`, and ``python -m mclstexp_genomics``."""

import sys

from mclstexp_genomics.cli import run


def main() -> None:
    """Run the command and end with its code."""
    sys.exit(run())


if __name__ == "__main__":
    main()
