"""The one error a user is meant to read."""

from mclstexp.core.wording import sentence


class InputError(ValueError):
    """Something given to the package cannot be used.

    The message is one sentence that says what was expected, what was found and what to do; it is made fit to be
    shown here (`sentence`), whatever was quoted in it. The command line prints it alone and exits with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(sentence(message))
