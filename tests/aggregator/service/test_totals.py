from math import hypot

import pytest

from aggregator.service.totals import in_total
from protocol.api import RoundContribution


def one(number: int, state: str, contribution: float, sampling: float, estimation: float) -> RoundContribution:
    return RoundContribution(
        round=number,
        state=state,
        took_part=contribution != 0,
        contribution=contribution,
        standard_error=hypot(sampling, estimation),
        sampling_error=sampling,
        estimation_error=estimation,
    )


def test_final_rounds_add_up_and_the_others_are_only_listed() -> None:
    rounds = [
        one(4, "proposed", 9.0, 9.0, 9.0),
        one(3, "final", -0.5, 0.1, 0.3),
        one(2, "final", 0, 0, 0),
        one(1, "final", 2.0, 0.3, 0.4),
    ]
    found = in_total(5, "0x00", rounds, block=7)
    assert (found.node, found.block, found.rounds) == (5, 7, rounds)
    assert found.contribution == 1.5
    # Errors on the same samples may all point the same way, those of different designs do not.
    assert found.sampling_error == pytest.approx(0.4)
    assert found.estimation_error == pytest.approx(0.5)
    assert found.standard_error == pytest.approx(hypot(0.4, 0.5))


def test_who_never_took_part_contributed_nothing() -> None:
    assert in_total(5, "0x00", [], block=7).standard_error == in_total(5, "0x00", [], block=7).contribution == 0
