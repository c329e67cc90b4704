"""The charts of a report as SVG, drawn by Vega-Lite, each with the same in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from turboupload.core.rate.meter import Limiter
from turboupload.core.report.document import Report
from turboupload.core.report.timeline import Span
from turboupload.core.report.tries import Ending, in_lanes
from turboupload.units import format_duration, format_rate, format_size

__all__ = ["COLOURS", "LIMITS", "Chart", "charts"]

WIDTHS: Final = {"wide": 860, "narrow": 280}
"""Of the plot, in pixels: the page shows the one that fits, so that text keeps its size."""

COLOURS: Final = {
    "#1f6fb2": "#6cb3f0",
    "#93a4b4": "#66788a",
    "#b3261e": "#ff8a80",
    "#8a5a00": "#e0a83c",
    "#2e7d32": "#7cc47f",
    "#7b3fa0": "#c79be6",
    "#24292f": "#e6e8eb",
    "#d0d4d9": "#3b4148",
}
"""Each colour on white, and what the page makes of it where the reader wants it dark."""

_BLUE, _GREY, _RED, _OCHRE, _GREEN, _VIOLET, _TEXT, _GRID = COLOURS

LIMITS: Final[dict[Limiter, tuple[str, str]]] = {
    "network": ("the network, or the service", _BLUE),
    "disk": ("the disk", _OCHRE),
    "processor": ("the processors", _GREEN),
    "quota": ("the service's quota", _VIOLET),
    "cap": ("--max-bandwidth", _GREY),
}

ENDINGS: Final[dict[Ending, str]] = {
    "arrived": "arrived",
    "failed": "failed",
    "broken off": "broken off by this program",
}
_ENDING_COLOURS: Final[dict[Ending, str]] = {
    "arrived": _BLUE, "failed": _RED, "broken off": _GREY,
}  # fmt: skip

_Layer = dict[str, Any]

_MARGIN: Final = {"minExtent": 48, "maxExtent": 48}
"""Of every chart's y axis, in pixels: what happened at one time stands at one place in all."""

