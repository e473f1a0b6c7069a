"""Node directories as `fairshare node init` leaves them, made without a federation."""

from pathlib import Path

from ledger.wallet import Wallet
from node.home import NodeHome
from node.settings import NodeSettings


def finished_home(directory: Path, url: str, passphrase: str) -> NodeHome:
    """A directory with both keys and a node.toml whose chain and aggregator are both said to answer at `url`."""
    home = NodeHome(directory)
    for path in (home.owner_key, home.signing_key):
        Wallet.create(path, passphrase, scrypt_n=2)
    home.write_settings(
        NodeSettings(
            federation_url=url,
            rpc_url=url,
            chain_id=31337,
            ledger="0x5FbDB2315678afecb367f032d93F642f64180aa3",
            payout=Wallet.open(home.owner_key).address,
        )
    )
    return home
