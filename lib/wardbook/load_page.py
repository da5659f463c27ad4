"""The break-even chart as one HTML file with sliders, for readers without Python: it works offline and asks for nothing.

The page computes one formula and carries points at which the model itself was asked (`check_points`): it compares the two
when it opens, and a test does so in a browser.
"""

from __future__ import annotations

import json
from html import escape
from string import Template

import numpy as np
import polars as pl

from wardbook.figures import charts, theme, words
from wardbook.measures.load_model import Assumptions, weekly_load
from wardbook.notebook import Book

NAME = "load-sliders.html"
# name: label, unit, lowest, highest, step, digits shown
SLIDERS = {
    "subscribers": ("Subscribers of the ward", "people", 0, 6000, 10, 0),
    "replies": ("Messages they write", "a week for every 100 subscribers", 0, 10, 0.05, 2),
    "minutes": ("Officer time for a message", "minutes", 1, 60, 0.5, 1),
    "officers": ("Officers of the ward", "officers", 1, 6, 1, 0),
    "hours": ("Time each has to read and answer", "hours a week", 0.1, 20, 0.1, 1),
}
_CHECKED = (
    {"subscribers": 5100, "replies": 1, "minutes": 10, "officers": 2, "hours": 4.25},
    {"subscribers": 1020, "replies": 5, "minutes": 10, "officers": 2, "hours": 4.25},
    {"subscribers": 0, "replies": 1, "minutes": 10, "officers": 3, "hours": 1.8},
    {"subscribers": 450, "replies": 0.45, "minutes": 10.5, "officers": 3, "hours": 1.8},
    {"subscribers": 6000, "replies": 10, "minutes": 60, "officers": 1, "hours": 0.1},
)


def _medians(assumptions: Assumptions) -> dict[str, float]:
    return {
        a.name: a.parameters[0] if a.is_fixed else float(a.quantile(np.array([0.5]))[0]) for a in assumptions.inputs
    }


def utilisation(assumptions: Assumptions, at: dict[str, float]) -> float:
    """The model's own utilisation (`weekly_load`) at a setting of the sliders, as the page's formula must have it."""
    contracted = 100.0
    values = _medians(assumptions) | {
        "messages_per_week": 1.0,
        "reply_share": at["replies"] / 100,
        "unprompted_share": 0.0,
        "chase_share": 0.0,
        "minutes_per_message": at["minutes"],
        "staff_per_ward": at["officers"],
        "contracted_hours": contracted,
        "availability": 1.0,
        "abstraction": 0.0,
        "usable_share": at["hours"] / contracted,
        **dict.fromkeys(("minutes_to_write", "sessions_per_week", "surveys_per_year"), 0.0),
    }
    return float(weekly_load(values, np.array(float(at["subscribers"])), verified=False)["utilisation"])


def check_points(assumptions: Assumptions) -> list[dict[str, float]]:
    """Settings of the sliders with the model's utilisation at each, METHODS' worked scale (5,100 and 1,020) first."""
    return [at | {"utilisation": utilisation(assumptions, at)} for at in _CHECKED]


def starting_values(points: pl.DataFrame, contours: pl.DataFrame, assumptions: Assumptions) -> dict[str, float]:
    """Where the sliders stand when the page opens: the model's medians over its draws, to each slider's step."""
    v, list_ = _medians(assumptions), points.row(0, named=True)
    staff = v["staff_per_ward"]
    found = {
        "subscribers": v["subscribers_mature"],
        "replies": 100 * list_["messages"] / list_["subscribers"],
        "minutes": list_["minutes"],
        "officers": staff,
        "hours": contours.filter(officers=int(staff))["reading_hours"][0] / staff,
    }
    return {
        name: round(min(max(round(x / step) * step, low), high), 2)
        for name, x in found.items()
        for _, _, low, high, step, _ in [SLIDERS[name]]
    }


