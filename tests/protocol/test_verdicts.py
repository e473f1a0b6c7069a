import pytest

from protocol.verdicts import Reason, Verdict


def test_the_codes_that_evidence_and_REST_carry_do_not_change():
    assert {verdict.word: int(verdict) for verdict in Verdict} == {
        "accept": 1,
        "down-weight": 2,
        "reject": 3,
        "duplicate": 4,
        "absent": 5,
        "quarantine": 6,
    }
    assert {reason.code: int(reason) for reason in Reason} == {
        "ok": 1,
        "clipped": 2,
        "no-change": 3,
        "no-body": 10,
        "undecodable": 11,
        "wrong-tensors": 12,
        "not-finite": 13,
        "norm-too-large": 14,
        "too-many-samples": 15,
        "no-samples": 16,
        "same-as-lower-index": 20,
    }


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_sentence_and_all_but_ok_say_what_to_do(reason: Reason):
    assert reason.sentence.endswith(".")
    assert reason.sentence[0].isupper()
    assert (reason.next_step == "") == (reason is Reason.OK)
    assert reason.next_step == "" or reason.next_step.endswith(".")


def test_no_two_reasons_say_the_same():
    assert len({reason.sentence for reason in Reason}) == len(Reason)
