"""What is wrong with a text that is no JSON, in a reader's words."""

from __future__ import annotations


def json_fault(error: Exception) -> str:
    """Return what the JSON reader stumbled over.

    Examples
    --------
    >>> import json
    >>> for text in ("[" * 10**5, "1" * 5000, "{"):
    ...     try:
    ...         json.loads(text)
    ...     except (ValueError, RecursionError) as error:
    ...         print(json_fault(error))
    brackets nested too deeply
    a whole number of thousands of digits
    Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
    """
    if isinstance(error, RecursionError):
        return "brackets nested too deeply"
    if "integer string conversion" in str(error):
        return "a whole number of thousands of digits"
    return str(error)
