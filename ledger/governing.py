"""The commands of `fairshare ledger` that change a federation: its terms, announced and enacted after a delay, and its roles."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.acting import send
from ledger.errors import LEDGER_EXIT_CODES
from ledger.governance_errors import (
    NotDueYet,
    NothingAnnounced,
    NotTheAdmin,
    RoleUnchanged,
    TermsInForce,
    TermsUnprepared,
)
from ledger.options import ChainId, Federation, Key, Ledger, RpcUrl, open_client
from protocol.options import Json, PassphraseFile
from protocol.terminal import emit, expecting, note, table, when, working

if TYPE_CHECKING:
    from ledger.governance import Governance
    from ledger.records import Announcement, Call, Terms

_expecting = expecting(LEDGER_EXIT_CODES)

TermsOf = tuple["Terms", "Announcement | None"]


class RoleAction(StrEnum):
    """What is done about a role. The admin's is granted in two steps: granted, and accepted by the new one after the delay."""

    GRANT = "grant"
    REVOKE = "revoke"
    ACCEPT = "accept"


class RoleName(StrEnum):
    """The roles, as `ledger.governance.Role` has them, which needs web3."""

    ADMIN = "admin"
    OPERATOR = "operator"
    GUARDIAN = "guardian"


@_expecting
def terms(
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    as_json: Json = False,
) -> None:
    """Show the terms in force, those that are announced and from when they can be enacted, and who is the admin.

    Example: fairshare ledger terms --federation ./federation
    """
    from ledger.governance import Governance

    with working("reading the terms from the chain", quiet=as_json):
        client = open_client(federation, ledger, rpc_url, chain_id)
        governance = Governance(client)
        found, admin, handover = _read(governance), governance.admin(), governance.handover()
    roles = {
        "admin": admin,
        "next_admin": None if handover is None else handover.to,
        "next_admin_from": None if handover is None else handover.due_at,
    }

    def show() -> None:
        _show(*found)
        following = "" if handover is None else f"; {handover.to} may accept the role from {when(handover.due_at)} on"
        print(f"admin {admin}{following}")

    emit({**_as_json(*found), **roles}, as_json, show)


@_expecting
def announce(
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    aggregator: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Who leads later rounds; default: who does now.")
    ] = None,
    scorer: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="One of the 3f + 1 scorers of later rounds; name all. Default: those of now."),
    ] = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Announce terms for later rounds, by the admin: config and task as `fairshare aggregator init` has last checked them.

    They take the place of any others that are announced, so announcing those in force withdraws these. Without --federation
    config and task stay as they are.

    Example: fairshare ledger announce --federation ./federation --key ./federation/keys/operator.json
    """
    from ledger.governance import Governance
    from ledger.places import read_address
    from ledger.records import Terms

    named = None if aggregator is None else read_address(aggregator)
    scorers = None if scorer is None else tuple(read_address(one) for one in scorer)
    prepared = None if federation is None else _prepared(federation)
    client = open_client(federation, ledger, rpc_url, chain_id)
    governance = Governance(client)

    def due(sender: str) -> "Call | None":
        if sender != (admin := governance.admin()):
            raise NotTheAdmin(sender, admin)
        now, pending = _read(governance)
        config_hash, task_hash = prepared or (now.config_hash, now.task_hash)
        wanted = Terms(config_hash, task_hash, named or now.aggregator, now.scorers if scorers is None else scorers)
        if pending is not None and pending.terms == wanted:
            return None
        if pending is None and wanted == now:
            raise TermsInForce
        governance.check_officers(wanted.aggregator, wanted.scorers)
        return client.announce(wanted)

    sent = send(client, key, passphrase_file, due, as_json)
    found = _read(governance)

    def show() -> None:
        if not sent:
            note("These terms were announced before; nothing was sent.")
        _show(*found)
        if found[1] is not None:
            note(f"Next: `fairshare ledger enact` from {when(found[1].enactable_at)} on, by anyone.")

    emit(_as_json(*found), as_json, show)


@_expecting
def enact(
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Put the announced terms into force, after the admin's delay, for the rounds that open from now on. Anyone may.

    Example: fairshare ledger enact --federation ./federation --key ./keys/me.json
    """
    from ledger.amounts import show_amount
    from ledger.bonds import Bonds
    from ledger.governance import Governance

    client = open_client(federation, ledger, rpc_url, chain_id)
    governance = Governance(client)

    def due(_: str) -> "Call":
        pending = governance.announcement()
        if pending is None:
            raise NothingAnnounced
        if (now := client.now()) < pending.enactable_at:
            raise NotDueYet("the announced terms can be enacted", pending.enactable_at, now)
        return client.enact(pending.terms)

    send(client, key, passphrase_file, due, as_json)
    found = _read(governance)
    bonds = Bonds(client)
    missing = {one: amount for one in (found[0].aggregator, *found[0].scorers) if (amount := bonds.missing(one))}

    def show() -> None:
        _show(*found)
        for account, amount in missing.items():
            note(f"{account} lacks a bond of {show_amount(amount)} coin: `fairshare ledger bond deposit {account}`")

    emit({**_as_json(*found), "missing_bonds": {one: str(amount) for one, amount in missing.items()}}, as_json, show)


