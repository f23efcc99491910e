"""The one error a user is meant to read."""


class InputError(ValueError):
    """Something given to the package cannot be used.

    The message is one sentence that says what was expected, what was found and what to do.
    The command line prints it alone and exits with code 2.
    """
