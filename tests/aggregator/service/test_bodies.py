"""Bodies: what is refused may be sent again and leaves nothing behind; what can be decoded counts as sent."""

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from aggregator.blobs import BlobStore
from aggregator.service.phases import Phase
from protocol.client import SALT_HEADER
from protocol.parameters import encode_parameters
from protocol.requests import BODY_HASH_HEADER
from protocol.update import body_hash
from tests.aggregator.service.support import SALT, Sent, Service, make_update, problem, small_update
from tests.support.processes import until


@pytest.fixture
def revealing(served: Service) -> tuple[Service, Sent]:
    """A closed round in which nodes 0 and 1 have committed; what node 0 is to send."""
    view = served.open_round()
    sent = [make_update(served.domain, view, node) for node in (0, 1)]
    served.commit(*sent)
    served.turn(2)
    assert served.phase(1) is Phase.REVEALING
    return served, sent[0]


def put(
    service: Service, body: bytes | Iterator[bytes], salt: str | None = "0x" + SALT.hex(), hashed: str | None = "0x" + 64 * "0"
) -> tuple[int, str]:
    """Status and code of an upload for node 0 in round 1."""
    headers = {name: value for name, value in ((SALT_HEADER, salt), (BODY_HASH_HEADER, hashed)) if value is not None}
    answer = service.client._http.put("/v1/rounds/1/bodies/0", content=body, headers=headers)
    return answer.status_code, "" if answer.is_success else answer.json()["type"].rsplit("/", 1)[-1]


def named(sent: Sent) -> str:
    """The hash of what was committed to, as the header carries it."""
    return "0x" + body_hash(sent.body).hex()


def nothing_is_left(service: Service) -> bool:
    blobs = service.stage.home.blobs_directory
    return not list(blobs.glob(".incoming-*")) and not service.client.upload(1, 0).revealed


def test_a_body_is_taken_once_and_again_changes_nothing(revealing: tuple[Service, Sent]) -> None:
    service, sent = revealing
    assert service.client.reveal(1, 0, sent.salt, sent.body).revealed
    assert service.context.blobs.get(body_hash(sent.body)) == sent.body
    assert service.client.round(1).bodies == 1
    assert service.client.reveal(1, 0, sent.salt, sent.body).revealed
    service.stage.chain.advance(60 + 30)
    service.turn()
    assert service.phase(1) is Phase.EVALUATING
    assert service.client.reveal(1, 0, sent.salt, sent.body).revealed
    assert service.client.round(1).bodies == 1


def test_a_body_before_the_round_has_closed_is_too_early(served: Service) -> None:
    view = served.open_round()
    sent = make_update(served.domain, view, 0)
    served.commit(sent)
    assert problem(lambda: served.reveal(sent)) == (409, "too-early")
    assert nothing_is_left(served)


def test_a_late_body_is_refused(revealing: tuple[Service, Sent]) -> None:
    service, sent = revealing
    deadline = service.client.round(1).reveal_deadline
    assert deadline is not None
    service.stage.chain.advance_to(deadline)
    assert service.phase(1) is Phase.REVEALING
    assert problem(lambda: service.reveal(sent)) == (410, "too-late")
    service.turn()
    assert problem(lambda: service.reveal(sent)) == (410, "too-late")
    assert nothing_is_left(service)


def test_a_body_without_a_commitment_is_refused(served: Service) -> None:
    view = served.open_round(3)
    served.commit(make_update(served.domain, view, 1), make_update(served.domain, view, 2))
    assert problem(lambda: served.reveal(make_update(served.domain, view, 0))) == (409, "nothing-committed")


def test_a_body_of_an_unknown_round_is_refused(served: Service) -> None:
    assert put(served, b"") == (404, "unknown-round")


def test_another_body_than_the_committed_one_is_refused_and_the_right_one_taken_afterwards(
    revealing: tuple[Service, Sent],
) -> None:
    service, sent = revealing
    assert put(service, encode_parameters(small_update(9)), hashed=named(sent)) == (422, "wrong-body")
    assert nothing_is_left(service)
    service.reveal(sent)


