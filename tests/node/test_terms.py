"""Terms that change while a node takes part: it trains only under those that were accepted, by a person or by their hash."""

import shlex

import pytest

from node.enrolment import accept_ahead
from node.errors import FederationMismatch, TermsNotAccepted
from node.home import Terms
from node.terms import Pair, fetch_announced, fetch_terms
from protocol.client import FederationClient
from protocol.config import parse_config
from protocol.terms import terms_hash
from tests.node.conftest import NODE_CONFIG, SOURCE, Lines, World
from tests.node.test_cli import give, give_json, passphrase

__all__ = ["passphrase"]

LATER = NODE_CONFIG.replace("epochs = 1", "epochs = 2")
PAIR = Pair(parse_config(LATER).sha256(), SOURCE.sha256())
DIGEST = terms_hash(*PAIR)


def test_an_unattended_run_ends_at_a_round_under_other_terms_and_says_which_command_accepts(world: World) -> None:
    home, lines = world.node(0), Lines()
    world.run(home, lines=lines)
    world.enact(LATER)
    world.open_round()
    with pytest.raises(TermsNotAccepted) as caught:
        world.run(home, lines=lines)
    assert caught.value.digest == DIGEST
    assert f"round 2 has the terms 0x{DIGEST.hex()}, which were not accepted here" in str(caught.value)
    assert f"`fairshare node init {home.path}`" in str(caught.value)
    assert f"--accept-terms {DIGEST.hex()}" in str(caught.value)
    assert (2, 0) not in world.service.commits


def test_the_command_that_is_named_accepts_and_the_node_goes_on(world: World) -> None:
    home = world.node(0)
    world.enact(LATER)
    code, _, err = give("run", home.path, "--rounds", "1")
    assert (code, f"the federation has the terms 0x{DIGEST.hex()}" in err) == (55, True)
    code, _, err = give("init", home.path)
    assert (code, "recipe.epochs: 1 -> 2" in err, "torch.nn.Linear" in err) == (55, True, False)
    code, _, err = give("init", home.path, "--accept-terms", "00" * 32)
    assert (code, "was accepted, but the federation's terms are" in err) == (55, True)
    assert give_json("init", home.path, "--accept-terms", DIGEST.hex())["ready"]
    (report,) = world.run(home)
    assert report.verdict == "accept"
    # Accepting is of config and task together: their old ones still are, too.
    assert home.accepted(parse_config(NODE_CONFIG).sha256(), SOURCE.sha256()) is not None


def test_a_person_at_the_terminal_is_asked_in_the_middle_of_a_run(world: World) -> None:
    home, lines = world.node(0), Lines()
    asked: list[tuple[Terms, Terms | None]] = []

    def pause(_: float) -> None:
        if world.federation.client.last_round() == 1 and not world.service.later:
            world.direct()
            if str(world.federation.client.round(1).state) == "proposed":
                world.enact(LATER)
        else:
            world.direct()

    reports = world.run(home, rounds=2, lines=lines, pause=pause, agree=lambda offered, before: asked.append((offered, before)))
    assert [report.verdict for report in reports] == ["accept", "accept"]
    ((offered, before),) = asked
    assert (offered.config.recipe.epochs, before and before.config.recipe.epochs) == (2, 1)
    assert home.accepted(*PAIR) == offered


def test_who_declines_at_the_terminal_sends_nothing(world: World) -> None:
    home = world.node(0)
    world.enact(LATER)
    world.open_round()

    def declined(offered: Terms, before: Terms | None) -> None:
        raise TermsNotAccepted(offered.digest, "no")

    with pytest.raises(TermsNotAccepted):
        world.run(home, agree=declined)
    assert home.accepted(*PAIR) is None
    assert world.service.commits == {}


def test_a_round_that_opened_with_accepted_terms_is_finished_though_others_are_in_force(world: World) -> None:
    home = world.node(0)
    world.announce(LATER)
    world.wait()
    world.open_round()
    world.enact_announced()
    (report,) = world.run(home)
    assert (report.round, report.verdict) == (1, "accept")


def test_announced_terms_are_told_and_accepted_ahead_so_that_no_round_is_missed(world: World) -> None:
    home, lines = world.node(0), Lines()
    world.announce(LATER)
    world.run(home, lines=lines)
    accepting = f"fairshare node init {shlex.quote(str(home.path))} --accept-terms {DIGEST.hex()}"
    assert accepting in lines
    coming = {"terms": "0x" + DIGEST.hex(), "enactable_at": world.federation.client.announced()[1]}
    assert give_json("status", home.path)["announced"] == coming | {"accepted": False, "changes": ["recipe.epochs: 1 -> 2"]}
    assert accepting in give("status", home.path)[1]
    world.service.down()
    assert "what changes" in (shown := give("status", home.path)[1])
    assert "not known: " in shown
    assert accepting in shown
    world.service.up()
    code, _, err = give("init", home.path)
    assert (code, "about to change" in err, "recipe.epochs: 1 -> 2" in err, "Not accepted yet" in err) == (0, True, True, True)
    assert give_json("init", home.path, "--accept-terms", DIGEST.hex())["ready"]
    world.service.down()  # the chain has the hash, and this directory the terms
    assert give_json("status", home.path)["announced"] == coming | {"accepted": True, "changes": ["recipe.epochs: 1 -> 2"]}
    world.service.up()
    again = Lines()
    world.wait()
    world.enact_announced()
    assert give_json("status", home.path)["announced"] is None
    (report,) = world.run(home, lines=again)
    assert report.verdict == "accept"
    assert "new terms" not in again


def test_an_announcement_is_believed_of_the_chain_alone(world: World) -> None:
    home = world.node(0)
    ledger = world.federation.client
    with FederationClient(world.service.url) as client:
        assert fetch_announced(client, ledger) is None
        world.announce(LATER)
        told = world.service.announced
        assert told is not None
        found = fetch_announced(client, ledger)
        assert found is not None
        assert (found.terms.digest, found.enactable_at) == (DIGEST, ledger.announced()[1])
        world.service.announced = told.model_copy(update={"config_hash": parse_config(NODE_CONFIG).sha256()})
        with pytest.raises(FederationMismatch, match="announcement"):
            fetch_announced(client, ledger)
        world.service.tamper[f"GET /v1/federation/config?hash=0x{PAIR.config_hash.hex()}"] = lambda honest: honest.model_copy(
            update={"toml": LATER.replace("epochs = 2", "epochs = 3")}
        )
        with pytest.raises(FederationMismatch, match="config"):
            fetch_terms(client, ledger, PAIR)

        def refuse(offered: Terms) -> None:
            raise TermsNotAccepted(offered.digest, "no")

        with pytest.raises(TermsNotAccepted):
            accept_ahead(home, home.settings(), found.terms, refuse)
    assert home.accepted(*PAIR) is None
