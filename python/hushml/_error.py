"""What goes wrong."""

from __future__ import annotations


class HushError(Exception):
    """Something that HushML cannot do, in ``message``, and what to do about it, in ``hint`` (or ``None``)."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class HushWarning(UserWarning):
    """Results may be worse, or what is sent less private, than it looks."""
