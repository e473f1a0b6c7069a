"""`python -m aggregator.scorer`: replay one round in this fresh process and print the attestation as one JSON line; or, with
`--expel NODE`, sign the node out if the evidence of that round says so.

The passphrase of the scorer's key comes from the environment, see ledger.wallet.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aggregator.blobs import BlobStore
from aggregator.errors import REFUSED_EXIT_CODE, AggregatorError
from aggregator.scorer.attest import attest
from aggregator.scorer.errors import REFUSALS, NothingToExpel
from aggregator.scorer.suspicion import sign_out
from ledger.client import LedgerClient
from ledger.errors import LedgerError
from ledger.wallet import Wallet, read_passphrase
from protocol.errors import ProtocolError


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 and the attestation on stdout; 3 if the round does not replay, 1 if that is not known, with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m aggregator.scorer", description=__doc__)
    parser.add_argument("--blobs", type=Path, required=True, help="directory of the content-addressed files")
    parser.add_argument("--rpc-url", required=True)
    parser.add_argument("--chain-id", type=int, required=True)
    parser.add_argument("--ledger", required=True, help="address of the RoundLedger")
    parser.add_argument("--keystore", type=Path, required=True, help="the scorer's encrypted key")
    parser.add_argument("--round", type=int, required=True)
    parser.add_argument("--evidence", type=bytes.fromhex, required=True, help="evidence root, 64 hexadecimal digits")
    parser.add_argument("--expel", type=int, metavar="NODE", help="sign this node out for the round, which is Final")
    given = parser.parse_args(arguments)
    try:
        account = Wallet.open(given.keystore).unlock(read_passphrase(f"the scorer key {given.keystore}"))
        ledger = LedgerClient.open(given.rpc_url, given.chain_id, given.ledger)
        if given.expel is None:
            _, signature = attest(ledger, BlobStore(given.blobs), given.round, given.evidence, account)
        else:
            signature = sign_out(ledger, BlobStore(given.blobs), given.round, given.expel, account)
    except REFUSALS as error:
        print(f"round {given.round} does not replay: {error}", file=sys.stderr)
        return REFUSED_EXIT_CODE
    except NothingToExpel as error:
        print(error, file=sys.stderr)
        return REFUSED_EXIT_CODE
    except (AggregatorError, LedgerError, ProtocolError) as error:
        print(f"round {given.round} could not be replayed: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"signer": account.address, "signature": "0x" + signature.hex()}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
