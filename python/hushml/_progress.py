"""How far long work has come: a bar of tqdm where that is installed, a plain one on a terminal otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

#: Seconds that work may take before anything is shown.
PATIENCE = 0.5
WIDTH = 32


class Progress:
    """Shows stages one after another. As a context manager it gives what the work calls, or ``None`` for silence."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._bar: _Plain | Any = None
        self._stage: str | None = None
        self._begun = time.monotonic()

    def __enter__(self) -> Callable[[str, int, int], None] | None:
        return self._tell if self._wanted else None

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _tell(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._close()
            self._stage = stage
        if self._bar is None:
            if time.monotonic() - self._begun < PATIENCE or done >= total:
                return
            self._bar = _bar(stage, total)
        if self._bar.total != total:
            self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _bar(stage: str, total: int) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return _Plain(stage, total)
    scaled = stage == "upload"
    return tqdm(
        desc=stage,
        total=total,
        unit="B" if scaled else "",
        unit_scale=scaled,
        leave=False,
        disable=None,
    )


class _Plain:
    """As much of tqdm's bar as is needed here."""

    def __init__(self, stage: str, total: int) -> None:
        self.stage = stage
        self.total = total
        self.n = 0
        self._visible = sys.stderr.isatty()

    def update(self, more: int) -> None:
        self.n += more
        if self._visible and self.total:
            share = min(self.n / self.total, 1.0)
            filled = "#" * round(share * WIDTH)
            sys.stderr.write(f"\r{self.stage:>10} [{filled:<{WIDTH}}] {share:4.0%}")
            sys.stderr.flush()

    def close(self) -> None:
        if self._visible:
            sys.stderr.write("\r" + " " * (WIDTH + 20) + "\r")
            sys.stderr.flush()