_NO_AXIS: Final = {
    **_MARGIN, "title": " ", "labels": False, "ticks": False, "domain": False, "grid": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Time:
    """The axis of time: its unit, how long that is and how long the run was, in seconds."""

    unit: str
    seconds: float
    end_s: float


_CONFIG: Final = {
    "view": {"stroke": None},
    "font": "sans-serif",
    "axis": {
        "labelColor": _TEXT, "titleColor": _TEXT, "gridColor": _GRID, "domainColor": _GRID,
        "tickColor": _GRID, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal",
    },
    "legend": {
        "orient": "bottom", "title": None, "labelColor": _TEXT, "labelFontSize": 12,
        "labelLimit": 300, "columns": 1, "direction": "horizontal",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    Attributes:
        title: Its heading.
        summary: What it shows, in words.
        drawings: The SVG for each of `WIDTHS`; empty where it isn't drawn.
    """

    title: str
    summary: str
    drawings: dict[str, str]


def charts(report: Report, *, drawn: bool = True) -> list[Chart]:
    """The charts of a run; none where no time is known.

    Args:
        report: The run.
        drawn: Whether they are drawn, and not only said in words.
    """
    if not report.spans:
        return []
    end_s = report.spans[-1].start_s + report.spans[-1].seconds
    unit, seconds = _time_unit(end_s)
    found = [
        ("Throughput", _rate_words(report), _rate_layers(report)),
        ("Parts under way, and retries", _parts_words(report), _parts_layers(report)),
    ]
    if report.tries:
        found.append(("Each try to send a part", _tries_words(report), _tries_layers(report)))
    if report.limits:
        found.append(("What limited the rate", _limit_words(report), _limit_layers(report)))
    return [
        Chart(title, summary, _drawn(layers, _Time(unit, seconds, end_s)) if drawn else {})
        for title, summary, layers in found
    ]


def _time_unit(end_s: float) -> tuple[str, float]:
    if end_s < 180:
        return "seconds", 1.0
    return ("minutes", 60.0) if end_s < 3 * 3600 else ("hours", 3600.0)


def _rate_words(report: Report) -> str:
    most = max(report.spans, key=lambda each: each.bytes_per_s)
    sent_s = sum(each.seconds for each in report.spans if each.bytes_sent)
    if not sent_s:
        return "Nothing was sent."
    return (
        f"{format_size(report.bytes_sent)} left in {format_duration(sent_s)}, resends included: "
        f"{format_rate(report.bytes_sent / sent_s)} on average, and "
        f"{format_rate(most.bytes_per_s)} at most, {format_duration(most.start_s)} after the start."
    )


def _parts_words(report: Report) -> str:
    most = max(each.in_flight for each in report.spans)
    retries = report.retries
    parts = "1 part was" if most == 1 else f"{most:,} parts were"
    if not retries:
        return f"At most {parts} under way at a time. No call had to be made again."
    worst = max(report.spans, key=lambda each: each.retries)
    again = "1 call was" if retries == 1 else f"{retries:,} calls were"
    return (
        f"At most {parts} under way at a time. {again} made again, most of them "
        f"{format_duration(worst.start_s)} after the start."
    )


def _tries_words(report: Report) -> str:
    count = Counter(each.ending for each in report.tries)
    took = [each.seconds for each in report.tries if each.ending == "arrived"]
    ends = ", ".join(f"{count[each]:,} {words}" for each, words in ENDINGS.items() if count[each])
    if not took:
        return f"{len(report.tries):,} in all: {ends}."
    return (
        f"{len(report.tries):,} in all: {ends}. One that arrived took "
        f"{format_duration(median(took))} at the median, and {format_duration(max(took))} at most."
    )


def _limit_words(report: Report) -> str:
    known = sum(report.limits.values())
    shares = (f"{LIMITS[each][0]} {seconds / known:.0%}" for each, seconds in report.limits.items())
    return f"Of the time in which it is known: {', '.join(shares)}."


def _rate_layers(report: Report) -> list[_Layer]:
    most = max(each.bytes_per_s for each in report.spans)
    unit, size = next(
        (
            pair
            for pair in (("GiB/s", 2**30), ("MiB/s", 2**20), ("KiB/s", 2**10))
            if most >= pair[1]
        ),
        ("B/s", 1),
    )
    y = {"field": "y", "type": "quantitative", "title": unit, "axis": {"tickCount": 4, **_MARGIN}}
    values = [_over(each, y=each.bytes_per_s / size, y2=0) for each in report.spans]
    return [_layer({"type": "rect", "color": _BLUE}, values, y=y, y2={"field": "y2"})]


def _parts_layers(report: Report) -> list[_Layer]:
    most = max(each.in_flight for each in report.spans)
    axis = {"values": list(range(0, most + 1, max(1, most // 4))), "format": "d", **_MARGIN}
    y = {"field": "y", "type": "quantitative", "title": "count", "axis": axis}
    kind = {
        "field": "kind",
        "type": "nominal",
        "scale": {"domain": ["parts under way", "calls made again"], "range": [_GREY, _RED]},
    }
    parts = [_over(each, y=each.in_flight, y2=0, kind="parts under way") for each in report.spans]
    retries = [
        _over(each, y=each.retries, kind="calls made again")
        for each in report.spans
        if each.retries
    ]
    point = {"type": "point", "filled": True, "opacity": 1, "size": 45, "shape": "diamond"}
    return [
        _layer({"type": "rect", "opacity": 1}, parts, y=y, y2={"field": "y2"}, color=kind),
        _layer(point, retries, y=y, color=kind),
    ]


def _tries_layers(report: Report) -> list[_Layer]:
    kinds = [each for each in ENDINGS if any(one.ending == each for one in report.tries)]
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {
            "domain": [ENDINGS[each] for each in kinds],
            "range": [_ENDING_COLOURS[each] for each in kinds],
        },
    }
    values = [
        {
            "start": each.start_s, "end": each.start_s + each.seconds, "y": lane, "y2": lane + 0.8,
            "kind": ENDINGS[each.ending],
        }
        for lane, each in in_lanes(report.tries)
    ]  # fmt: skip
    y = {"field": "y", "type": "quantitative", "axis": _NO_AXIS, "scale": {"nice": False}}
    return [_layer({"type": "rect"}, values, y=y, y2={"field": "y2"}, color=colour)]


def _limit_layers(report: Report) -> list[_Layer]:
    seen = [each for each in LIMITS if each in report.limits]
    colour = {
        "field": "kind",
        "type": "nominal",
        "scale": {
            "domain": [LIMITS[each][0] for each in seen],
            "range": [LIMITS[each][1] for each in seen],
        },
    }
    values = [
        _over(each, kind=LIMITS[each.limited_by][0]) for each in report.spans if each.limited_by
    ]
    y = {"datum": "", "type": "nominal", "axis": _NO_AXIS}
    return [_layer({"type": "bar", "height": 26}, values, y=y, color=colour)]


def _over(span: Span, **value: Any) -> dict[str, Any]:
    return {"start": span.start_s, "end": span.start_s + span.seconds, **value}


def _layer(mark: dict[str, Any], values: list[dict[str, Any]], **encoding: Any) -> _Layer:
    return {"mark": {**mark, "aria": False}, "data": {"values": values}, "encoding": encoding}


def _drawn(layers: list[_Layer], time: _Time) -> dict[str, str]:
    """Draws layers over time."""
    import vl_convert

    x = {
        "field": "start",
        "type": "quantitative",
        "title": f"{time.unit} after the start",
        "axis": {"grid": False, "tickCount": 6},
        "scale": {"nice": False, "domain": [0, time.end_s / time.seconds]},
    }
    for layer in layers:
        for value in layer["data"]["values"]:
            value |= {each: value[each] / time.seconds for each in ("start", "end")}
        point = layer["mark"]["type"] == "point"
        layer["encoding"] |= {"x": x, **({} if point else {"x2": {"field": "end"}})}
    return {
        name: str(
            vl_convert.vegalite_to_svg(
                {
                    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
                    "width": width,
                    "height": _height(layers),
                    "background": None,
                    "layer": layers,
                    "config": _CONFIG,
                },
                # What it draws is in the specification, so that it has nothing to fetch.
                allowed_base_urls=[],
            )
        )
        for name, width in WIDTHS.items()
    }


def _height(layers: list[_Layer]) -> int:
    """Of the plot, in pixels: a strip where y has no scale, and a lane for each try in a row."""
    y = layers[0]["encoding"]["y"]
    if "datum" in y:
        return 34
    if y["axis"] is not _NO_AXIS:
        return 170
    lanes = 1 + max(value["y"] for value in layers[0]["data"]["values"])
    return int(min(320, max(34, 12 * lanes)))
