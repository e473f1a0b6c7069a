"""How long to wait: between looks at the chain, after a failure, and before an upload that all nodes want to make at once.

Source of the back-off: "Exponential Backoff And Jitter", AWS Architecture Blog, the variant "full jitter".
"""

import random

from protocol.config import RoundsSection

_FIRST, _LONGEST = 0.5, 30.0
_UPLOAD_SECONDS = 0.1
"""Uploads of a roster are spread so that about ten bodies a second arrive."""

_random = random.SystemRandom()


class Backoff:
    """Seconds to wait after one failure after another: uniform between 0 and a bound that doubles up to `longest`."""

    def __init__(self, longest: float = _LONGEST) -> None:
        self._longest, self._failures = longest, 0

    def after_failure(self) -> float:
        """The next wait."""
        bound = min(self._longest, _FIRST * 2 ** min(self._failures, 16))
        self._failures += 1
        return _random.uniform(0, bound)

    def reset(self) -> None:
        """It worked again."""
        self._failures = 0


def longest_backoff(rounds: RoundsSection) -> float:
    """A bound for `Backoff` that leaves several tries within commit and reveal time."""
    return min(_LONGEST, min(rounds.commit_seconds, rounds.reveal_seconds) / 8)


def poll_seconds(rounds: RoundsSection) -> float:
    """How often to look at the chain: sixty times in the shorter of commit and reveal time, every 0.5 to 10 seconds."""
    return min(10.0, max(0.5, min(rounds.commit_seconds, rounds.reveal_seconds) / 60)) * _random.uniform(0.8, 1.2)


def reveal_delay(roster: int, seconds_left: int) -> float:
    """Wait before uploading one of `roster` bodies with `seconds_left` until the last moment: at most a quarter of it."""
    return _random.uniform(0, min(roster * _UPLOAD_SECONDS, max(seconds_left, 0) / 4))
