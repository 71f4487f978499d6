# SPDX-License-Identifier: Apache-2.0
"""Draws a bar chart: chart.py FILE TITLE UNIT, with NAME<tab>VALUE lines on standard input.

It brings its own background and follows the reader's colour scheme, which makes it
legible on a light and on a dark page.
"""

import html
import sys

WIDTH, LABELS, VALUES, BAR, GAP, TOP = 760, 220, 90, 22, 12, 52

STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .value { font-variant-numeric: tabular-nums }
  .page { fill: #ffffff }
  .bar { fill: #8c959f }
  .own { fill: #d9572b }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .page { fill: #161b22 }
    .bar { fill: #6e7681 }
  }
"""


def bar(number, name, value, longest, unit):
    top = TOP + number * (BAR + GAP)
    length = max(1, value / longest * (WIDTH - LABELS - VALUES))
    kind = "own" if name.startswith("nsrun") else "bar"
    middle = top + BAR / 2 + 5
    return f"""
  <text x="{LABELS - 12}" y="{middle}" text-anchor="end">{html.escape(name)}</text>
  <rect class="{kind}" x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" rx="3"/>
  <text class="value" x="{LABELS + length + 8:.1f}" y="{middle}">{value:,.0f} {unit}</text>"""


def draw(title, unit, rows):
    longest = max(value for _, value in rows)
    height = TOP + len(rows) * (BAR + GAP) + GAP
    bars = "".join(
        bar(number, name, value, longest, unit) for number, (name, value) in enumerate(rows)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">
  <title>{html.escape(title)}</title>
  <style>{STYLE}  </style>
  <rect class="page" width="{WIDTH}" height="{height}" rx="6"/>
  <text class="title" x="{LABELS}" y="28">{html.escape(title)}, {unit} (less is better)</text>{bars}
</svg>
"""


def main():
    path, title, unit = sys.argv[1:]
    rows = [line.rstrip("\n").split("\t") for line in sys.stdin]
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(title, unit, [(name, float(value)) for name, value in rows]))


if __name__ == "__main__":
    main()