def render_page(book: Book, assumptions: Assumptions, points: pl.DataFrame, contours: pl.DataFrame) -> str:
    """The page, whole.

    Parameters
    ----------
    points, contours : `workload.break_even_points` and `workload.break_even_contours`.
    """
    start = starting_values(points, contours, assumptions)
    controls = "\n".join(
        f'<p class="slider"><label for="{name}">{escape(label)} <b id="{name}-value"></b> {escape(unit)}</label>'
        f'<input type="range" id="{name}" min="{low}" max="{high}" step="{step}" value="{start[name]:g}"></p>'
        for name, (label, unit, low, high, step, _) in SLIDERS.items()
    )
    lists = [
        {"name": f"{r['place']} ({r['date'][:4]})", "subscribers": r["subscribers"]}
        | {"low": round(r["messages_low"], 4), "high": round(r["messages_high"], 4)}
        for r in points.sort("subscribers").iter_rows(named=True)
    ]
    data = {
        "start": start,
        "digits": {name: row[-1] for name, row in SLIDERS.items()},
        "lists": lists,
        "checks": check_points(assumptions),
        "x": [0.05, 1000],
        "y": [0.5, 240],
    }
    publications = ", ".join(points["publication"].unique(maintain_order=True))
    line = words.challenge(
        "utilisation = subscribers × messages ÷ 100 × minutes ÷ 60 ÷ (officers × hours)",
        "type the five values of the sliders into it",
        "",
        book.edition.provenance,
        book.command,
    )
    foot = f"{line} Source: Wardbook's load assumptions; subscriber counts from {publications}. {charts.LICENCE}."
    return Template(_PAGE).substitute(
        controls=controls,
        # A "</script>" in a name would end the script early.
        data=json.dumps(data, ensure_ascii=False).replace("</", "<\\/"),
        foot=escape(foot, quote=False),
        blue=theme.DARK_BLUE,
        pink=theme.DARK_PINK,
        grey=theme.DARK_GREY,
        faint=theme.FAINT,
        font=theme.FONT,
    )


def save_page(book: Book, assumptions: Assumptions, points: pl.DataFrame, contours: pl.DataFrame) -> None:
    """Write the page into the run's folder; without an `output_dir` nothing is written."""
    if book.output_dir is not None:
        book.output_dir.mkdir(parents=True, exist_ok=True)
        (book.output_dir / NAME).write_text(
            render_page(book, assumptions, points, contours), encoding="utf-8", newline="\n"
        )


