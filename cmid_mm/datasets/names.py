"""File names in messages."""


def printable(path: str) -> str:
    """A path as one line that any terminal and log file can show.

    File names may hold line breaks, the control sequences of terminals and bytes that are no UTF-8, which a log would
    not take; these become escapes such as ``\\n`` or ``\\udce9``, as in Python's source.
    """
    if path.isprintable():
        return path
    return ''.join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in path)
