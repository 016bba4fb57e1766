"""The error of the data tools."""


class PreparationError(ValueError):
    """An archive, a folder or a file in it is not what its data set's official form says; the message names it."""
