"""Everything that can go wrong on a participant's side, as one family.

NodeError
├── HomeError                  the node directory cannot be used
│   ├── HomeIncomplete         `fairshare node init` has not been finished here
│   ├── HomeOfAnotherFederation  the directory belongs to another federation
│   ├── HomeInUse              another `fairshare node run` works here
│   └── StoreUnreadable        state.sqlite is not this version's
├── EnrolmentError             the federation or the invitation is not what it should be
│   ├── InvitationNeeded       the federation is not open, or the node was expelled
│   ├── FeeNotAccepted         nobody has accepted what joining an open federation costs
│   ├── InvitationRejected     not for this owner, too late, or not by an operator
│   ├── FederationMismatch     what the URL answers is not what the ledger says
│   ├── TermsNotAccepted       nobody has accepted config and task
│   └── TermsChanged           the copy here is no longer what was accepted
├── MembershipError            the registry does not know this node as it should
│   ├── NotJoined              the owner is no node of the federation
│   └── SigningKeyMismatch     the registry names another signing key
├── AggregatorFault            the aggregator says what the chain contradicts
│   ├── RoundMisdescribed      a round's inputs are not those on chain
│   ├── BaseModelMismatch      the model it hands out is not the round's base model
│   └── ReceiptInvalid         its receipt does not promise our update
├── NoSuchRound                the federation has had no round of this number
├── NothingToVerify            the round has no outcome
├── NothingToProve             the round holds what was promised to this node
├── CommittedElsewhere         somebody else has committed with this node's key
├── SecondUpdate               another Update for a round was asked for than the one that was signed
└── TooMuchData                more samples than the invitation allows

Each error carries the values it speaks of, and its sentence ends with the next step.
"""

from pathlib import Path

from protocol.terminal import ExitCodes


class NodeError(Exception):
    """Base of every error raised by `node`."""


class HomeError(NodeError):
    """The node directory cannot be used."""


class HomeIncomplete(HomeError):
    """`fairshare node init` has not been finished in this directory; `missing` says what is not there."""

    def __init__(self, home: Path, missing: str) -> None:
        self.home, self.missing = home, missing
        super().__init__(
            f"{home} has no {missing}: "
            f"finish it with `fairshare node init {home} --federation URL --invitation FILE --data SOURCE`; for a federation "
            "that is open, name its ledger by --ledger instead of the invitation"
        )


class HomeOfAnotherFederation(HomeError):
    """The directory belongs to the federation of another ledger: its signatures and its index mean nothing here."""

    def __init__(self, home: Path, found: str, asked: str) -> None:
        self.home, self.found, self.asked = home, found, asked
        super().__init__(
            f"{home} belongs to the federation {found}, not to {asked}: use a directory of its own for each federation"
        )


class HomeInUse(HomeError):
    """Another process runs this node: two of them would train every round twice."""

    def __init__(self, home: Path) -> None:
        self.home = home
        super().__init__(f"another `fairshare node run` works in {home}: stop it first")


class StoreUnreadable(HomeError):
    """The file is not the store of this version."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is not this version's record of rounds ({reason}): use the version that wrote it, or a copy")


class EnrolmentError(NodeError):
    """The federation or the invitation is not what it should be; nothing was accepted."""


class InvitationNeeded(EnrolmentError):
    """Without an invitation the registry does not take this owner."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"nobody joins here without an invitation: {reason}; ask the operator for one (`fairshare ledger invite`), and "
            "give it to `fairshare node init` by --invitation"
        )


class FeeNotAccepted(EnrolmentError):
    """Joining an open federation costs a fee, and nobody has accepted it."""

    def __init__(self, fee: str) -> None:
        self.fee = fee
        super().__init__(
            f"joining costs a fee of {fee} coin, which is burned, and nobody has accepted it: accept it by --fee {fee}"
        )


