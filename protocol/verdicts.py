"""What the gate can say about a node's update, and why. Numbers are evidence, so they are never reused.

The words of each reason are in `protocol.catalogue.VERDICTS`.
"""

from enum import IntEnum

from protocol.catalogue import VERDICTS


class Verdict(IntEnum):
    """The gate's decision about one node in one round."""

    ACCEPT = 1
    DOWN_WEIGHT = 2
    REJECT = 3
    DUPLICATE = 4
    ABSENT = 5
    QUARANTINE = 6

    @property
    def word(self) -> str:
        """The verdict as CLI, REST and docs write it."""
        return self.name.lower().replace("_", "-")


class Reason(IntEnum):
    """Why a verdict was given. Every verdict carries exactly one reason."""

    OK = 1
    CLIPPED = 2
    NO_CHANGE = 3
    NO_BODY = 10
    UNDECODABLE = 11
    WRONG_TENSORS = 12
    NOT_FINITE = 13
    NORM_TOO_LARGE = 14
    TOO_MANY_SAMPLES = 15
    NO_SAMPLES = 16
    SAME_AS_LOWER_INDEX = 20
    SIMILAR_TO_LOWER_INDEX = 21
    SIMILAR_TO_ANOTHER = 22
    UNUSUAL_NORM = 30
    OUTSIDE_CONE = 31
    AGAINST_TRAINING = 32
    UNEXPLAINED = 33
    REPEATS_PARENT = 34
    NO_CLASS_GAINS = 35
    HARMS_OWN_CLASSES = 36
    UNUSUAL_PARAMETERS = 37
    UNDER_SUSPICION = 40
    SUSPECTED = 41
    EXPELLABLE = 42
    NEW_NODE = 50
    OUTSIDE_CALIBRATION = 51

    @property
    def code(self) -> str:
        """The reason as CLI, REST and docs write it."""
        return self.name.lower().replace("_", "-")

    @property
    def sentence(self) -> str:
        """What happened, for the participant."""
        return VERDICTS[self.code].sentence

    @property
    def next_step(self) -> str:
        """What the participant can do about it; empty if there is nothing to do."""
        return VERDICTS[self.code].next_step
