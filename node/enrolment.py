"""Coming into a federation: nothing that its URL serves is believed before the ledger of the invitation confirms it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from learning.source import TaskSource
from ledger.client import LedgerClient
from ledger.wallet import Wallet
from node.errors import FederationMismatch, HomeOfAnotherFederation, InvitationRejected, TermsChanged
from node.home import AcceptedTerms, NodeHome
from node.settings import NodeSettings
from protocol.client import FederationClient
from protocol.config import FederationConfig, parse_config
from protocol.errors import SignatureError
from protocol.invitation import InvitationFile


@dataclass(frozen=True)
class FederationOffer:
    """Config and task as they were served, with the hashes that the ledger has."""

    name: str
    config_toml: str
    config: FederationConfig
    task: TaskSource


def make_keys(home: NodeHome, passphrase: str) -> tuple[Wallet, Wallet]:
    """Owner and signing key of the node, made if they are not there; both keystores take the same passphrase."""
    owner, signing = (
        Wallet.open(path) if path.exists() else Wallet.create(path, passphrase) for path in (home.owner_key, home.signing_key)
    )
    return owner, signing


def check_invitation(invitation: InvitationFile, owner: str, ledger: LedgerClient) -> None:
    """Raise `InvitationRejected` unless the registry would take `invitation` from `owner` now."""
    if invitation.owner != owner:
        raise InvitationRejected(f"it is for {invitation.owner}, this node's owner is {owner}")
    if invitation.deadline < ledger.now():
        raise InvitationRejected("its deadline has passed")
    try:
        signer = invitation.invitation.signer(invitation.domain, invitation.signature_bytes)
    except SignatureError as error:
        raise InvitationRejected(str(error)) from error
    if not ledger.is_operator(signer):
        raise InvitationRejected(
            f"it was signed by {signer}, who is no operator of this federation, or it was changed afterwards"
        )


def fetch_offer(client: FederationClient, ledger: LedgerClient) -> FederationOffer:
    """Fetch config and task, and check that they are what the ledger names. The task's code is read, never run.

    Raises `FederationMismatch`, `ConfigError`, `TaskSourceError`, and what client and ledger raise.
    """
    view = client.federation()
    domain = ledger.domain
    if (view.chain_id, view.ledger) != (domain.chain_id, domain.ledger):
        served, expected = f"{view.ledger} on chain {view.chain_id}", f"{domain.ledger} on chain {domain.chain_id}"
        raise FederationMismatch(client.url, "ledger", served, expected)
    config_toml = client.config().toml
    config = parse_config(config_toml)
    _compare(client.url, "config", config.sha256(), ledger.config_hash())
    served_task = client.task()
    task = TaskSource.from_texts(served_task.entry, served_task.files)
    _compare(client.url, "task", task.sha256(), ledger.task_hash())
    return FederationOffer(config.federation.name, config_toml, config, task)


def _compare(url: str, what: str, served: bytes, on_chain: bytes) -> None:
    if served != on_chain:
        raise FederationMismatch(url, what, "0x" + served.hex(), "0x" + on_chain.hex())


def enrol(
    home: NodeHome,
    invitation: InvitationFile,
    ledger: LedgerClient,
    client: FederationClient,
    *,
    rpc_url: str,
    data: str | None,
    payout: str | None,
    consent: Callable[[FederationOffer], None],
) -> NodeSettings:
    """Finish a node directory; `consent` raises unless the participant accepts the offer, and nothing is kept before.

    Runs the task's code, once it is accepted, on the node's data. Safe to repeat: settings not given again (None) stay as they
    were. Raises `HomeOfAnotherFederation` if the directory was finished for another ledger, `TooMuchData`, and what
    `check_invitation`, `fetch_offer`, the task and the data raise.
    """
    from node.training import set_up  # brings torch, which checking terms and claiming must not

    before = home.written_settings()
    asked = f"{invitation.ledger} on chain {invitation.chain_id}"
    if before is not None and (before.ledger, before.chain_id) != (invitation.ledger, invitation.chain_id):
        raise HomeOfAnotherFederation(home.path, f"{before.ledger} on chain {before.chain_id}", asked)
    owner = Wallet.open(home.owner_key).address
    if ledger.index_of(owner) is None:  # a used invitation of a node that has joined may well be past its deadline
        check_invitation(invitation, owner, ledger)
    offer = fetch_offer(client, ledger)
    consent(offer)
    source = data if data is not None or before is None else before.data
    # Before a stake is put down: do task, data and bound go together?
    workplace = set_up(AcceptedTerms(offer.config, offer.task), source)
    workplace.fits(invitation.max_samples)
    workplace.try_out()
    settings = NodeSettings(
        federation_url=client.url,
        rpc_url=rpc_url,
        chain_id=invitation.chain_id,
        ledger=invitation.ledger,
        payout=payout or (before.payout if before else owner),
        data=source,
        scorers=before.scorers if before else (),
        task_entry=offer.task.entry,
        accepted_config=offer.config.sha256(),
        accepted_task=offer.task.sha256(),
    )
    home.keep_invitation(invitation)
    home.keep_terms(offer.config_toml, offer.task)
    home.write_settings(settings)
    return settings


def check_terms(settings: NodeSettings, ledger: LedgerClient) -> None:
    """Raise `TermsChanged` unless config and task on chain are still those that the participant accepted."""
    for what, accepted, on_chain in (
        ("federation's config", settings.accepted_config, ledger.config_hash()),
        ("federation's task", settings.accepted_task, ledger.task_hash()),
    ):
        if accepted != on_chain:
            raise TermsChanged(what, accepted, on_chain)


def open_ledger(settings: NodeSettings) -> LedgerClient:
    """The federation's contracts, their code checked. Raises what `LedgerClient.open` raises."""
    return LedgerClient.open(settings.rpc_url, settings.chain_id, settings.ledger)


def home_at(path: Path) -> NodeHome:
    """The node directory at `path`, made if it is not there."""
    path.mkdir(parents=True, exist_ok=True)
    return NodeHome(path)
