"""Where the `fairshare` command starts, and the one place where it ends: by a sentence and an exit code, whatever happened.

Nothing but this is loaded before Ctrl-C is taken care of: the parts of the house come in while `main` is watching.
"""

import io
import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

INTERRUPTED, FAULT = 130, 70


def main() -> None:
    """Run the command line. Exit codes are those of `protocol.terminal`."""
    came: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        came.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to end
    try:
        from fairshare.app import app

        app()
    except SystemExit as end:
        # typer ends with 1 when it is interrupted while it reads the arguments; everything else has a code of ours.
        _end("", INTERRUPTED if came and end.code == 1 else end.code)
    except BaseException as error:
        if came:
            # Whatever it is: an import that was cut off may say so in its own way.
            _end("error: stopped", INTERRUPTED)
        if os.environ.get("FAIRSHARE_TRACEBACK"):
            traceback.print_exc()
        kind = f"{type(error).__name__}: {error}"
        _end(
            f"error: fairshare itself failed ({kind}); please report it, with what FAIRSHARE_TRACEBACK=1 in front of the same "
            "command shows",
            FAULT,
        )


def _end(sentence: str, code: int | str | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not cut off what ends in order
    if sentence:
        print(sentence, file=sys.stderr)
    sys.exit(code)
