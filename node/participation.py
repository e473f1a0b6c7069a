"""One node's part in one round: train, commit, reveal. Each step may be repeated after a crash and changes nothing then."""

from collections.abc import Callable
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from ledger.client import LedgerClient
from ledger.errors import Reverted, TransactionRefused
from ledger.records import ChainRound
from node.direct import commit_on_chain, is_urgent
from node.errors import CommittedElsewhere, ReceiptInvalid, SigningKeyMismatch
from node.home import NodeHome
from node.settings import NodeSettings
from node.store import Phase, RoundRecord, RoundStore
from node.training import Trainer, training_seed
from node.verification import bound_inputs, check_receipt, fetch_base
from node.workplaces import Workplaces
from protocol.client import FederationClient
from protocol.errors import ServiceError, ServiceRefused, ServiceUnreachable
from protocol.parameters import encode_parameters
from protocol.roster import RosterEntry
from protocol.typed_data import Update
from protocol.update import body_hash, commitment, new_salt

_NOT_YET = frozenset({"unknown-round", "not-yet-there", "wrong-round", "too-early", "truncated"})
"""Problems that pass by themselves: the service has not seen yet what the chain says, or a connection broke."""


def passes_by_itself(refused: ServiceRefused) -> bool:
    """Whether the same request can succeed later; other refusals would only be repeated."""
    return refused.status >= 500 or refused.status == 429 or refused.code in _NOT_YET


@dataclass(frozen=True)
class Participation:
    """What a node takes part with. `node` is its index; `account` holds the signing key; `payer` gives the account that pays
    for a commitment on chain, should one be needed.
    """

    home: NodeHome
    settings: NodeSettings
    ledger: LedgerClient
    client: FederationClient
    store: RoundStore
    account: LocalAccount
    node: int
    workplaces: Workplaces
    trainer: Trainer
    payer: Callable[[], LocalAccount]

    def place(self, on_chain: ChainRound) -> RosterEntry | None:
        """This node's place in the roster of a round, None if it has none.

        Raises `SigningKeyMismatch`, `TooMuchData` if no update of this node could be accepted, and `TermsNotAccepted` if the
        round opened with other terms than were accepted.
        """
        mine = next((entry for entry in self.ledger.roster(on_chain.round) if entry.node == self.node), None)
        if mine is not None and mine.signer != self.account.address:
            raise SigningKeyMismatch(self.node, mine.signer, self.account.address)
        if mine is not None:
            self.workplaces.of_round(on_chain).fits(mine.max_samples)
        return mine

    def train(self, on_chain: ChainRound) -> RoundRecord:
        """Train for an open round and fix its one Update. Nothing the aggregator says is used before the chain confirms it.

        Raises `CommittedElsewhere`, `TermsNotAccepted`, `RoundMisdescribed`, `BaseModelMismatch`, `SecondUpdate`, what client and
        ledger raise, and what the training raises.
        """
        number, federation = on_chain.round, self.ledger.domain.separator
        # Our record would know of it: it was lost, and a second Update would cost the stake.
        if self.client.upload(number, self.node).committed or any(self.ledger.commit_of(number, self.node)):
            raise CommittedElsewhere(number, self.home.path)
        workplace = self.workplaces.of_round(on_chain)
        bound = bound_inputs(self.client.round(number), on_chain, self.workplaces.terms_of(on_chain))
        base = fetch_base(self.client, number, bound.base_model, workplace.layout)
        seed = training_seed(bytes(self.account.key), federation, number)
        trained = self.trainer(workplace.task, base, workplace.data, workplace.recipe, seed)
        body, salt = encode_parameters(trained), new_salt()
        hashed = body_hash(body)
        update = Update(
            round=number,
            inputs=on_chain.inputs,
            node=self.node,
            base_model=bound.base_model,
            parameters=commitment(federation, number, self.node, salt, hashed),
            samples=len(workplace.data),
        )
        self.home.keep_body(number, body)
        return self.store.trained(update, salt, hashed)

    def commit(self, record: RoundRecord) -> None:
        """Sign, send, and check the receipt. Repeated, it sends the same bytes and gets the same receipt.

        What the aggregator does not take is committed on chain. Raises `ServiceRefused` if sending it is worth repeating,
        `ReceiptInvalid`, and what client and ledger raise.
        """
        update = record.update
        signature = update.sign(self.ledger.domain, self.account)
        self.store.signed(update.round, signature)
        try:
            receipt = self.client.commit(update, signature)
        except (ServiceRefused, ServiceUnreachable) as error:
            if not self._committed_on_chain(update, signature, error):
                raise
            return
        try:
            check_receipt(receipt, update, signature, self.ledger)
        except ReceiptInvalid as invalid:
            self.store.missed(update.round, str(invalid))
            raise
        self.store.committed(update.round, receipt.signature)

    def _committed_on_chain(self, update: Update, signature: bytes, refused: ServiceRefused | ServiceUnreachable) -> bool:
        """Commit on chain what the aggregator did not take, or note why not; False if the aggregator is worth asking again."""
        on_chain = self.ledger.round(update.round)
        passes = isinstance(refused, ServiceUnreachable) or passes_by_itself(refused)
        if passes and not is_urgent(on_chain, self.ledger):
            return False
        # The chain would take a second Update, too; with the first one in the aggregator's hands it would cost the stake.
        if isinstance(refused, ServiceRefused) and refused.code == "second-update":
            self.store.missed(update.round, str(refused))
            return True
        try:
            commit_on_chain(self.home.transactions, self.ledger, self.payer, update, signature)
        except (Reverted, TransactionRefused) as error:
            self.store.missed(update.round, f"{refused}; and not on chain either: {error}")
        else:
            self.store.committed(update.round, None)
        return True

    def was_committed(self, record: RoundRecord) -> bool:
        """After a round closed while we did not hear: whether the aggregator has our Update, by its checked receipt."""
        try:
            self.commit(record)
        except ServiceRefused as refused:
            if refused.status >= 500:
                raise
            self.store.missed(record.update.round, f"the round closed before this node's commitment arrived: {refused}")
        kept = self.store.find(record.update.round)
        return kept is not None and kept.phase is Phase.COMMITTED

    def reveal(self, record: RoundRecord) -> None:
        """Upload the body of a closed round; to a scorer if the aggregator does not take it.

        Raises `ServiceRefused` if that is worth repeating, and what the client raises.
        """
        number = record.update.round
        try:
            body = self.home.body(number).read_bytes()
        except FileNotFoundError:
            self.store.missed(number, f"{self.home.body(number)} is gone, and only that body opens the commitment")
            return
        try:
            self.client.reveal(number, self.node, record.salt, body)
        except (ServiceRefused, ServiceUnreachable) as error:
            if not self._handed_over(record, body):
                if isinstance(error, ServiceUnreachable) or passes_by_itself(error):
                    raise
                self.store.missed(number, str(error))
                return
        self.store.revealed(number)

    def _handed_over(self, record: RoundRecord, body: bytes) -> bool:
        """Whether a scorer took the body that the aggregator did not: it forwards it, and attests no outcome without it.

        Every one is tried: who named them may be the aggregator, and one that is a scorer is enough.
        """
        signature, taken = record.update.sign(self.ledger.domain, self.account), False
        for url in self.settings.scorers:
            try:
                with FederationClient(url) as scorer:
                    scorer.hand_over(record.update, signature, record.salt, body)
                taken = True
            except ServiceError:
                continue
        return taken
