from protocol.catalogue import VERDICTS
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
        "similar-to-lower-index": 21,
        "similar-to-another": 22,
        "unusual-norm": 30,
        "outside-cone": 31,
        "against-training": 32,
        "unexplained": 33,
        "repeats-parent": 34,
        "no-class-gains": 35,
        "harms-own-classes": 36,
        "unusual-parameters": 37,
        "under-suspicion": 40,
        "suspected": 41,
        "expellable": 42,
        "new-node": 50,
        "outside-calibration": 51,
    }


def test_a_reason_speaks_in_the_words_of_the_catalogue():
    assert (Reason.NO_SAMPLES.sentence, Reason.NO_SAMPLES.next_step) == VERDICTS["no-samples"][1:]
