"""What malicious nodes do. `ATTACKS` is the whole library, each attack with the paper that it is from."""

from aggregator.simulation.attacks import behaviour, data, model
from aggregator.simulation.attacks.attack import Attack

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (*model.ATTACKS, *data.ATTACKS, *behaviour.ATTACKS)}
"""By name. Order: forged updates, poisoned data, cheating on the work or over time."""
