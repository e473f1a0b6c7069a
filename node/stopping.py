"""Ending a run at any point: everything that matters is on disk before it is used, so the signal may cut in anywhere."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Stopped(BaseException):
    """SIGINT or SIGTERM came. No Exception, so that no handler for failures, ours or a task's, takes it for one."""


@contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into `Stopped`.

    Every one of them, as Python drops what is raised inside a finaliser, and a run must never be deaf.
    """

    def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise Stopped

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
