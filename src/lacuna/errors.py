"""Errors that a user can act on; the command line prints them as one line, without a traceback."""


class UserError(Exception):
    """Something in the user's input is wrong; the message says what was found and what to do."""


class NothingToScore(ValueError):
    """A metric was asked for on an empty set of cells."""
