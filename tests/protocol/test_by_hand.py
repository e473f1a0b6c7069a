"""The ruler is straight: `tests.protocol.by_hand` gives the published values of EIP-712's own example, the mail to Bob.

Source: https://eips.ethereum.org/assets/eip-712/Example.js
"""

from eth_utils.crypto import keccak

from tests.protocol import by_hand

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
PERSON_TYPE = "Person(string name,address wallet)"
MAIL_TYPE = "Mail(Person from,Person to,string contents)Person(string name,address wallet)"

COW_KEY = int.from_bytes(keccak(text="cow"), "big")
COW, BOB = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"


def test_the_mail_of_eip_712():
    separator = by_hand.struct_hash(DOMAIN_TYPE, ["Ether Mail", "1", 1, "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"])
    people = [by_hand.struct_hash(PERSON_TYPE, person) for person in (["Cow", COW], ["Bob", BOB])]
    mail = by_hand.struct_hash(MAIL_TYPE, [*people, "Hello, Bob!"])
    digest = by_hand.signing_digest(separator, mail)
    signature = by_hand.sign(COW_KEY, digest)
    assert by_hand.address(COW_KEY) == COW
    assert separator.hex() == "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
    assert mail.hex() == "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    assert digest.hex() == "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    assert signature[:32].hex() == "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
    assert signature[32:64].hex() == "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
    assert signature[64] == 28
