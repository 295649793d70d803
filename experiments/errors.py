"""What the commands say when something given to them is wrong."""


class FacesError(Exception):
    """An input, a file or a setting that a command cannot work with.

    The message names the file or value, what was expected, and the remedy; the command line prints it without a
    traceback and exits with status 2.
    """


class DivergenceError(FacesError):
    """A training whose loss is no number any more: another learning rate may do, where other mistakes would remain."""
