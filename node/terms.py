"""The terms that rounds open with, and what this participant has accepted of them.

Each round is bound to the config and task that were in force when it opened. A node trains for it only if these very two were
accepted here, at `fairshare node init` or when a run asks; announced ones can be accepted before they are enacted.
"""

from collections.abc import Callable
from typing import NamedTuple

from learning.source import TaskSource
from ledger.client import LedgerClient
from ledger.governance import terms_digest
from ledger.records import Terms as ChainTerms
from node.errors import FederationMismatch, TermsNotAccepted
from node.home import NodeHome, Terms
from protocol.client import FederationClient
from protocol.config import parse_config
from protocol.terms import terms_hash


class Pair(NamedTuple):
    """The hashes of a config and a task, 32 bytes each."""

    config_hash: bytes
    task_hash: bytes


class Announced(NamedTuple):
    """Terms that can be enacted from `enactable_at` on, in unix seconds of the chain's clock."""

    terms: Terms
    enactable_at: int


Agree = Callable[[Terms, Terms | None], None]
"""Asks whether terms are accepted, given those that were before, if any; raises `TermsNotAccepted` if they are not."""


def in_force(ledger: LedgerClient) -> Pair:
    """What the next round would open with."""
    return Pair(ledger.config_hash(), ledger.task_hash())


def opened_with(ledger: LedgerClient, number: int) -> Pair:
    """What a round opened with; what is in force if the chain's logs do not go back so far."""
    opening = ledger.opening(number)
    return in_force(ledger) if opening is None else Pair(opening.config_hash, opening.task_hash)


def fetch_terms(client: FederationClient, ledger: LedgerClient, pair: Pair | None = None) -> Terms:
    """Fetch config and task, those in force or these, and check that they are what the ledger names. No code is run.

    Raises `FederationMismatch`, `ConfigError`, `TaskSourceError`, and what client and ledger raise.
    """
    if pair is None:
        view, domain = client.federation(), ledger.domain
        if (view.chain_id, view.ledger) != (domain.chain_id, domain.ledger):
            served, expected = f"{view.ledger} on chain {view.chain_id}", f"{domain.ledger} on chain {domain.chain_id}"
            raise FederationMismatch(client.url, "ledger", served, expected)
    expected_pair = in_force(ledger) if pair is None else pair
    config_toml = client.config(None if pair is None else pair.config_hash).toml
    config = parse_config(config_toml)
    _compare(client.url, "config", config.sha256(), expected_pair.config_hash)
    served_task = client.task(None if pair is None else pair.task_hash)
    task = TaskSource.from_texts(served_task.entry, served_task.files)
    _compare(client.url, "task", task.sha256(), expected_pair.task_hash)
    return Terms(config_toml, config, task)


def fetch_announced(client: FederationClient, ledger: LedgerClient) -> Announced | None:
    """The terms that are announced, if they have another config or task than those in force; checked as all terms.

    Raises what `fetch_terms` raises.
    """
    hashed, enactable_at = ledger.announced()
    view = client.federation().announced if any(hashed) else None
    if view is None:  # the service may not have seen it yet
        return None
    told = ChainTerms(view.config_hash, view.task_hash, view.aggregator, tuple(view.scorers))
    _compare(client.url, "announcement", terms_digest(told), hashed)
    pair = Pair(told.config_hash, told.task_hash)
    return None if pair == in_force(ledger) else Announced(fetch_terms(client, ledger, pair), enactable_at)


def accepted_terms(home: NodeHome, pair: Pair, what: str) -> Terms:
    """The terms with these hashes. Raises `TermsNotAccepted`, telling `what` has them, or `TermsChanged`."""
    found = home.accepted(*pair)
    if found is None:
        digest = terms_hash(*pair)
        raise TermsNotAccepted(digest, f"{what} has the terms 0x{digest.hex()}, which were not accepted here", home.path)
    return found


def _compare(url: str, what: str, served: bytes, on_chain: bytes) -> None:
    if served != on_chain:
        raise FederationMismatch(url, what, "0x" + served.hex(), "0x" + on_chain.hex())
