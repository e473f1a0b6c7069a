"""A workplace for the terms of every round: set up anew when a round opens with others than the last, if they are accepted."""

from dataclasses import dataclass, field

from ledger.client import LedgerClient
from ledger.records import ChainRound
from node.home import NodeHome, Terms
from node.settings import NodeSettings
from node.terms import Agree, Pair, accepted_terms, fetch_terms, opened_with
from node.training import Workplace, set_up
from protocol.client import FederationClient


@dataclass
class Workplaces:
    """Where a node works. Without `agree`, nobody is asked, and terms that were not accepted before stop the run."""

    home: NodeHome
    settings: NodeSettings
    ledger: LedgerClient
    client: FederationClient
    agree: Agree | None
    _known: tuple[bytes, Pair] | None = None
    _standing: tuple[Pair, Terms, Workplace] | None = field(default=None, repr=False)

    def terms_of(self, on_chain: ChainRound) -> Pair:
        """What a round opened with."""
        if self._known is None or self._known[0] != on_chain.inputs:
            self._known = on_chain.inputs, opened_with(self.ledger, on_chain.round)
        return self._known[1]

    def of_round(self, on_chain: ChainRound) -> Workplace:
        """The workplace for a round that has opened. Raises what `at` raises."""
        return self.at(self.terms_of(on_chain), f"round {on_chain.round}")[1]

    def at(self, pair: Pair, what: str) -> tuple[Terms, Workplace]:
        """The workplace for terms, which `what` has. Runs the task's code, once it is accepted.

        Raises `TermsNotAccepted`, `TermsChanged`, and what the task, the data and the client raise.
        """
        if self._standing is None or self._standing[0] != pair:
            before = self.home.last_accepted() if self._standing is None else self._standing[1]
            if self.agree is not None and self.home.accepted(*pair) is None:
                offered = fetch_terms(self.client, self.ledger, pair)
                self.agree(offered, before)
                self.home.keep_terms(offered)
            terms = accepted_terms(self.home, pair, what)
            self._standing = pair, terms, set_up(terms, self.settings.data)
        return self._standing[1:]