class InvitationRejected(EnrolmentError):
    """The registry would not take this invitation from this owner."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the invitation cannot be used: {reason}; ask the operator for a new one (`fairshare ledger invite`)")


class FederationMismatch(EnrolmentError):
    """What the URL answers is not what the ledger of the invitation says."""

    def __init__(self, url: str, what: str, served: str, on_chain: str) -> None:
        self.url, self.what, self.served, self.on_chain = url, what, served, on_chain
        super().__init__(
            f"the {what} that {url} serves is {served}, the ledger says {on_chain}: nothing was accepted; "
            "check the URL, and ask the operator which of the two is right"
        )


class TermsNotAccepted(EnrolmentError):
    """The task's code runs with all your rights, so it runs only after someone accepted exactly this hash of config and task.

    `digest` is that hash, of 32 bytes.
    """

    def __init__(self, digest: bytes, why: str, home: object = None) -> None:
        self.digest, self.why = digest, why
        where = f"`fairshare node init{'' if home is None else f' {home}'}`"
        super().__init__(f"{why}: read them, which {where} shows, then run it again with --accept-terms {digest.hex()}")


class TermsChanged(EnrolmentError):
    """The copy of accepted terms in this directory is no longer what was accepted."""

    def __init__(self, folder: Path, found: bytes) -> None:
        self.folder, self.found = folder, found
        super().__init__(
            f"the copy of the terms in {folder} was changed and has the hash 0x{found.hex()} now: nothing of it is run; "
            "restore it, or delete that folder and accept the terms anew with `fairshare node init`"
        )


class MembershipError(NodeError):
    """The registry does not know this node as it should."""


class NotJoined(MembershipError):
    """The owner is no node of the federation."""

    def __init__(self, owner: str, home: Path) -> None:
        self.owner, self.home = owner, home
        super().__init__(f"{owner} has not joined the federation: run `fairshare node join {home}`")


class SigningKeyMismatch(MembershipError):
    """The registry expects another key's signature under this node's updates."""

    def __init__(self, node: int, registered: str, ours: str) -> None:
        self.node, self.registered, self.ours = node, registered, ours
        super().__init__(
            f"the registry has the signing key {registered} for node {node}, this directory has {ours}: "
            "restore keys/signing.json from the directory that joined"
        )


class AggregatorFault(NodeError):
    """The aggregator says what the chain contradicts. Nothing was signed or sent on its word."""


class RoundMisdescribed(AggregatorFault):
    """The inputs that the aggregator tells do not hash to those that the chain bound when it opened the round."""

    def __init__(self, round_number: int, told: bytes, bound: bytes) -> None:
        self.round, self.told, self.bound = round_number, told, bound
        super().__init__(
            f"the aggregator describes round {round_number} by inputs 0x{told.hex()}, the chain has bound it to 0x{bound.hex()}: "
            "nothing was trained on its word; ask the operator, and check the URL"
        )


class BaseModelMismatch(AggregatorFault):
    """The model that the aggregator hands out is not the base model of the round."""

    def __init__(self, round_number: int, expected: bytes, problem: str) -> None:
        self.round, self.expected, self.problem = round_number, expected, problem
        super().__init__(
            f"the aggregator's base model of round {round_number} is not 0x{expected.hex()}, which the chain names ({problem}): "
            "nothing was trained on it; ask the operator, and check the URL"
        )


class ReceiptInvalid(AggregatorFault):
    """The receipt does not promise our update, or nobody who may promise signed it."""

    def __init__(self, round_number: int, problem: str) -> None:
        self.round, self.problem = round_number, problem
        super().__init__(
            f"the receipt for round {round_number} is worthless: {problem}; the body was not uploaded. "
            "Ask the operator, and check the URL"
        )


class SecondUpdate(NodeError):
    """An Update for this round exists with other fields. Two signed ones are a fault that anyone can prove."""

    def __init__(self, round_number: int) -> None:
        self.round = round_number
        super().__init__(
            f"this directory made another Update for round {round_number} before, and a node signs only one per round: "
            "the round is left out; if the chain was started anew, use a new directory"
        )


class CommittedElsewhere(NodeError):
    """Another directory or machine uses this node's signing key, and has committed for it. Signing again would be a fault."""

    def __init__(self, round_number: int, home: Path) -> None:
        self.round, self.home = round_number, home
        super().__init__(
            f"the aggregator has an Update for round {round_number} by this node's key that was not made in {home}: two nodes "
            "run on one wallet, and two signed Updates for a round cost the stake; stop the other, or give it its own keys"
        )


class NoSuchRound(NodeError, ValueError):
    """The federation has had no round of this number."""

    def __init__(self, number: int, last: int) -> None:
        self.number, self.last = number, last
        had = f"rounds 1 to {last}: name one of them" if last else "no round yet: wait for the first"
        super().__init__(f"there is no round {number}; the federation has had {had}")


class NothingToProve(NodeError):
    """The round breaks no promise to this node, or it cannot be shown."""

    def __init__(self, number: int, why: str) -> None:
        self.number, self.why = number, why
        super().__init__(f"nothing is provable of round {number}: {why}; `fairshare node verify` says what else may be wrong")


class NothingToVerify(NodeError):
    """The round has no outcome that could be checked."""

    def __init__(self, number: int, state: str) -> None:
        self.number, self.state = number, state
        what = "a Void round pays nobody" if state == "void" else "wait until it is proposed"
        super().__init__(f"round {number} is {state} and has no outcome to verify: {what}")


class TooMuchData(NodeError, ValueError):
    """The data has more samples than the invitation allows, so every update would be refused."""

    def __init__(self, samples: int, max_samples: int) -> None:
        self.samples, self.max_samples = samples, max_samples
        super().__init__(
            f"the data has {samples} samples, the invitation allows {max_samples}: give a smaller source to `fairshare node init "
            "--data`; a higher bound takes a new invitation, which counts only before joining"
        )


NODE_EXIT_CODES: ExitCodes = {
    NodeError: 19,
    HomeError: 14,
    EnrolmentError: 15,
    SigningKeyMismatch: 26,
    SecondUpdate: 27,
    CommittedElsewhere: 27,
    TermsChanged: 17,
    MembershipError: 18,
    AggregatorFault: 45,
    TermsNotAccepted: 55,
    TooMuchData: 56,
}
"""Exit codes of this family, see protocol.terminal; the nearest class decides."""
