"""The errors of the protocol, one family.

ProtocolError
├── FormatError              a value does not have the form the protocol fixes
│   ├── ConfigError          federation.toml cannot be read or breaks a rule
│   ├── BodyError            an update body is not a decodable safetensors file
│   └── EvidenceError        evidence does not have the promised form or hash
├── SignatureError           a signature is malformed or not by the promised key
├── CommitmentError          a body does not hash to the commitment it was signed under
└── ServiceError             the aggregator cannot be used over HTTP
    ├── ServiceUnreachable   nobody answers at the URL
    ├── ServiceRefused       the aggregator answered with a problem (RFC 9457)
    └── ServiceUnreadable    something answered, but not as the API promises
"""

from protocol.catalogue import REFUSALS


class ProtocolError(Exception):
    """Base of every error raised by `protocol`."""


class FormatError(ProtocolError, ValueError):
    """A value does not have the form that the protocol fixes."""


class ConfigError(FormatError):
    """`federation.toml` cannot be read or breaks a rule; the message names the key."""


class BodyError(FormatError):
    """An update body is not a decodable safetensors file. The sender may correct it and send again."""


class EvidenceError(FormatError):
    """Evidence does not have the promised form, or does not hash to the promised root."""


class SignatureError(ProtocolError, ValueError):
    """A signature is malformed, malleable, or not made by the promised key."""


class CommitmentError(ProtocolError, ValueError):
    """A body does not hash to the commitment that its node signed."""


class ServiceError(ProtocolError):
    """The aggregator cannot be used over HTTP."""


class ServiceUnreachable(ServiceError):
    """Nobody answers at the URL. Try again later, or check the URL."""

    def __init__(self, url: str, cause: str) -> None:
        self.url = url
        super().__init__(f"no aggregator answers at {url} ({cause}): check the URL, and that `fairshare aggregator serve` runs")


class ServiceRefused(ServiceError):
    """The aggregator answered with a problem document (RFC 9457).

    Attributes: `status` (HTTP), `code` (the machine-readable last part of the problem's type), `detail` (a sentence).
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code, self.detail = status, code, detail
        told = REFUSALS.get(code)
        super().__init__(f"the aggregator answered {status} {code}: {detail}{f'. {told.next_step}' if told else ''}")


class ServiceUnreadable(ServiceError):
    """Something answers at the URL, but not in the form of the API: another program, or another version."""

    def __init__(self, url: str, cause: str) -> None:
        self.url = url
        super().__init__(f"{url} did not answer as a fairshare aggregator does ({cause}): check the URL, and that versions agree")
