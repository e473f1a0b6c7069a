"""`fairshare node`: the participant's commands.

Whatever is heavy (torch, web3) is imported by the command that needs it; claiming and asking never import torch.
"""

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from protocol.terminal import emit, expecting, note, table

app = typer.Typer(
    help="Take part in a federation: train on your own data, see why you got what you got, claim.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

DEFAULT_RPC_URL = "http://127.0.0.1:8545"

_Home = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.")]
_Json = Annotated[bool, typer.Option("--json", help="Give one JSON object on stdout.")]
_PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File whose first line is the keys' passphrase; see also FAIRSHARE_PASSPHRASE_FILE and FAIRSHARE_PASSPHRASE."
    ),
]

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _command(example: str) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Register a command whose help ends with `example`, and whose expected errors end in a sentence and an exit code."""

    def decorate(command: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(command)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            # The families are imported when a command runs, so that --help stays quick.
            from ledger.errors import LEDGER_EXIT_CODES
            from node.errors import NODE_EXIT_CODES

            return expecting(LEDGER_EXIT_CODES, NODE_EXIT_CODES)(command)(*args, **kwargs)

        return app.command(epilog=f"Example: {example}")(run)

    return decorate


@_command("fairshare node init press-7 --federation http://host:8000 --invitation invitation.json --data data/press-7.csv")
def init(
    home: _Home,
    federation: Annotated[str | None, typer.Option(metavar="URL", help="The aggregator's URL.")] = None,
    invitation: Annotated[Path | None, typer.Option(metavar="FILE", help="The operator's invitation.")] = None,
    data: Annotated[str | None, typer.Option(metavar="SOURCE", help="Your data, as the task's load() understands it.")] = None,
    rpc_url: Annotated[str | None, typer.Option(metavar="URL", help=f"A node of the chain. [default: {DEFAULT_RPC_URL}]")] = None,
    payout: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where rewards go. [default: the owner]")] = None,
    accept_task: Annotated[
        str | None, typer.Option(metavar="SHA256", help="Accept the task with this hash, without being asked.")
    ] = None,
    passphrase_file: _PassphraseFile = None,
    as_json: _Json = False,
) -> None:
    """Make the node's keys; with an invitation, check the federation against the chain and accept its task.

    The first call needs nothing but the directory, and prints the owner's address for the operator. The second one takes the
    operator's invitation. Both may be repeated.
    """
    from ledger.wallet import read_passphrase
    from node.consent import consent
    from node.enrolment import FederationOffer, enrol, home_at, make_keys
    from node.errors import HomeIncomplete
    from protocol.client import FederationClient
    from protocol.invitation import read_invitation

    accepted = None if accept_task is None else _hash(accept_task)
    node_home = home_at(home)
    missing = not (node_home.owner_key.exists() and node_home.signing_key.exists())
    passphrase = read_passphrase(f"the keys of {home}", passphrase_file, confirm=True) if missing else ""
    owner, signing = make_keys(node_home, passphrase)
    keys = {"owner": owner.address, "signing_key": signing.address}
    before = node_home.settings({}) if node_home.settings_file.exists() else None
    if before is None and federation is None and invitation is None:
        following = f"fairshare ledger invite {owner.address}"
        emit({**keys, "ready": False, "next": following}, as_json, lambda: _show_keys(home, keys, following))
        return
    if federation is None and before is None:
        raise HomeIncomplete(home, "URL of the aggregator")
    invited = node_home.invitation() if invitation is None else read_invitation(invitation)

    def agree(offer: FederationOffer) -> None:
        known = before is not None and (before.accepted_config, before.accepted_task) == (
            offer.config.sha256(),
            offer.task.sha256(),
        )
        consent(offer.task, offer.config_toml, offer.task.sha256() if known and accepted is None else accepted)

    chain_url = rpc_url or (before.rpc_url if before else DEFAULT_RPC_URL)
    with FederationClient(federation or (before.federation_url if before else "")) as client:
        settings = enrol(
            node_home,
            invited,
            _open_ledger(chain_url, invited.chain_id, invited.ledger),
            client,
            rpc_url=chain_url,
            data=data,
            payout=payout,
            consent=agree,
        )
    following = f"fairshare node join {home}"
    result = {**keys, "ready": True, "next": following, **settings.model_dump(mode="json")}
    emit(result, as_json, lambda: print(f"{home} is ready: config and task are the ledger's. Next: {following}"))


@_command("fairshare node join press-7")
def join(
    home: _Home,
    stake: Annotated[int | None, typer.Option(min=1, help="Wei to deposit. [default: the registry's minimum]")] = None,
    passphrase_file: _PassphraseFile = None,
    as_json: _Json = False,
) -> None:
    """Join the federation: deposit the stake and enter the registry. Repeated, it changes nothing."""
    from ledger.wallet import read_passphrase
    from node import membership
    from node.home import NodeHome
    from node.outcome import tokens

    node_home = NodeHome(home)
    settings = node_home.settings()
    ledger = _open_ledger(settings.rpc_url, settings.chain_id, settings.ledger)
    joined = membership.join(node_home, settings, ledger, lambda: read_passphrase(f"the keys of {home}", passphrase_file), stake)
    record, tx_hash = joined.node, None if joined.tx_hash is None else "0x" + joined.tx_hash.hex()
    did = "has joined already" if tx_hash is None else "joined"
    sentence = (
        f"{record.owner} {did} as node {record.node} with a stake of {tokens(record.stake)} coin. Next: fairshare node run {home}"
    )
    result = {"node": record.node, "owner": record.owner, "stake": str(record.stake), "transaction": tx_hash}
    emit(result, as_json, lambda: print(sentence))


@_command("fairshare node run press-7")
def run(
    home: _Home,
    rounds: Annotated[int | None, typer.Option(min=1, help="Stop after this many rounds. [default: until stopped]")] = None,
    passphrase_file: _PassphraseFile = None,
    as_json: _Json = False,
) -> None:
    """Train, commit and reveal in round after round, until stopped by Ctrl-C. A restart goes on where it was."""
    from ledger.wallet import read_passphrase
    from node.stopping import Stopped, stopping_on_signals

    told: list[dict[str, Any]] = []
    try:
        with stopping_on_signals():
            from node.reporter import reporting
            from node.runner import run as follow

            passphrase = read_passphrase(f"the keys of {home}", passphrase_file)
            with reporting(sys.stderr if as_json else sys.stdout) as reporter:
                follow(home, passphrase, reporter, rounds=rounds, on_report=lambda report: told.append(report.to_json()))
    except Stopped:
        note(f"stopped; `fairshare node run {home}` goes on where it was")
    emit({"rounds": told}, as_json, lambda: None)


@_command("fairshare node status press-7")
def status(home: _Home, as_json: _Json = False) -> None:
    """Show the node's membership, the current round, and what this node did in it."""
    from node.home import NodeHome
    from node.outcome import tokens
    from node.status import node_status

    node_home = NodeHome(home)
    settings = node_home.settings()
    found = node_status(node_home, settings, _open_ledger(settings.rpc_url, settings.chain_id, settings.ledger))
    record = found.node
    rows = [
        ("node", record.node),
        ("owner", record.owner),
        ("signing key", record.signer),
        ("payout", record.payout),
        ("stake", f"{tokens(record.stake)} coin"),
        ("samples a round", f"at most {record.max_samples}"),
        ("eligible for the next round", "yes" if record.eligible else "no"),
        ("round", f"{found.round}, {found.state}"),
        ("this node in it", found.done or "nothing yet"),
        ("aggregator", found.aggregator),
        ("read at block", found.block),
    ]
    if found.note:
        rows.insert(-2, ("why", found.note))
    emit(found.to_json(), as_json, lambda: table(("", ""), rows))


