"""Coming into a federation: nothing that its URL serves is believed before the ledger of the invitation confirms it."""

from collections.abc import Callable
from pathlib import Path

from ledger.client import LedgerClient
from ledger.membership import open_terms
from ledger.wallet import Wallet
from node.errors import HomeOfAnotherFederation, InvitationNeeded, InvitationRejected
from node.home import NodeHome, Terms
from node.settings import NodeSettings
from node.terms import fetch_terms
from protocol.client import FederationClient
from protocol.errors import SignatureError
from protocol.invitation import InvitationFile


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


def sample_bound(invitation: InvitationFile | None, ledger: LedgerClient) -> int:
    """Most samples a round that a node may count for: by its invitation, or as anybody in an open federation.

    Raises `InvitationNeeded` if it is not open.
    """
    if invitation is not None:
        return invitation.max_samples
    terms = open_terms(ledger)
    if terms is None:
        raise InvitationNeeded(f"the federation of ledger {ledger.ledger_address} is not open")
    return terms.max_samples


def enrol(
    home: NodeHome,
    invitation: InvitationFile | None,
    ledger: LedgerClient,
    client: FederationClient,
    *,
    rpc_url: str,
    data: str | None,
    payout: str | None,
    scorers: tuple[str, ...] = (),
    consent: Callable[[Terms], None],
) -> NodeSettings:
    """Finish a node directory; `consent` raises unless the participant accepts the offer, and nothing is kept before.

    Without an `invitation` the federation must be open. Runs the task's code, once it is accepted, on the node's data. Safe to
    repeat: settings not given again (None, no scorers) stay as they were; scorers that were never given are those that the
    aggregator names. Raises `HomeOfAnotherFederation` if the directory was finished for another ledger, `InvitationNeeded`,
    `TooMuchData`, and what `check_invitation`, `fetch_terms`, the task and the data raise.
    """
    from node.training import set_up  # brings torch, which checking terms and claiming must not

    before, domain = home.written_settings(), ledger.domain
    asked = f"{domain.ledger} on chain {domain.chain_id}"
    if before is not None and (before.ledger, before.chain_id) != (domain.ledger, domain.chain_id):
        raise HomeOfAnotherFederation(home.path, f"{before.ledger} on chain {before.chain_id}", asked)
    owner = Wallet.open(home.owner_key).address
    if invitation is not None and ledger.index_of(owner) is None:  # of one that has joined it may well be past its deadline
        check_invitation(invitation, owner, ledger)
    bound = sample_bound(invitation, ledger)
    offer = fetch_terms(client, ledger)
    consent(offer)
    source = data if data is not None or before is None else before.data
    # Before a stake is put down: do task, data and bound go together?
    workplace = set_up(offer, source)
    workplace.fits(bound)
    workplace.try_out()
    known = scorers or (before.scorers if before else ())
    settings = NodeSettings(
        federation_url=client.url,
        rpc_url=rpc_url,
        chain_id=domain.chain_id,
        ledger=domain.ledger,
        payout=payout or (before.payout if before else owner),
        data=source,
        scorers=known or tuple(client.federation().scorer_urls),
    )
    if invitation is not None:
        home.keep_invitation(invitation)
    home.keep_terms(offer)
    home.write_settings(settings)
    return settings


def accept_ahead(home: NodeHome, settings: NodeSettings, announced: Terms, consent: Callable[[Terms], None]) -> None:
    """Accept announced terms before they are enacted, so that no round is missed. `consent` raises unless they are.

    Runs the task's code on the node's data, once it is accepted. Raises what the task and the data raise.
    """
    from node.training import set_up

    if home.accepted(announced.config.sha256(), announced.task.sha256()) is None:
        consent(announced)
        set_up(announced, settings.data).try_out()
        home.keep_terms(announced)


def open_ledger(settings: NodeSettings) -> LedgerClient:
    """The federation's contracts, their code checked. Raises what `LedgerClient.open` raises."""
    return LedgerClient.open(settings.rpc_url, settings.chain_id, settings.ledger)


def home_at(path: Path) -> NodeHome:
    """The node directory at `path`, made if it is not there."""
    path.mkdir(parents=True, exist_ok=True)
    return NodeHome(path)
