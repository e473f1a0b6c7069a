"""Nothing that a URL serves is accepted before the ledger of the invitation confirms it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.wallet import Wallet
from node.enrolment import enrol, home_at, make_keys
from node.errors import (
    FederationMismatch,
    HomeIncomplete,
    HomeOfAnotherFederation,
    InvitationRejected,
    TermsNotAccepted,
)
from node.home import NodeHome, Terms
from node.settings import NodeSettings
from node.terms import accepted_terms, in_force
from protocol.client import FederationClient
from protocol.errors import ConfigError
from protocol.invitation import InvitationFile, invitation_file
from protocol.typed_data import Invitation
from tests.node.conftest import NODE_CONFIG, SOURCE, World
from tests.support.chain import PASSPHRASE, account


def accept(_offer: Terms) -> None:
    pass


def home_with_keys(path: Path, number: int = 0) -> NodeHome:
    home = home_at(path)
    for file, name in ((home.owner_key, f"owner {number}"), (home.signing_key, f"signer {number}")):
        Wallet.create(file, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    return home


def finish(
    world: World,
    home: NodeHome,
    invitation: InvitationFile,
    consent: Callable[[Terms], None] = accept,
    data: str | None = "16",
    payout: str | None = None,
) -> NodeSettings:
    with FederationClient(world.service.url) as client:
        return enrol(
            home,
            invitation,
            world.federation.client,
            client,
            rpc_url=world.federation.chain.url,
            data=data,
            payout=payout,
            consent=consent,
        )


def test_what_was_accepted_is_what_the_ledger_has(world: World, tmp_path: Path) -> None:
    home, asked = home_with_keys(tmp_path / "node"), list[Terms]()
    settings = finish(world, home, world.federation.invite("owner 0"), asked.append)
    chain = world.federation.client
    assert (settings.ledger, settings.chain_id, settings.payout) == (
        chain.domain.ledger,
        chain.domain.chain_id,
        account("owner 0").address,
    )
    (offer,) = asked
    assert (offer.task, offer.config_toml) == (SOURCE, NODE_CONFIG)
    assert home.settings() == settings
    terms = accepted_terms(home, in_force(chain), "the federation")
    assert (terms.task, terms.config) == (SOURCE, world.federation.config)


def test_repeated_it_keeps_what_is_not_given_again(world: World, tmp_path: Path) -> None:
    home, invitation = home_with_keys(tmp_path / "node"), world.federation.invite("owner 0")
    before = finish(world, home, invitation, data="8", payout=account("stranger").address)
    assert finish(world, home, invitation, data=None) == before
    assert finish(world, home, invitation, data="4").data == "4"
    assert home.settings().payout == account("stranger").address


def test_without_consent_nothing_is_kept(world: World, tmp_path: Path) -> None:
    def refuse(offer: Terms) -> None:
        raise TermsNotAccepted(offer.digest, "no")

    home = home_with_keys(tmp_path / "node")
    with pytest.raises(TermsNotAccepted):
        finish(world, home, world.federation.invite("owner 0"), refuse)
    assert sorted(path.name for path in home.path.iterdir()) == ["keys"]
    with pytest.raises(HomeIncomplete, match="fairshare node init"):
        home.settings()


@pytest.mark.parametrize(
    ("path", "lie", "what"),
    [
        ("/v1/federation/config", {"toml": NODE_CONFIG.replace("epochs = 1", "epochs = 9")}, "config"),
        ("/v1/federation/task", {"files": {"parity.py": "print('mine')"}}, "task"),
        ("/v1/federation/task", {"entry": "Other"}, "task"),
        ("/v1/federation", {"ledger": account("stranger").address}, "ledger"),
        ("/v1/federation", {"chain_id": 1}, "ledger"),
    ],
)
def test_a_lying_url_is_found_out(world: World, tmp_path: Path, path: str, lie: dict[str, Any], what: str) -> None:
    world.service.tamper[f"GET {path}"] = lambda honest: honest.model_copy(update=lie)
    home = home_with_keys(tmp_path / "node")
    with pytest.raises(FederationMismatch, match="nothing was accepted") as caught:
        finish(world, home, world.federation.invite("owner 0"))
    assert caught.value.what == what
    assert not home.settings_file.exists()


def test_a_lie_about_the_hashes_changes_nothing(world: World, tmp_path: Path) -> None:
    """A URL that serves another task together with that task's hash."""
    other = SOURCE.texts()["parity.py"] + "\nprint('mine')\n"
    world.service.tamper["GET /v1/federation/task"] = lambda honest: honest.model_copy(update={"files": {"parity.py": other}})
    served = type(SOURCE).from_texts("Parity", {"parity.py": other}).sha256()
    world.service.tamper["GET /v1/federation"] = lambda honest: honest.model_copy(update={"task_hash": served})
    with pytest.raises(FederationMismatch):
        finish(world, home_with_keys(tmp_path / "node"), world.federation.invite("owner 0"))


def test_a_config_that_cannot_be_read_is_said_so(world: World, tmp_path: Path) -> None:
    world.service.tamper["GET /v1/federation/config"] = lambda honest: honest.model_copy(update={"toml": "pool = "})
    with pytest.raises(ConfigError):
        finish(world, home_with_keys(tmp_path / "node"), world.federation.invite("owner 0"))


def test_invitations_that_the_registry_would_refuse(world: World, tmp_path: Path) -> None:
    home, domain, now = home_with_keys(tmp_path / "node"), world.federation.client.domain, world.federation.client.now()
    owner = account("owner 0").address

    def invite(signer: str = "operator", owner: str = owner, deadline: int = now + 100) -> InvitationFile:
        invitation = Invitation(owner, 16, bytes(32), deadline)
        return invitation_file(domain, invitation, invitation.sign(domain, account(signer)))

    cases = {
        "it is for": invite(owner=account("owner 1").address),
        "its deadline has passed": invite(deadline=now - 1),
        f"signed by {account('stranger').address}": invite(signer="stranger"),
        "or it was changed afterwards": invite().model_copy(update={"max_samples": 17}),
        "a signature has 65 bytes": invite().model_copy(update={"signature": "0x00"}),
    }
    for reason, invitation in cases.items():
        with pytest.raises(InvitationRejected, match=reason):
            finish(world, home, invitation)
    finish(world, home, invite())


def test_a_directory_is_of_one_federation(world: World, tmp_path: Path) -> None:
    home, invitation = home_with_keys(tmp_path / "node"), world.federation.invite("owner 0")
    settings = finish(world, home, invitation)
    home.write_settings(settings.model_copy(update={"ledger": account("stranger").address}))
    with pytest.raises(HomeOfAnotherFederation, match="a directory of its own"):
        finish(world, home, invitation)


def test_keys_are_made_once(tmp_path: Path) -> None:
    home = home_with_keys(tmp_path / "node")
    assert [wallet.address for wallet in make_keys(home, "another")] == [account("owner 0").address, account("signer 0").address]
