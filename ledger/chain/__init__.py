"""The local chain: py-evm on SQLite behind JSON-RPC on 127.0.0.1, for demos, tests and single machines."""
