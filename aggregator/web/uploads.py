"""Taking a large body in chunks: onto the disk while it is hashed, and read on after a refusal."""

import re
from collections.abc import AsyncIterator

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from aggregator.blobs import Incoming
from aggregator.refusals import BadSalt, Truncated
from protocol.client import SALT_HEADER
from protocol.requests import BODY_HASH_HEADER

_DIGITS = re.compile(r"0x[0-9a-fA-F]{64}")


def read_opening(salt: str | None, hashed: str | None) -> tuple[bytes, bytes]:
    """The commitment's salt and the body's SHA-256 from their headers. Raises `BadSalt`."""
    for header, value in ((SALT_HEADER, salt), (BODY_HASH_HEADER, hashed)):
        if value is None or not _DIGITS.fullmatch(value):
            raise BadSalt(header)
    return bytes.fromhex(str(salt)[2:]), bytes.fromhex(str(hashed)[2:])


def announced_length(request: Request) -> int | None:
    """What the sender says that the body's length is."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else None


async def receive(stream: AsyncIterator[bytes], incoming: Incoming, announced: int | None) -> None:
    """Write the body to the disk as it arrives. Only of who has shown that it may send it, as nothing bounds how many arrive at
    once. Raises `Truncated`, `BlobTooLarge`.
    """
    try:
        async for chunk in stream:
            await run_sync(incoming.write, chunk)
    except ClientDisconnect:
        raise Truncated(incoming.size, announced or 0) from None


async def drain(stream: AsyncIterator[bytes], limit: int) -> None:
    """Read on after a refusal, within bounds: a connection that is closed on a sender loses the reason on its way."""
    dropped = 0
    try:
        async for chunk in stream:
            dropped += len(chunk)
            if dropped > limit:
                return
    except ClientDisconnect:
        return
