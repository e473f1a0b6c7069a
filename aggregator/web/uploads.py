"""Taking a large body in chunks: onto the disk while it is hashed, and read on after a refusal."""

import re
from collections.abc import AsyncIterator

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from aggregator.blobs import Incoming
from aggregator.refusals import BadSalt, Truncated
from protocol.client import SALT_HEADER

_SALT = re.compile(r"0x[0-9a-fA-F]{64}")


def read_salt(salt: str | None) -> bytes:
    """The commitment's salt from its header. Raises `BadSalt`."""
    if salt is None or not _SALT.fullmatch(salt):
        raise BadSalt(SALT_HEADER)
    return bytes.fromhex(salt[2:])


def announced_length(request: Request) -> int | None:
    """What the sender says that the body's length is."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else None


async def receive(stream: AsyncIterator[bytes], incoming: Incoming, announced: int | None) -> None:
    """Write the body to the disk as it arrives. Raises `Truncated`, `BlobTooLarge`."""
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
