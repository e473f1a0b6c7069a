"""Draws bench/out/contributions.svg from the curves beside it. Runs in bench/.venv, where matplotlib is."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt


def main(curves: Path, picture: Path) -> None:
    """One panel per round and metric: relative error against distinct evaluations, both on log scales."""
    panels = json.loads(curves.read_text())
    cases = list(dict.fromkeys(panel["case"] for panel in panels))
    metrics = list(dict.fromkeys(panel["metric"] for panel in panels))
    plt.rcParams.update({"svg.hashsalt": "fairshare", "svg.fonttype": "none", "font.size": 9})
    figure, axes = plt.subplots(len(metrics), len(cases), figsize=(3.6 * len(cases), 3.2 * len(metrics)), squeeze=False)
    names = list(dict.fromkeys(name for panel in panels for name in panel["curves"]))
    colours = {name: "black" if name == "fairshare" else f"C{k % 10}" for k, name in enumerate(names)}
    for panel in panels:
        axis = axes[metrics.index(panel["metric"])][cases.index(panel["case"])]
        for name, curve in panel["curves"].items():
            own = name == "fairshare"
            x, y = zip(*[point for point in curve if point[1] > 1e-6], strict=True)
            axis.loglog(
                x, [100 * one for one in y], "o-", ms=5 if own else 3, lw=2.5 if own else 1, color=colours[name], label=name
            )
        axis.set_title(f"{panel['case']}, {panel['metric']}")
        axis.set_xlabel("distinct coalitions evaluated")
        axis.set_ylabel("relative L2 error, %")
        axis.minorticks_off()
        low, high = axis.get_xlim()
        ticks = [one for one in (30, 100, 300, 1000, 3000) if low <= one <= high]
        axis.set_xticks(ticks, map(str, ticks))
        axis.grid(alpha=0.3)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.06 + 0.12 / len(metrics), 1, 1))
    figure.savefig(picture, metadata={"Date": None})


main(Path(sys.argv[1]), Path(sys.argv[2]))