@_command("fairshare node rewards press-7")
def rewards(home: _Home, as_json: _Json = False) -> None:
    """Show what the node earned, read from the chain, and whether the aggregator says the same."""
    from node.earnings import compare, earnings
    from node.home import NodeHome
    from node.membership import own_node
    from node.outcome import tokens

    node_home = NodeHome(home)
    settings = node_home.settings()
    ledger = _open_ledger(settings.rpc_url, settings.chain_id, settings.ledger)
    found, symbol = earnings(ledger, own_node(node_home, ledger).node), ledger.token_symbol()
    aggregator = compare(found, settings.federation_url)
    rows = [(name, f"{tokens(amount)} {symbol}") for name, amount in found.amounts.items()]
    rows.append(("claimable rounds", ", ".join(map(str, found.claimable_rounds)) or "none"))
    rows.append(("read at block", str(found.block)))
    rows.append(("aggregator", aggregator))
    emit({**found.to_json(), "symbol": symbol, "aggregator": aggregator}, as_json, lambda: table(("", ""), rows))


@_command("fairshare node claim press-7")
def claim(
    home: _Home,
    payer: Annotated[
        Path | None, typer.Option(metavar="KEYSTORE", help="Wallet that pays the gas. [default: the owner's]")
    ] = None,
    passphrase_file: _PassphraseFile = None,
    as_json: _Json = False,
) -> None:
    """Claim all Final rounds that are not claimed yet. The tokens go to the payout address, whoever pays the gas."""
    from ledger.wallet import Wallet, read_passphrase
    from node.earnings import claim as send_claims
    from node.earnings import earnings
    from node.home import NodeHome
    from node.membership import own_node
    from node.outcome import tokens

    node_home = NodeHome(home)
    settings = node_home.settings()
    ledger = _open_ledger(settings.rpc_url, settings.chain_id, settings.ledger)
    node = own_node(node_home, ledger)
    found, symbol = earnings(ledger, node.node), ledger.token_symbol()
    mined = []
    sentence = "nothing to claim: " + (
        f"{tokens(found.pending)} {symbol} are pending" if found.pending else "no Final round pays"
    )
    if found.claimable:
        wallet = Wallet.open(payer or node_home.owner_key)
        mined = list(send_claims(ledger, found, wallet.unlock(read_passphrase(f"the wallet {wallet.path}", passphrase_file))))
        sentence = f"claimed {tokens(found.claimable)} {symbol} of {len(found.claimable_rounds)} round(s) to {node.payout}"
    result = {
        "node": node.node,
        "payout": node.payout,
        "claimed": str(found.claimable),
        "rounds": list(found.claimable_rounds),
        "transactions": ["0x" + sent.tx_hash.hex() for sent in mined],
    }
    emit(result, as_json, lambda: print(sentence))


def _open_ledger(rpc_url: str, chain_id: int, address: str) -> Any:
    from ledger.client import LedgerClient

    return LedgerClient.open(rpc_url, chain_id, address)


def _show_keys(home: Path, keys: Mapping[str, str], following: str) -> None:
    print(f"owner        {keys['owner']}\nsigning key  {keys['signing_key']}")
    print(f"Send the owner's address to the operator, who runs `{following}` and sends you the invitation. Then:")
    print(f"fairshare node init {home} --federation URL --invitation FILE --data SOURCE")


def _hash(text: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        found = bytes.fromhex(digits)
    except ValueError:
        _bad_hash(text)
    return found if len(found) == 32 else _bad_hash(text)


def _bad_hash(text: str) -> NoReturn:
    raise typer.BadParameter(f"{text!r} is not a SHA-256: 64 hexadecimal digits", param_hint="--accept-task")
