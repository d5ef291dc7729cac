"""Tables as kubectl prints them."""

from collections.abc import Sequence


def columns(rows: Sequence[Sequence[str]], gap: int = 3) -> str:
    """Return rows of cells in aligned columns; the last cell of a row is not padded (kubectl: tabwriter, padding 3)."""
    widths = [max(len(row[at]) for row in rows if at < len(row)) for at in range(max(map(len, rows), default=0))]
    return "\n".join(
        "".join([cell.ljust(width + gap) for cell, width in zip(row[:-1], widths, strict=False)] + [row[-1]]).rstrip()
        for row in rows
        if row
    )
