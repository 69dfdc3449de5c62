"""Plain text and HTML tables from rows of strings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Rows = Sequence[Sequence[str]]


def text_table(header: Sequence[str], rows: Rows, *, indent: str = "") -> str:
    """Return columns aligned left, two spaces apart.

    Examples
    --------
    >>> print(text_table(["Hz", "dB"], [["4000", "-3.01"]]))
    Hz    dB
    4000  -3.01
    """
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = []
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(indent + "  ".join(cells).rstrip())
    return "\n".join(lines)


def html_table(header: Sequence[str], rows: Rows) -> str:
    """Return the same as an HTML table, every cell escaped."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
