"""Of an honest round nothing is provable: random games are paid by the rule, and the Court's rules are asked about every leaf.

The rules are those that `fairshare scorer prove` goes by. Each of them is also turned against a lie of one unit, so that it would
not pass by never saying anything.
"""

from math import isqrt

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.evaluation.contributions.pay import share_out
from aggregator.scorer.faults import _follows, _is_due
from protocol.evidence import Evidence, Header, Kind, Leaf
from protocol.shares import gain_tolerance

ERRORS = st.integers(0, 1 << 70)
NODES = st.dictionaries(
    st.integers(0, 8190), st.tuples(st.integers(-(1 << 100), 1 << 100), ERRORS, ERRORS), min_size=1, max_size=12
)


@settings(max_examples=400, deadline=None)
@given(NODES, st.integers(-(1 << 40), 1 << 40), st.integers(1, 5), st.integers(0, 1 << 20), st.integers(0, 3000))
def test_nothing_is_provable_of_an_honest_round(
    nodes: dict[int, tuple[int, int, int]], gain: int, shards: int, utility: int, z: int
) -> None:
    tolerance = gain_tolerance(shards, utility)
    values = {node: value for node, (value, _, _) in nodes.items()}
    errors = {node: isqrt(sampling**2 + estimation**2) for node, (_, sampling, estimation) in nodes.items()}
    pay = share_out(values, errors, gain, tolerance, z)
    leaves = [
        Leaf(Kind.CONTRIBUTION, node, (node, values[node], errors[node], sampling, estimation, pay.bases[node]))
        for node, (_, sampling, estimation) in nodes.items()
    ]
    header = Header(
        federation=bytes(32),
        round=1,
        inputs=bytes(32),
        seed=bytes(32),
        roots=(bytes(32),) * len(Kind),
        total_basis=pay.total_basis,
        utility_empty=7,
        utility_all=7 + gain,
        z_thousandths=z,
        denominator=6,
        tolerances=(0, utility, 0, 0, tolerance),
        code_version=bytes(32),
    )
    evidence = Evidence(header, tuple(leaves))
    for leaf in leaves:
        assert _follows(evidence, leaf)
        assert _is_due(pay.scores[leaf.position], leaf.get("basis"), header.total_basis)
        padded = leaf._replace(values=(*leaf.values[:-1], leaf.values[-1] + 1))
        assert not _follows(evidence, padded)
        assert not _is_due(pay.scores[leaf.position] + 2, leaf.get("basis"), header.total_basis)
    assert _is_due(0, 0, header.total_basis)  # a node without a leaf
    assert not _is_due(1, 0, header.total_basis)
