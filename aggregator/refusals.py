"""Why a client's request is refused: one class per reason, mapped to HTTP in `web/problems.py`.

Refusal                   what a client asked for is refused, with a reason of its own
├── NotFound              there is no such thing
│   ├── UnknownRound, UnknownNode, UnknownModel, UnknownBlob, UnknownLeaf, UnknownPage, UnknownTerms
│   └── NotYetThere       there will be: come again later
├── NotAMember            the node cannot take part in this round
│   ├── NotRegistered, NotStaked, Leaving, JoinedLater
│   └── WrongSigner       the signature is by another key than the one registered for the round
├── WrongUpdate           the Update is not one for this round
│   ├── WrongRound, WrongInputs, WrongBaseModel
│   └── SecondUpdate      the node has committed to another one already
├── NotAuthorized         the signed request does not show that the sender may see this
│   ├── NotAllowed        it is signed by nobody who may
│   ├── RequestExpired    its deadline has passed, or the clocks differ
│   └── RequestReplayed   it was answered before
├── WrongAttestation      the signature is no scorer's under the claimed outcome
├── WrongExpulsion        the signature is no scorer's under the expulsion of the node
├── TooEarly              bodies are taken only after the round has closed
├── TooLate               the deadline has passed
├── NothingCommitted      a body without a commitment
├── BadSalt               the header with the salt, or with the body's hash, is missing or malformed
└── Truncated             the upload ended before its announced length
"""

from aggregator.errors import Refusal


class NotFound(Refusal):
    """There is no such thing."""


class UnknownPage(NotFound):
    """The API has no such path."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"there is nothing at {path}: see /docs for what there is")


class UnknownRound(NotFound):
    """The federation has had no round of this number."""

    def __init__(self, number: int, last: int) -> None:
        self.round, self.last = number, last
        had = f"rounds 1 to {last}" if last else "no round yet"
        super().__init__(f"there is no round {number}: this federation has had {had}")


class UnknownNode(NotFound):
    """No participant has this index or owner address."""

    def __init__(self, node: int | str) -> None:
        self.node = node
        super().__init__(f"no participant is called {node}: name a node by its index or its owner's address, see /v1/nodes")


class UnknownModel(NotFound):
    """No round started from or ended with a model of this hash."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(f"no round has model 0x{name.hex()}: take `base_model` or `model` of a round, see /v1/rounds")


class NotYetThere(NotFound):
    """The round has not come that far, or ended before."""

    def __init__(self, number: int, what: str, state: str) -> None:
        self.round, self.what, self.state = number, what, state
        never = "and will never have any" if state == "void" else "which come when it is proposed"
        super().__init__(f"round {number} is {state} and has no {what}, {never}")


class UnknownTerms(NotFound):
    """No round opened with a config or task of this hash, and it is not of terms that are announced."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(f"0x{name.hex()} is the config or task of no terms of this federation: see /v1/federation for them")


class UnknownBlob(NotFound):
    """There is no file of this name here."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        super().__init__(f"blob 0x{name.hex()} is not here: ask another mirror, see the scorers of the federation")


class UnknownLeaf(NotFound):
    """Evidence has no such kind of leaf, or the kind's tree no such position."""

    def __init__(self, kind: str, position: int) -> None:
        self.kind, self.position = kind, position
        super().__init__(f"evidence has no place for a leaf {kind} at {position}: see the kinds in protocol/evidence.py")


class NotAuthorized(Refusal):
    """The signed request does not show that the sender may see this."""


class NotAllowed(NotAuthorized):
    """This is for others than whoever signed the request."""

    def __init__(self, needed: str, signer: str | None) -> None:
        self.needed, self.signer = needed, signer
        who = "the request is signed by nobody" if signer is None else f"{signer} is none of them"
        super().__init__(f"this is for {needed} only, and {who}: sign the request with a key that the registry knows")


class RequestExpired(NotAuthorized):
    """The deadline of a signed request has passed, or lies too far ahead: the clocks differ."""

    def __init__(self, deadline: int, now: int) -> None:
        self.deadline, self.now = deadline, now
        super().__init__(f"the request's deadline is {deadline}, here it is {now}: set the clocks, and sign for a minute at most")


class RequestReplayed(NotAuthorized):
    """A signed request is answered once."""

    def __init__(self, nonce: bytes) -> None:
        self.nonce = nonce
        super().__init__(f"the request with nonce 0x{nonce.hex()} was answered already: sign a new one with a nonce of its own")


class WrongAttestation(Refusal):
    """The signature is no scorer's under the outcome that is claimed here."""

    def __init__(self, number: int, signer: str) -> None:
        self.round, self.signer = number, signer
        super().__init__(
            f"under the outcome that is claimed for round {number} this is the signature of {signer}, who is no scorer: "
            f"compare seed, evidence root, scores and model with /v1/rounds/{number}/attestations"
        )