@_expecting
def role(
    action: Annotated[RoleAction, typer.Argument(help="grant and revoke: by the admin; accept: by the new admin itself.")],
    name: Annotated[RoleName, typer.Argument(metavar="ROLE", help="admin, operator (invites) or guardian (pauses).")],
    address: Annotated[str, typer.Argument(help="Whose role it is to be, or to be no more.")],
    key: Key,
    federation: Federation = None,
    ledger: Ledger = None,
    chain_id: ChainId = None,
    rpc_url: RpcUrl = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Give a role to an account, or take it away. Operators and guardians change at once, there may be several.

    There is one admin: granted to ADDRESS, the role is accepted by that account after the delay; revoke takes that back.

    Example: fairshare ledger role grant guardian 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 --key ./keys/me.json --ledger 0x…
    """
    from ledger.governance import Governance, Role
    from ledger.places import read_address

    account, wanted = read_address(address), Role(name)
    client = open_client(federation, ledger, rpc_url, chain_id)
    governance = Governance(client)

    def due(sender: str) -> "Call | None":
        if action is RoleAction.ACCEPT:
            return _acceptance(governance, wanted, account, sender, client.now())
        if sender != (admin := governance.admin()):
            raise NotTheAdmin(sender, admin)
        handover = governance.handover()
        holds = (handover is not None and handover.to == account) if wanted is Role.ADMIN else governance.has(wanted, account)
        if holds is (action is RoleAction.GRANT):
            return None
        if wanted is Role.ADMIN and account == admin:
            raise RoleUnchanged(f"{account} is the admin: hand the role over by `fairshare ledger role grant admin ADDRESS`")
        return governance.grant(wanted, account) if action is RoleAction.GRANT else governance.revoke(wanted, account)

    send(client, key, passphrase_file, due, as_json)
    has, handover = governance.has(wanted, account), governance.handover() if wanted is Role.ADMIN else None
    due_at = handover.due_at if handover is not None and handover.to == account else None
    told = f"{account} is {'' if has else 'not '}{name}"
    if due_at is not None:
        told += f"; it may accept the role from {when(due_at)} on: `fairshare ledger role accept admin {account}`"
    emit({"role": name, "address": account, "has": has, "acceptable_at": due_at}, as_json, lambda: print(told))


def _acceptance(governance: "Governance", role: str, account: str, sender: str, now: int) -> "Call | None":
    if role != RoleName.ADMIN:
        raise RoleUnchanged(f"the {role}'s role needs no acceptance: give it by `fairshare ledger role grant`")
    if governance.admin() == account:
        return None
    handover = governance.handover()
    if handover is None or handover.to != account:
        raise RoleUnchanged(f"the admin's role is not being handed over to {account}: have the admin grant it first")
    if sender != account:
        raise RoleUnchanged(f"{sender} cannot accept for {account}: name the wallet of {account} by --key")
    if now < handover.due_at:
        raise NotDueYet("the admin's role can be accepted", handover.due_at, now)
    return governance.accept()


def _prepared(directory: Path) -> tuple[bytes, bytes] | None:
    """The config and task that were checked last; None if none were, so that what is in force stays."""
    from protocol.config import parse_config
    from protocol.founding import read_founding
    from protocol.terms import read_terms

    config_hash = parse_config((directory / "federation.toml").read_text()).sha256()
    try:
        found = read_terms(directory / "terms.json")
    except FileNotFoundError:
        if config_hash != read_founding(directory / "founding.json").config_hash:
            raise TermsUnprepared(directory, "federation.toml was edited since the deployment") from None
        return None
    if found.config_hash != config_hash:
        raise TermsUnprepared(directory, "federation.toml was edited since it was last checked")
    return found.config_hash, found.task_hash


def _read(governance: "Governance") -> TermsOf:
    return governance.in_force(), governance.announcement()


def _as_json(now: "Terms", pending: "Announcement | None") -> dict[str, Any]:
    announced = None if pending is None else {**_terms_as_json(pending.terms), "enactable_at": pending.enactable_at}
    return {"in_force": _terms_as_json(now), "announced": announced}


def _terms_as_json(found: "Terms") -> dict[str, Any]:
    from protocol.terms import terms_hash

    return {
        "config": "0x" + found.config_hash.hex(),
        "task": "0x" + found.task_hash.hex(),
        "terms": "0x" + terms_hash(found.config_hash, found.task_hash).hex(),
        "aggregator": found.aggregator,
        "scorers": list(found.scorers),
    }


def _show(now: "Terms", pending: "Announcement | None") -> None:
    names = ("config", "task", "terms", "aggregator", "scorers")
    held, coming = _terms_as_json(now), None if pending is None else _terms_as_json(pending.terms)
    table(("", "in force"), [(name, _cell(held[name])) for name in names])
    if pending is None or coming is None:
        print("no other terms are announced")
        return
    changed = [(name, _cell(coming[name])) for name in names if coming[name] != held[name]]
    table(("", f"announced, from {when(pending.enactable_at)} on"), changed or [("", "what is in force: nothing changes")])


def _cell(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)
