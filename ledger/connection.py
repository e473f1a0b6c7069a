"""The way to a chain: JSON-RPC over HTTP, to nodes whose chain id is known beforehand."""

from web3 import Web3
from web3.exceptions import BadResponseFormat, Web3RPCError
from web3.middleware import AttributeDictMiddleware

from ledger.errors import ChainUnavailable, WrongChain
from ledger.failover import FailoverProvider
from ledger.provider import NO_NODE, ChainProvider


def provider_at(rpc_url: str, chain_id: int) -> ChainProvider | FailoverProvider:
    """What sends requests to the node at a URL, or to the best of those at several with commas between. Asks nothing yet."""
    urls = [url.strip() for url in rpc_url.split(",") if url.strip()]
    return ChainProvider(rpc_url) if len(urls) < 2 else FailoverProvider(urls, chain_id)


def connect(rpc_url: str, chain_id: int) -> Web3:
    """Reach the chain with id `chain_id` at `rpc_url`: one URL, or several with commas between, of which the best is used.

    Raises `ChainUnavailable` if no node answers, `WrongChain` if one of another chain does.
    """
    # Of web3's middleware only the attribute access: gas, fees and nonces are the Sender's, names (ENS) are nobody's.
    web3 = Web3(provider_at(rpc_url, chain_id), middleware=[AttributeDictMiddleware])
    try:
        found = web3.eth.chain_id
    except (Web3RPCError, BadResponseFormat) as error:
        raise ChainUnavailable(rpc_url, NO_NODE) from error
    if found != chain_id:
        raise WrongChain(rpc_url, expected=chain_id, found=found)
    return web3
