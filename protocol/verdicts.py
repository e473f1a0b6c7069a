"""What the gate can say about a node's update, and why. Codes are wire and evidence values: never reuse one."""

from enum import IntEnum
from typing import NamedTuple


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


class _Meaning(NamedTuple):
    sentence: str
    next_step: str


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

    @property
    def code(self) -> str:
        """The reason as CLI, REST and docs write it."""
        return self.name.lower().replace("_", "-")

    @property
    def sentence(self) -> str:
        """What happened, for the participant."""
        return _MEANINGS[self].sentence

    @property
    def next_step(self) -> str:
        """What the participant can do about it; empty if there is nothing to do."""
        return _MEANINGS[self].next_step


_MEANINGS = {
    Reason.OK: _Meaning("The update was used as it was sent.", ""),
    Reason.CLIPPED: _Meaning(
        "The update was used, scaled down to the round's reference norm.",
        "Larger steps earn nothing more; train with the federation's recipe.",
    ),
    Reason.NO_CHANGE: _Meaning(
        "The update changes nothing, so its contribution is exactly zero.",
        "Check that training runs and moves the model.",
    ),
    Reason.NO_BODY: _Meaning(
        "The node committed but its body did not arrive in time.",
        "Check the connection and the log of `fairshare node run` around the reveal deadline.",
    ),
    Reason.UNDECODABLE: _Meaning("The body is not a safetensors file.", "Send the file that `fairshare node run` writes."),
    Reason.WRONG_TENSORS: _Meaning(
        "The update's tensor names, dtypes or shapes differ from the model's.",
        "Check that the task's source is the federation's: `fairshare node init` fetches it.",
    ),
    Reason.NOT_FINITE: _Meaning(
        "The update contains NaN or infinity.", "Check the data and the learning rate: training diverged."
    ),
    Reason.NORM_TOO_LARGE: _Meaning(
        "The update is many times larger than the round's reference norm.",
        "Train with the federation's recipe and check the scale of the data.",
    ),
    Reason.TOO_MANY_SAMPLES: _Meaning(
        "The declared sample count is above what the node's invitation allows.",
        "Ask the operator for an invitation with a higher bound.",
    ),
    Reason.NO_SAMPLES: _Meaning("The declared sample count is zero.", "Declare the samples that were trained on."),
    Reason.SAME_AS_LOWER_INDEX: _Meaning(
        "The update equals that of a node with a lower index, which keeps the round.", "Train on your own data."
    ),
}
