"""Pictures of what was measured, from the JSON that was kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["draw_all"]

OURS = "#1f6f8b"
THEIRS = "#b8b8b8"
FLOOR = "#e0a458"

Values = dict[str, Sequence[float]]


def draw_all(folder: Path) -> str:
    """Draws what the folder's results allow, and says in a few words how many."""
    try:
        import matplotlib as mpl
    except ImportError:
        return "no plots: matplotlib is missing"
    mpl.use("Agg")
    drawn = 0
    for name, draw in (
        ("raw", _raw),
        ("links", _links),
        ("growth", _growth),
        ("targets", _targets),
    ):
        drawn += draw(folder, folder / f"{name}.png")
    return f"{drawn} plots in *.png"


def _load(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _colour(name: str) -> str:
    if name.startswith("turboupload"):
        return OURS
    return FLOOR if name.startswith("curl") else THEIRS


def _bars(axes: Any, values: Values, title: str, *, log: bool = False) -> None:
    """One bar a client at its median, with its range, the number beside it."""
    names = list(values)
    middles = [median(each) for each in values.values()]
    low = [middle - min(each) for middle, each in zip(middles, values.values(), strict=True)]
    high = [max(each) - middle for middle, each in zip(middles, values.values(), strict=True)]
    colours = [_colour(name) for name in names]
    axes.barh(names, middles, xerr=[low, high], color=colours, error_kw={"lw": 1, "ecolor": "#444"})
    if log:
        axes.set_xscale("log")
    for index, (middle, above) in enumerate(zip(middles, high, strict=True)):
        text = f" {middle:,.0f}" if middle >= 10 else f" {middle:.2f}"
        axes.text(middle + above, index, text, va="center", fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.margins(x=0.18)


def _raw(folder: Path, path: Path) -> bool:
    from matplotlib import pyplot

    content = _load(folder, "raw")
    if content is None:
        return False
    clients = content["measurements"]["clients"]
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.6), sharey=True)
    cpu: Values = {name: each["cpu_s_per_gib"] for name, each in clients.items()}
    rate: Values = {name: each["mb_per_s"] for name, each in clients.items()}
    memory: Values = {
        name: [run["peak_rss_bytes"] / 2**20 for run in each["runs"]]
        for name, each in clients.items()
    }
    _bars(axes[0], cpu, "processor time, s/GiB (less is better)")
    _bars(axes[1], rate, "rate, MB/s (more is better)")
    _bars(axes[2], memory, "peak memory, MiB (log; less is better)", log=True)
    size = content["measurements"]["file_bytes"] / 2**30
    title = f"{size:g} GiB over TLS 1.3 to one nginx worker, on {_where(content)}"
    return _save(figure, path, title)


def _where(content: dict[str, Any]) -> str:
    return f"{content['machine']['processors']} shared cores"


def _links(folder: Path, path: Path) -> bool:
    from matplotlib import pyplot

    found = [content for name in ("narrow", "far") if (content := _load(folder, name))]
    if not found:
        return False
    figure, axes = pyplot.subplots(1, len(found), figsize=(5.5 * len(found), 1.9), squeeze=False)
    for each, content in zip(axes[0], found, strict=True):
        measured = content["measurements"]
        _bars(each, measured["mb_per_s"], measured["link"])
    return _save(figure, path, "rate over links that are not loopback, MB/s (more is better)")


def _growth(folder: Path, path: Path) -> bool:
    from matplotlib import pyplot

    content = _load(folder, "growth")
    if content is None:
        return False
    rows = content["measurements"]["sizes"]
    sizes = [row["bytes"] / 1e9 for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3))
    left.plot(sizes, [row["job_s"] for row in rows], "o-", color=OURS)
    left.set(xscale="log", yscale="log", xlabel="GB", title="time, s")
    right.plot(sizes, [row["peak_rss_bytes"] / 2**20 for row in rows], "o-", color=OURS)
    right.set(xscale="log", xlabel="GB", title="peak memory, MiB")
    right.set_ylim(0, 1.3 * max(row["peak_rss_bytes"] for row in rows) / 2**20)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    return _save(figure, path, "default settings, one file")


def _targets(folder: Path, path: Path) -> bool:
    """Every figure as a share of what it may be: left of the line is met."""
    from matplotlib import pyplot

    shares: dict[str, float] = {}
    for file in sorted(folder.glob("*.json")):
        for figure in json.loads(file.read_text())["figures"]:
            target, measured = figure["target"], figure["measured"]
            if target and measured:
                ratio = target / measured if figure["at_least"] else measured / target
                shares[figure["name"]] = ratio
    if not shares:
        return False
    figure, axes = pyplot.subplots(figsize=(9, 0.32 * len(shares) + 1.2))
    names = list(shares)
    colours = [OURS if share <= 1 else "#c8553d" for share in shares.values()]
    axes.barh(names, list(shares.values()), color=colours)
    axes.axvline(1, color="#444", lw=1)
    for index, share in enumerate(shares.values()):
        axes.text(share, index, f" {share:.2f}", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _save(figure, path, "share of the target used: up to 1 is met")


def _save(figure: Any, path: Path, title: str) -> bool:
    from matplotlib import pyplot

    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.tight_layout()
    # Without the time and the library's version, so that the same figures give the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
    return True
