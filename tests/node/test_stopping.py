"""Signals end a run from anywhere, and leave the process as it was."""

import signal

import pytest

from node.stopping import Stopped, stopping_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cuts_through_what_handles_failures(number: signal.Signals) -> None:
    before, reached = signal.getsignal(number), []

    def work() -> None:
        with stopping_on_signals():
            try:
                signal.raise_signal(number)
            except Exception:
                reached.append("a handler for failures took it for one")
            reached.append("went on")

    with pytest.raises(Stopped):
        work()
    assert reached == []
    assert signal.getsignal(number) is before


def test_a_signal_that_was_swallowed_does_not_make_deaf() -> None:
    swallowed = []

    def work() -> None:
        with stopping_on_signals():
            try:
                signal.raise_signal(signal.SIGINT)
            except BaseException:
                swallowed.append(True)
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        work()
    assert swallowed == [True]
