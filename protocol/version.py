"""The version of fairshare, and how evidence names the code that made it."""

VERSION = "0.1.0"

CODE_VERSION = f"fairshare {VERSION}".encode().ljust(32, b"\0")
"""32 bytes, ASCII padded with zeros."""
