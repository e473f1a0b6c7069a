"""How well the gate names attackers, against every rule of ByzFL and four published detectors."""
