"""`python -m mclstexp`, and the command `mclstexp`."""

import gc
import sys

from mclstexp.cli import run


def main() -> None:
    """Run the command line and exit with its code."""
    code = run()
    gc.freeze()  # what is left is not looked through for garbage at the end, which would take two seconds
    sys.exit(code)


if __name__ == "__main__":
    main()
