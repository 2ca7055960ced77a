"""Tables for people: columns as wide as what is in them, numbers to the right."""

from __future__ import annotations


def show(title: str, head: list[str], rows: list[list[object]]) -> None:
    """Prints a table."""
    texts = [head, *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in texts:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.2e}" if cell and abs(cell) < 1e-3 else f"{cell:.4g}"
    return str(cell)


def amount(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
