"""Why a round becomes Void, or waits to: a code of the catalogue, kept with what is special about this round."""

from enum import StrEnum

from protocol.catalogue import VOIDS, Entry

_COLON = ": "


class VoidReason(StrEnum):
    """The codes of `protocol.catalogue.VOIDS`, by name."""

    TOO_FEW_COMMITS = "too-few-commits"
    OPENED_AND_LEFT = "opened-and-left"
    NOT_CLOSED = "not-closed"
    NOT_PROPOSED = "not-proposed"
    NOT_EVALUATED = "not-evaluated"
    NOT_ATTESTED = "not-attested"
    ATTESTATION_REFUSED = "attestation-refused"
    DISPUTED = "disputed"
    FAULT_PROVED = "fault-proved"
    PARENT_VOID = "parent-void"
    RECORD_LOST = "record-lost"
    ANOTHER_UPDATE_ROOT = "another-update-root"

    def because(self, detail: str) -> str:
        """The reason as a round keeps it, with a sentence about this very round."""
        return f"{self}{_COLON}{detail}"


def told(kept: str) -> Entry:
    """A kept reason in words: the catalogue's entry, its sentence followed by what is special about this round.

    What a version without codes kept was a sentence, which is told as it is.
    """
    code, _, detail = kept.partition(_COLON)
    entry = VOIDS.get(code)
    if entry is None:
        return Entry("", kept)
    return entry._replace(sentence=f"{entry.sentence} {detail}".rstrip())
