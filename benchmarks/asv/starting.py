"""How long one waits before anything happens."""

import subprocess
import sys


class Starting:
    """A new process each."""

    timeout = 120

    def time_import(self) -> None:
        """Import the package, which loads no torch."""
        subprocess.run([sys.executable, "-c", "import mclstexp"], check=True)

    def time_help(self) -> None:
        """Ask for help."""
        subprocess.run([sys.executable, "-m", "mclstexp", "--help"], check=True, capture_output=True)

    def time_list(self) -> None:
        """List the methods, which imports every one."""
        subprocess.run([sys.executable, "-m", "mclstexp", "list"], check=True, capture_output=True)
