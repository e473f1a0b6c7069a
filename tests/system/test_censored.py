"""An aggregator that takes neither a node's commitment nor its body: the chain and a scorer take them, and the round counts them.

Real processes of the node and the scorer; between the node and the aggregator's real service stands what censors it.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from aggregator.bundles import read_evidence
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.service.phases import Phase
from ledger.records import RoundState
from ledger.wallet import Wallet
from node.enrolment import enrol, home_at
from node.home import NodeHome
from protocol.client import FederationClient
from protocol.evidence import Kind
from protocol.files import write_durably
from protocol.update import body_hash
from tests.aggregator.service.support import Service, Stage, founded, make_update, serve, staged
from tests.support.chain import PASSPHRASE, account
from tests.support.processes import process, until
from tests.support.serving import answering

__all__ = ["founded"]

CENSORED = 2


@pytest.fixture
def stage(founded: Any, tmp_path: Path) -> Iterator[Stage]:
    with staged(founded, tmp_path) as copied:
        yield copied


def censoring(url: str) -> FastAPI:
    """Passes everything on but what a node sends of its update."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT"])
    async def pass_on(path: str, request: Request) -> Response:
        if request.method != "GET":
            problem = {"type": "https://fairshare.example/problems/not-allowed", "title": "no", "status": 403, "detail": "no"}
            return Response(json.dumps(problem), 403, media_type="application/problem+json")
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{url}/{path}")
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    return app


def scorer_home(stage: Stage, service: Service, directory: Path) -> ScorerHome:
    home, chain = ScorerHome(directory), stage.chain
    Wallet.create(home.key, PASSPHRASE, bytes(account("scorer").key), scrypt_n=2)
    settings = ScorerSettings(
        ledger=stage.ledger.ledger_address,
        rpc_url=chain.url,
        chain_id=chain.chain_id,
        mirrors=(service.client.url,),
        port=0,
        poll_seconds=0.2,
    )
    write_durably(home.settings_file, settings.text().encode())
    return home


def joined(stage: Stage, service: Service, censor: str, scorer: str, directory: Path) -> NodeHome:
    home = home_at(directory)
    for path, name in ((home.owner_key, f"owner {CENSORED}"), (home.signing_key, f"signer {CENSORED}")):
        Wallet.create(path, PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    invited = stage.federation.invite(f"owner {CENSORED}")
    rpc_url = stage.chain.url
    enrol(home, invited, stage.ledger, service.client, rpc_url=rpc_url, data="3/8", payout=None, consent=lambda offer: None)
    home.write_settings(home.settings().model_copy(update={"federation_url": censor, "scorers": (scorer,)}))
    assert stage.federation.join(CENSORED) == CENSORED
    return home


def test_what_the_aggregator_refuses_counts_all_the_same(stage: Stage, tmp_path: Path) -> None:
    ledger = stage.ledger
    with ExitStack() as stack:
        service = stack.enter_context(serve(stage))
        censor = stack.enter_context(answering(censoring(service.client.url)))
        scorer = stack.enter_context(process("scorer", "serve", str(scorer_home(stage, service, tmp_path / "s").path), "--json"))
        assert scorer.stdout is not None
        scorer_url = json.loads(scorer.stdout.readline())["url"]
        home = joined(stage, service, censor, scorer_url, tmp_path / "node")

        view = service.open_round()
        other = make_update(service.domain, view, 0)
        service.commit(other)
        node = stack.enter_context(process("node", "run", str(home.path)))
        until(lambda: ledger.round(1).commits == 1, node)
        ((update, _),) = ledger.commits(1)
        assert update.node == CENSORED
        stage.chain.advance_to(view.commit_deadline)
        service.turn(2)  # the censor itself cannot close the round without what is on chain
        assert ledger.round(1).state is RoundState.CLOSED
        assert service.client.round(1).commits == 2

        service.reveal(other)
        until(lambda: service.client.upload(1, CENSORED).revealed, node)
        service.turn(2)
        assert service.phase(1) is Phase.ATTESTING
        until(lambda: bool(service.context.store.attestations(1)), scorer)
        service.turn(2)
        assert service.phase(1) is Phase.PROPOSED
        with FederationClient(scorer_url) as anyone:
            root = anyone.evidence(1).header.root()
        assert root == ledger.round(1).evidence_root

    kinds = read_evidence(root, service.context.blobs).by_kind
    assert kinds[Kind.UPDATE].keys() == kinds[Kind.BODY].keys() == {0, CENSORED}
    assert kinds[Kind.RECEIPT].keys() == {0}
    assert kinds[Kind.BODY][CENSORED].get("body_hash") == body_hash(home.body(1).read_bytes())
