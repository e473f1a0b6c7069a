"""A body that was handed over reaches the aggregator, although the aggregator is away when it comes."""

from contextlib import ExitStack
from pathlib import Path

from fastapi import FastAPI, Response

from aggregator.scorer.forwarding import Forwarding
from protocol.api import UploadView
from protocol.client import FederationClient
from tests.aggregator.scorer.test_quorum import Scorer
from tests.aggregator.service.support import Stage, founded, make_update, serve, stage
from tests.support.serving import answering

__all__ = ["founded", "stage"]


class Flaky:
    """An aggregator behind a gateway that has nobody to ask at first."""

    def __init__(self) -> None:
        self.is_away = True
        self.asked = 0
        self.app = FastAPI()

        @self.app.put("/v1/rounds/{number}/bodies/{node}")
        def take(number: int, node: int) -> Response:
            self.asked += 1
            if self.is_away:
                return Response(status_code=502)
            taken = UploadView(round=number, node=node, committed=True, revealed=True)
            return Response(taken.model_dump_json(), media_type="application/json")


def test_a_body_is_forwarded_until_the_aggregator_answers_or_may_not_take_it_any_more(stage: Stage, tmp_path: Path) -> None:
    with ExitStack() as stack:
        service, flaky = stack.enter_context(serve(stage)), Flaky()
        mirrors = [stack.enter_context(answering(flaky.app)), service.client.url]
        scorer = Scorer(stack, stage, tmp_path / "scorer", "scorer", mirrors)
        view = service.open_round(2)
        sent = [make_update(service.domain, view, node) for node in range(2)]
        service.commit(*sent)
        service.turn(2)
        with FederationClient(scorer.url) as node:
            node.hand_over(sent[0].update, sent[0].signature, sent[0].salt, sent[0].body)
        scorer.forwarding.resend()
        assert flaky.asked == 2

        flaky.is_away = False
        scorer.forwarding.resend()
        scorer.forwarding.resend()  # it has it
        assert flaky.asked == 3

        restarted = Forwarding(scorer.gathering)  # which cannot know what the aggregator answered, and may ask once more
        restarted.resend()
        restarted.resend()
        assert flaky.asked == 4

        stage.chain.advance_to(stage.ledger.round(1).deadline)
        Forwarding(scorer.gathering).resend()  # too late
        assert flaky.asked == 4