_PAGE = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>How many subscribers can a ward's officers serve?</title>
<style>
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 $font; color: $grey; background: white; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .5rem; color: $blue; }
p { margin: 0 0 .75rem; }
main { display: grid; grid-template-columns: 17rem 1fr; gap: 1rem 2rem; align-items: start; }
main > * { min-width: 0; }
.slider label { display: block; }
.slider input { width: 100%; height: 1.75rem; margin: 0; accent-color: $blue; }
.slider input:focus-visible { outline: 3px solid $blue; outline-offset: 2px; }
#said { display: block; min-height: 6em; border-left: 4px solid $blue; padding-left: .75rem; font-weight: bold; }
#said.over { border-color: $pink; }
svg { display: block; width: 100%; }
svg text { font: 12px $font; fill: $grey; }
footer { font-size: .8rem; margin-top: 1rem; overflow-wrap: anywhere; }
@media (max-width: 44rem) { main { grid-template-columns: 1fr; } }
</style>
</head>
<body>
<h1>How many subscribers can a ward's officers serve?</h1>
<p>Modelled, not measured: nobody has published how much mail subscribers write, how long a message takes, or how many hours officers
may read. Move the sliders to what you believe, with the mouse or with the arrow keys. They open near the medians of the model's draws.</p>
<main>
<form id="sliders" aria-label="Assumptions">
$controls
<p><button type="reset">Back to the medians</button></p>
</form>
<div>
<output id="said" aria-live="polite" for="subscribers replies minutes officers hours"></output>
<svg id="chart" role="img" aria-labelledby="chart-title chart-desc">
<title id="chart-title">Break-even of messages and minutes, modelled</title>
<desc id="chart-desc"></desc><g id="drawn"></g></svg>
<p>Modelled. Dashed lines: the hours of that many officers are just filled; above a line they are not enough. Diamond: the list you set.
Hollow dots: published lists, if their subscribers wrote as often as you set; dashes: 90% of the prior.</p>
</div>
</main>
<noscript><p>This page draws with JavaScript, which is off. The same chart stands still in charts/load-break-even.svg.</p></noscript>
<footer>$foot</footer>
<script>
"use strict";
const data = $data;
const names = Object.keys(data.start);
const read = () => Object.fromEntries(names.map(n => [n, Number(document.getElementById(n).value)]));
function utilisation(v) { return v.subscribers * v.replies / 100 * v.minutes / 60 / (v.officers * v.hours); }
const figure = (x, digits) => x.toLocaleString("en-GB", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const people = (n, one, many) => figure(n, 0) + " " + (n === 1 ? one : many);

function sentence(v) {
  const messages = v.subscribers * v.replies / 100, hours = v.officers * v.hours, u = utilisation(v);
  const limit = v.replies > 0 ? 100 * hours * 60 / (v.replies * v.minutes) : null;
  const asked = "Modelled: " + people(v.subscribers, "subscriber writes ", "subscribers write ") + figure(messages, 1)
    + " messages a week, which ask " + figure(messages * v.minutes / 60, 1) + " of the " + figure(hours, 1) + " hours that "
    + people(v.officers, "officer has", "officers have") + ": " + figure(100 * u, u < 0.1 ? 1 : 0) + "% of them.";
  const end = u >= 1 ? " That is all they have or more: the stationary wait grows without end." : "";
  return asked + end + (limit === null ? " Nobody writes, so no list is too long."
    : " The hours are filled at about " + figure(Number(limit.toPrecision(2)), 0) + " subscribers.");
}

function draw() {
  const v = read(), svg = document.getElementById("chart"), width = Math.max(280, svg.parentNode.clientWidth);
  const left = 44, right = width - 12, top = 44, plot = 260, bottom = top + plot, row = 34, parts = [];
  const log = (domain, from, to) => x => {
    const [a, b] = domain.map(Math.log);
    return from + (to - from) * (Math.log(Math.min(Math.max(x, domain[0]), domain[1])) - a) / (b - a);
  };
  const x = log(data.x, left, right), y = log(data.y, bottom, top), last = bottom + 52 + row * data.lists.length;
  const put = (tag, at, text) => {
    const safe = text === undefined ? "" : String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;");
    parts.push("<" + tag + Object.entries(at).map(([k, z]) => " " + k + '="' + z + '"').join("") + ">" + safe + "</" + tag + ">");
  };
  for (const t of [0.1, 1, 10, 100, 1000]) {
    put("line", {x1: x(t), x2: x(t), y1: top, y2: last, stroke: "$faint"});
    put("text", {x: x(t), y: bottom + 16, "text-anchor": t === 1000 ? "end" : "middle"}, figure(t, t < 1 ? 1 : 0));
  }
  for (const t of [1, 3, 10, 30, 100]) {
    put("line", {x1: left, x2: right, y1: y(t), y2: y(t), stroke: "$faint"});
    put("text", {x: left - 6, y: y(t) + 4, "text-anchor": "end"}, t);
  }
  put("text", {x: 0, y: 12}, "officer minutes a message (log scale)");
  put("text", {x: right, y: bottom + 34, "text-anchor": "end"}, "messages a ward and week (log scale)");
  const lines = [1, 2, 3, 4].includes(v.officers) ? [1, 2, 3, 4] : [1, 2, 3, 4, v.officers];
  for (const n of lines) {
    const full = 60 * n * v.hours;
    const from = Math.max(data.x[0], full / data.y[1]), to = Math.min(data.x[1], full / data.y[0]);
    if (from >= to) continue;
    const chosen = n === v.officers;
    put("line", {"class": "contour", "data-officers": n, x1: x(from), y1: y(full / from), x2: x(to), y2: y(full / to), stroke: "$blue",
      "stroke-width": chosen ? 3 : 1.2, "stroke-dasharray": "6 4"});
    const end = n === lines[lines.length - 1];
    const aside = !end ? 0 : width < 500 ? 5 : -4, bold = chosen ? "; font-weight: bold" : "";
    put("text", {x: x(from) + aside, y: y(full / from) - 5, "text-anchor": end ? "start" : "middle", style: "fill: $blue" + bold},
      end ? n + " officers" : n);
  }
  const mx = x(v.subscribers * v.replies / 100), my = y(v.minutes);
  put("path", {id: "mark", d: "M" + mx + " " + (my - 9) + "l9 9l-9 9l-9 -9z", fill: "white", stroke: "$pink", "stroke-width": 2.5});
  data.lists.forEach((l, i) => {
    const at = bottom + 62 + row * i, cx = x(l.subscribers * v.replies / 100);
    put("text", {x: left, y: at}, l.name + ": " + figure(l.subscribers, 0) + " a ward");
    put("line", {x1: x(l.low), x2: x(l.high), y1: at + 11, y2: at + 11, stroke: "$blue", "stroke-dasharray": "4 3"});
    put("circle", {"class": "list", cx: cx, cy: at + 11, r: 5, fill: "white", stroke: "$blue", "stroke-width": 1.5});
  });
  svg.setAttribute("viewBox", "0 0 " + width + " " + (last + 6));
  document.getElementById("drawn").innerHTML = parts.join("");
  for (const n of names) {
    const shown = figure(v[n], data.digits[n]);
    document.getElementById(n + "-value").textContent = shown;
    document.getElementById(n).setAttribute("aria-valuetext", shown);
  }
  const said = document.getElementById("said");
  said.textContent = sentence(v);
  said.className = utilisation(v) >= 1 ? "over" : "";
  said.dataset.utilisation = utilisation(v);
  document.getElementById("chart-desc").textContent =
    "Line chart of break-even between messages and minutes, modelled, where " + sentence(v).replace("Modelled: ", "");
}

const wrong = data.checks.filter(c => Math.abs(utilisation(c) - c.utilisation) > 1e-9 * Math.max(1, c.utilisation));
if (wrong.length) {
  document.querySelector("main").textContent = "This page does not compute what the model computes, so it shows nothing.";
} else {
  document.getElementById("sliders").addEventListener("input", draw);
  document.getElementById("sliders").addEventListener("reset", () => setTimeout(draw));
  addEventListener("resize", draw);
  draw();
}
</script>
</body>
</html>
"""
