"""Waiting: bounded, jittered, and within the time that a round leaves."""

from hypothesis import given
from hypothesis import strategies as st

from node.patience import Backoff, longest_backoff, poll_seconds, reveal_delay
from protocol.config import RoundsSection

SECONDS = st.integers(1, 10**9)


def rounds(commit: int, reveal: int) -> RoundsSection:
    return RoundsSection(
        minimum_commits=1,
        commit_seconds=commit,
        close_seconds=1,
        reveal_seconds=reveal,
        grace_seconds=1,
        propose_seconds=1,
        window_seconds=1,
        vote_seconds=1,
        maximum_pending=1,
        body_bytes=1,
    )


@given(st.integers(1, 8191), st.integers(-(10**6), 10**9))
def test_an_upload_waits_at_most_a_quarter_of_the_time_left(roster: int, left: int) -> None:
    delay = reveal_delay(roster, left)
    assert 0 <= delay <= max(0, left) / 4
    assert delay <= roster * 0.1


@given(SECONDS, SECONDS)
def test_looks_and_retries_fit_into_the_shorter_of_commit_and_reveal(commit: int, reveal: int) -> None:
    config = rounds(commit, reveal)
    assert 0.4 <= poll_seconds(config) <= 12
    assert poll_seconds(config) <= max(0.6, min(commit, reveal) / 50)
    assert longest_backoff(config) <= min(30, min(commit, reveal) / 8)


@given(st.floats(0.1, 60), st.integers(1, 100))
def test_backoff_doubles_up_to_its_bound_and_starts_anew(longest: float, failures: int) -> None:
    backoff = Backoff(longest)
    for failure in range(failures):
        assert 0 <= backoff.after_failure() <= min(longest, 0.5 * 2**failure)
    backoff.reset()
    assert backoff.after_failure() <= min(longest, 0.5)


def test_failures_of_many_nodes_do_not_come_back_together() -> None:
    assert len({Backoff().after_failure() for _ in range(50)}) == 50