class WrongExpulsion(Refusal):
    """The signature is no scorer's under the expulsion of this node for this round."""

    def __init__(self, number: int, node: int, signer: str) -> None:
        self.round, self.node, self.signer = number, node, signer
        super().__init__(
            f"under the expulsion of node {node} for round {number} this is the signature of {signer}, who is no scorer of it: "
            "sign Expulsion(round, node) with the key of one whose bond counts"
        )


class NotAMember(Refusal):
    """The node cannot take part in this round."""


class NotRegistered(NotAMember):
    """The registry has no node of this index."""

    def __init__(self, node: int) -> None:
        self.node = node
        super().__init__(f"node {node} is not registered: ask the operator for an invitation and run `fairshare node join`")


class NotStaked(NotAMember):
    """The node left and withdrew its stake."""

    def __init__(self, node: int) -> None:
        self.node = node
        super().__init__(f"node {node} has no stake: it left the federation; join again with a new invitation")


class Leaving(NotAMember):
    """The node is unbonding its stake."""

    def __init__(self, node: int, until: int) -> None:
        self.node, self.until = node, until
        super().__init__(f"node {node} is leaving, its stake unbonds until {until}: it takes part in no round opened since")


class JoinedLater(NotAMember):
    """The node joined after this round had opened."""

    def __init__(self, node: int, number: int) -> None:
        self.node, self.round = node, number
        super().__init__(f"node {node} was not eligible when round {number} opened: it takes part from the next round on")


class WrongSigner(NotAMember):
    """The Update is signed by another key than the one registered for this round."""

    def __init__(self, node: int, number: int, found: str, expected: str) -> None:
        self.node, self.round, self.found, self.expected = node, number, found, expected
        super().__init__(
            f"the Update is signed by {found}, but node {node} signs round {number} with {expected}: "
            "use that key; a rotated key takes effect in the round after the rotation"
        )


class WrongUpdate(Refusal):
    """The Update is not one for this round."""


class WrongRound(WrongUpdate):
    """The round takes no updates, as it is not the open one."""

    def __init__(self, number: int, state: str, last: int) -> None:
        self.round, self.state, self.last = number, state, last
        super().__init__(f"round {number} is {state} and takes no updates: the latest round is {last}, follow /v1/rounds")


class WrongInputs(WrongUpdate):
    """The Update signs other inputs than the round was opened with."""

    def __init__(self, number: int, found: bytes, expected: bytes) -> None:
        self.round, self.found, self.expected = number, found, expected
        super().__init__(
            f"the Update is for inputs 0x{found.hex()}, but round {number} is bound to 0x{expected.hex()}: "
            "read them from the ledger and sign again"
        )


class WrongBaseModel(WrongUpdate):
    """The Update was trained from another model than the round starts from."""

    def __init__(self, number: int, found: bytes, expected: bytes) -> None:
        self.round, self.found, self.expected = number, found, expected
        super().__init__(
            f"the Update starts from model 0x{found.hex()}, but round {number} starts from 0x{expected.hex()}: train from that"
        )


class SecondUpdate(WrongUpdate):
    """The node has committed to another update of this round; one is all that it may sign."""

    def __init__(self, node: int, number: int, receipt: bytes) -> None:
        self.node, self.round, self.receipt = node, number, receipt
        super().__init__(
            f"node {node} has committed to another update for round {number}, and holds receipt 0x{receipt.hex()} for it: "
            "reveal that one; two signed Updates for one round are a fault that costs the stake"
        )


class TooEarly(Refusal):
    """Bodies are taken only once the round has closed, so that nobody sees one before all are committed."""

    def __init__(self, number: int) -> None:
        self.round = number
        super().__init__(f"round {number} has not closed yet: send the body when its state is closed")


class TooLate(Refusal):
    """The deadline has passed."""

    def __init__(self, number: int, what: str) -> None:
        self.round, self.what = number, what
        super().__init__(f"round {number} takes no more {what}: the deadline has passed; take part in the next round")


class NothingCommitted(Refusal):
    """A body came from a node that has committed to nothing in this round."""

    def __init__(self, node: int, number: int) -> None:
        self.node, self.round = node, number
        super().__init__(f"node {node} has committed to no update for round {number}: a body without one is not taken")


class BadSalt(Refusal):
    """A header that opens the commitment, by the salt or the body's hash, is missing or malformed."""

    def __init__(self, header: str) -> None:
        self.header = header
        super().__init__(f"the header {header} must open the commitment: 0x and 64 hexadecimal digits")


class Truncated(Refusal):
    """The upload ended before its announced length; nothing of it was kept."""

    def __init__(self, received: int, announced: int) -> None:
        self.received, self.announced = received, announced
        super().__init__(f"the upload ended after {received} of {announced} bytes and was discarded: send it again")