def test_not_a_byte_is_taken_before_the_headers_open_the_commitment(
    revealing: tuple[Service, Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, sent = revealing
    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "receive", lambda *_: pytest.fail("something was taken"))
        other = encode_parameters(small_update(9))
        assert put(service, other, hashed="0x" + body_hash(other).hex()) == (422, "wrong-body")
        assert put(service, sent.body, "0x" + "00" * 32, named(sent)) == (422, "wrong-body")
    service.reveal(sent)


def test_another_nodes_body_is_refused(revealing: tuple[Service, Sent]) -> None:
    service, _ = revealing
    theirs = make_update(service.domain, service.client.round(1), 1)
    assert problem(lambda: service.client.reveal(1, 0, theirs.salt, theirs.body)) == (422, "wrong-body")


@pytest.mark.parametrize("digits", [None, "", "5a", "0x5a", "0x" + "zz" * 32])
def test_a_malformed_salt_or_hash_is_refused(standing: Service, digits: str | None) -> None:
    assert put(standing, b"", digits) == (422, "bad-salt")
    assert put(standing, b"", hashed=digits) == (422, "bad-salt")


def test_a_committed_body_that_is_no_safetensors_file_is_refused_and_its_node_absent(served: Service) -> None:
    view = served.open_round()
    junk = make_update(served.domain, view, 0, body=b"pickle")
    served.commit(junk, make_update(served.domain, view, 1))
    served.turn(2)
    assert problem(lambda: served.reveal(junk)) == (422, "undecodable-body")
    assert nothing_is_left(served)


def test_an_oversized_body_is_refused_whether_or_not_it_says_so(revealing: tuple[Service, Sent]) -> None:
    service, sent = revealing
    limit = service.stage.federation.config.rounds.body_bytes
    assert put(service, bytes(limit + 1), hashed=named(sent)) == (413, "too-large")
    # Without a Content-Length the limit is noticed on the way.
    assert put(service, iter([bytes(1 << 16)] * (limit // (1 << 16) + 2)), hashed=named(sent)) == (413, "too-large")
    assert nothing_is_left(service)
    service.reveal(sent)


def test_a_truncated_upload_leaves_nothing_behind(revealing: tuple[Service, Sent]) -> None:
    service, sent = revealing
    host, port = service.client.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        opening = f"{SALT_HEADER}: 0x{SALT.hex()}\r\n{BODY_HASH_HEADER}: {named(sent)}\r\n"
        head = f"PUT /v1/rounds/1/bodies/0 HTTP/1.1\r\nHost: x\r\n{opening}"
        connection.sendall(f"{head}Content-Length: {len(sent.body)}\r\n\r\n".encode() + sent.body[:-1])
        connection.shutdown(socket.SHUT_WR)
        # The server closes once it has dropped what came.
        while connection.recv(1 << 16):
            pass
    until(lambda: nothing_is_left(service))  # it hangs up first, and tidies then
    service.reveal(sent)


@pytest.mark.parametrize(
    "tensors",
    [
        {"0.weight": np.full((32, 64), np.nan, dtype=np.float32)},
        {"0.weight": np.full((32, 64), np.inf, dtype=np.float32)},
        {"0.weight": np.zeros((64, 32), dtype=np.float32)},
        {"extra": np.zeros(1, dtype=np.float32)},
        {"0.bias": np.zeros(32, dtype=np.float32)},
    ],
    ids=["nan", "infinity", "wrong shape", "extra tensor", "ok"],
)
def test_what_can_be_decoded_counts_as_sent_whatever_it_holds(served: Service, tensors: dict[str, np.ndarray]) -> None:
    view = served.open_round()
    sent = make_update(served.domain, view, 0, body=encode_parameters(small_update(0) | tensors))
    served.commit(sent, make_update(served.domain, view, 1))
    served.turn(2)
    served.reveal(sent)
    assert served.client.upload(1, 0).revealed
