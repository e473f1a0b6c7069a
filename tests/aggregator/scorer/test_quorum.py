"""Four scorers, three of them here, over real HTTP and chain: bodies go through scorers, a quorum attests, anyone proposes."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aggregator.errors import BlobCorrupt, BlobMissing
from aggregator.founding import Wishes, found
from aggregator.home import AggregatorHome
from aggregator.mirror.access import Gatekeeper
from aggregator.mirror.nonces import NonceStore
from aggregator.mirror.routes import Mirror
from aggregator.scorer.app import ScorerLibrary, create_app
from aggregator.scorer.errors import NoQuorum
from aggregator.scorer.forwarding import Forwarding
from aggregator.scorer.gathering import Gathering, gather
from aggregator.scorer.home import ScorerHome, ScorerSettings
from aggregator.scorer.proposing import propose
from aggregator.scorer.serve import Follower
from aggregator.scorer.sources import Directory, GatheredBlobs, MirrorSource
from aggregator.scorer.verify import verify
from aggregator.service.phases import Phase
from aggregator.template import with_values
from ledger.deployment import deployment_path
from ledger.records import RoundState
from ledger.wallet import Wallet
from protocol.client import FederationClient
from protocol.config import parse_config
from protocol.evidence import Kind
from protocol.requests import RequestSigner
from protocol.typed_data import Update
from protocol.update import body_hash
from tests.aggregator.service.support import Service, Stage, make_update, problem, serve
from tests.support.chain import CONFIG, PASSPHRASE, LocalChain, LocalFederation, account
from tests.support.serving import answering

OTHERS = ("owner 9", "owner 10", "owner 11")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A federation with four scorers on a chain of its own, two nodes joined."""
    home = AggregatorHome(tmp_path / "federation")
    for name in ("operator", "aggregator", "scorer"):
        Wallet.create(home.key(name), PASSPHRASE, bytes(account(name).key), scrypt_n=2)
    home.federation_file.write_text(CONFIG)
    founding = found(home, Wishes(task="digits", scorers=tuple(account(name).address for name in OTHERS)), PASSPHRASE).file
    with LocalChain(tmp_path / "chain") as chain:
        federation = LocalFederation.deployed(chain, parse_config(CONFIG), founding)
        path = deployment_path(home.path, chain.chain_id)
        path.parent.mkdir()
        path.write_text(federation.deployment.model_dump_json())
        home.settings_file.write_text(with_values(home.settings_file.read_text(), {"rpc_url": chain.url, "port": 0}))
        yield Stage(home, federation)


class Scorer:
    """What `fairshare scorer serve` puts together, its turns in the test's hand."""

    def __init__(self, stack: ExitStack, stage: Stage, directory: Path, name: str, mirrors: list[str]) -> None:
        home, chain = ScorerHome(directory), stage.chain
        ledger = stage.federation.deployment.ledger
        settings = ScorerSettings(ledger=ledger, rpc_url=chain.url, chain_id=chain.chain_id, mirrors=tuple(mirrors))
        gathered = gather(home, settings, settings.mirrors, home.blobs_directory, account(name))
        self.gathering: Gathering = stack.enter_context(gathered)
        self.forwarding = Forwarding(self.gathering)
        self.follower = Follower(self.gathering, self.forwarding)
        library = ScorerLibrary(self.gathering, self.follower.attesting.records, self.follower.expelling.kept)
        mirror = Mirror(library, Gatekeeper(self.gathering.ledger, NonceStore(home.nonces_file)))
        self.url = stack.enter_context(answering(create_app(self.gathering, mirror, self.forwarding)))
        signer = RequestSigner(stage.ledger.domain, account(name))
        self.client = stack.enter_context(FederationClient(self.url, signer=signer))


def close_round(service: Service) -> list[tuple[Update, bytes, bytes, bytes]]:
    view = service.open_round()
    sent = [make_update(service.domain, view, node) for node in range(2)]
    service.commit(*sent)
    service.turn(2)
    service.reveal(sent[1])
    return [(one.update, one.signature, one.salt, one.body) for one in sent]


