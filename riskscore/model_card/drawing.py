"""A picture as a list of shapes, which SVG and PDF draw alike: small, the same bytes every time, and fast to make.

Hatches, dashes and marks tell things apart, so that a copy in greys can be read. Units are points, y runs down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point = tuple[float, float]

INK, SOFT, GREY = "#1f3b57", "#d5dfe9", "#6b6b6b"
FONT = "DejaVu Sans, Verdana, sans-serif"
HATCH = 6.0  # between two lines


class Line(NamedTuple):
    """dash: lengths of stroke and gap, () for none."""

    points: Sequence[Point]
    colour: str = INK
    width: float = 1.2
    dash: tuple[float, ...] = ()


class Box(NamedTuple):
    """x, y: of the upper left corner."""

    x: float
    y: float
    width: float
    height: float
    fill: str = SOFT


class Mark(NamedTuple):
    """kind: a key of MARKS. filled: whether it is black inside, and white otherwise."""

    x: float
    y: float
    kind: str
    filled: bool = True


class Text(NamedTuple):
    """anchor: "start", "middle" or "end". turn: degrees to the left."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    size: float = 10.5
    turn: float = 0.0


MARKS: dict[str, Sequence[Point]] = {  # corners around the middle
    "square": ((-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)),
    "diamond": ((0, -4.5), (4.5, 0), (0, 4.5), (-4.5, 0)),
    "triangle": ((0, -4.5), (4.5, 4), (-4.5, 4)),
    "dot": ((-0.9, -2.2), (0.9, -2.2), (2.2, -0.9), (2.2, 0.9), (0.9, 2.2), (-0.9, 2.2), (-2.2, 0.9), (-2.2, -0.9)),
}


@dataclass
class Drawing:
    """Shapes, the later ones on top."""

    width: float
    height: float
    shapes: list[Line | Box | Mark | Text] = field(default_factory=list)

    def add(self, *shapes: Line | Box | Mark | Text) -> None:
        self.shapes.extend(shapes)

    def hatched(self, x: float, y: float, width: float, height: float) -> None:
        """A box with slanting lines."""
        self.add(Box(x, y, width, height))
        start = x - height - (x - height) % HATCH + HATCH
        while start < x + width:  # each line runs from the lower edge at `start` up to the right
            left, right = max(start, x), min(start + height, x + width)
            if right > left:
                bottom = y + height
                self.add(Line([(left, bottom - (left - start)), (right, bottom - (right - start))], width=0.5))
            start += HATCH
        self.add(Line([(x, y), (x + width, y), (x + width, y + height), (x, y + height), (x, y)], width=0.8))


def corners(mark: Mark) -> list[Point]:
    """Where a mark's corners are."""
    return [(mark.x + x, mark.y + y) for x, y in MARKS[mark.kind]]


def svg(drawing: Drawing) -> bytes:
    """The picture as SVG, whose texts stay texts."""
    size = f"{drawing.width:g} {drawing.height:g}"
    inner = "\n".join(map(_svg, drawing.shapes))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" font-family="{FONT}" fill="none">'
    return f"{head}\n{inner}\n</svg>\n".encode()


def _svg(shape: Line | Box | Mark | Text) -> str:
    if isinstance(shape, Line):
        dash = f' stroke-dasharray="{" ".join(map(_number, shape.dash))}"' if shape.dash else ""
        return (
            f'<polyline points="{_path(shape.points)}" stroke="{shape.colour}" stroke-width="{shape.width:g}"{dash}/>'
        )
    if isinstance(shape, Box):
        x, y, width, height = map(_number, shape[:4])
        return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{shape.fill}"/>'
    if isinstance(shape, Mark):
        return f'<polygon points="{_path(corners(shape))}" fill="{"#000" if shape.filled else "#fff"}" stroke="#000"/>'
    x, y = _number(shape.x), _number(shape.y)
    turn = f' transform="rotate({-shape.turn:g} {x} {y})"' if shape.turn else ""
    place = f'x="{x}" y="{y}" font-size="{shape.size:g}" text-anchor="{shape.anchor}"{turn}'
    return f'<text {place} fill="#111">{escape(shape.text)}</text>'


def _path(points: Sequence[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