def test_a_quorum_of_scorers_settles_a_round_whatever_the_aggregator_does(stage: Stage, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service = stack.enter_context(serve(stage))
        second = Scorer(stack, stage, tmp_path / "b", OTHERS[1], [service.client.url])
        first = Scorer(stack, stage, tmp_path / "a", OTHERS[0], [service.client.url, second.url])
        first.follower.turn()  # no round yet: nothing to do
        sent = close_round(service)

        check_bodies_through_scorers(service, first, second, sent[0])
        service.turn(3)  # evaluates, and its own scorer attests: one of three
        assert service.phase(1) is Phase.ATTESTING
        assert len(service.client.attestations(1).signatures) == 1
        with pytest.raises(NoQuorum, match="1 of 3"):
            propose(first.gathering, 1)

        first.follower.turn()
        second.follower.turn()
        second.follower.turn()  # attested once, however often it looks
        assert len(service.client.attestations(1).signatures) == 3
        assert propose(first.gathering, 1).block
        assert stage.ledger.round(1).state is RoundState.PROPOSED
        service.turn()
        assert service.phase(1) is Phase.PROPOSED

        check_mirrors(stage, second, sent[0][3], tmp_path)


def check_bodies_through_scorers(
    service: Service, first: Scorer, second: Scorer, sent: tuple[Update, bytes, bytes, bytes]
) -> None:
    update, signature, salt, body = sent
    with FederationClient(first.url) as node:
        assert problem(lambda: node.hand_over(update, signature, bytes(32), body)) == (403, "wrong-signer")
        assert problem(lambda: node.hand_over(update, signature, salt, body + b" ")) == (403, "wrong-signer")
        assert not service.client.upload(1, 0).revealed
        deadline = service.client.round(1).reveal_deadline
        assert deadline is not None
        service.stage.chain.advance_to(deadline - 1)
        assert node.hand_over(update, signature, salt, body).revealed
        assert service.client.upload(1, 0).revealed  # forwarded at once
        assert second.gathering.blobs.has(body_hash(body))  # and shared
        service.stage.chain.advance(2)
        assert problem(lambda: node.hand_over(update, signature, salt, body)) == (410, "too-late")
        assert second.client.hand_over(update, signature, salt, body).revealed  # one scorer to another, within the grace


def check_mirrors(stage: Stage, second: Scorer, body: bytes, tmp_path: Path) -> None:
    """Whoever is a scorer replays the round from another scorer alone; a broken copy is had from elsewhere."""
    signer = RequestSigner(stage.ledger.domain, account("scorer"))
    with FederationClient(second.url, signer=signer) as client, FederationClient(second.url) as anyone:
        assert anyone.evidence(1).header.root() == stage.ledger.round(1).evidence_root
        assert not anyone.evidence(1).by_kind[Kind.BODY]
        fresh = GatheredBlobs(tmp_path / "fresh", [MirrorSource(client)])
        verified = verify(stage.ledger, fresh, 1)
        assert verified.claim.model_hash == stage.ledger.round(1).model_hash
        assert all(margin.largest <= margin.tolerance for margin in verified.margins.values())
        assert len(verify(stage.ledger, fresh, 1, quick=2).drawn) == 2

        name = body_hash(body)
        second.gathering.blobs.path(name).write_bytes(bytes([body[0] ^ 1]) + body[1:])
        with pytest.raises(BlobCorrupt):
            verify(stage.ledger, GatheredBlobs(tmp_path / "one", [MirrorSource(client)]), 1)
        verify(stage.ledger, GatheredBlobs(tmp_path / "two", [MirrorSource(client), Directory(stage.home.path)]), 1)
        with pytest.raises(BlobMissing):
            verify(stage.ledger, GatheredBlobs(tmp_path / "none", []), 1)
