"""What surrounds the labelled organs: lungs, heart, bones, muscles, bowel, vessels, the table.

They are there so that a model must find the spleen among things of like HU and place, not because
their anatomy is complete. The spine alone carries a label.
"""

from collections.abc import Iterator

import numpy as np

from bedside.phantom.body import Body
from bedside.phantom.shapes import Array, Point, Site, common, draw_warp, ellipsoid, rotated, tube, union
from bedside.phantom.structure import LABELS, Structure, box, even

#: Height of a vertebra with its disc.
VERTEBRA_MM = 33.0
_TOP, _BOTTOM = 460.0, -460.0


def table(body: Body) -> Structure:
    """A curved couch below the back: a shell around foam."""
    rng = body.stream("table")
    top = body.half_depth + rng.uniform(2, 6)
    curve = rng.uniform(0.0008, 0.0016)

    def surface(site: Site) -> Array:
        height = site.y - np.float32(top) + np.float32(curve) * np.square(site.x)
        slab = np.abs(height - 14) - np.float32(14)
        couch: Array = np.maximum(slab, np.abs(site.x) - np.float32(215)) + np.zeros_like(site.z)
        return couch

    def hu(_site: Site, distance: Array) -> Array:
        shell = np.clip((distance + 3) / 1.5, 0, 1)
        value: Array = np.float32(-880) + shell * np.float32(760)
        return value

    reach = curve * 215**2
    low, high = (-216.0, top - reach - 2, -1e4), (216.0, top + 30, 1e4)
    return Structure(name="table", low=low, high=high, surface=surface, hu=hu)


def lungs(body: Body) -> Structure:
    """Air above two domes; the left one is lower."""
    rng = body.stream("lungs")
    base = rng.uniform(18, 34)
    right, left = rng.uniform(56, 72), rng.uniform(38, 54)
    spread = body.cavity_width * 0.42

    def surface(site: Site) -> Array:
        x, y = site.x, site.y
        across = np.square(y / np.float32(body.cavity_depth * 0.8))
        dome = np.float32(right) * np.exp(-np.square((x + spread) / spread) - across)
        dome = dome + np.float32(left) * np.exp(-np.square((x - spread) / spread) - across)
        below = dome + np.float32(base) - site.z
        centre = np.float32(26) + 14 * (y > 20) - np.abs(x) - np.float32(0.05) * y  # mediastinum
        shape = np.maximum(np.maximum(below * np.float32(0.75), centre), body.inside_cavity(site, 3.0))
        air: Array = np.maximum(shape, site.z - np.float32(310))
        return air

    edge = (body.half_width, body.half_depth)
    low, high = (-edge[0], -edge[1], base - 3), (edge[0], edge[1], 312.0)
    return Structure(name="lungs", low=low, high=high, surface=surface, hu=even(body.tissue.lung))


def heart(body: Body) -> Structure:
    """Blood between the lungs, more to the left."""
    rng = body.stream("heart")
    centre = (rng.uniform(14, 30), -0.25 * body.cavity_depth, rng.uniform(128, 142))
    radii = (rng.uniform(50, 60), rng.uniform(40, 48), rng.uniform(44, 52))
    warp = draw_warp(rng, 3, 90)

    def surface(site: Site) -> Array:
        moved = warp.apply(site.x, site.y, site.z)
        return ellipsoid(*rotated(*moved, about=centre, angles_deg=(0, 25, 10)), radii)

    low, high = box(centre, max(radii) + 10)
    return Structure(name="heart", low=low, high=high, surface=surface, hu=even(body.tissue.veins))


def spine(body: Body) -> Structure:
    """Vertebrae with a bright shell, a canal, and a spinous process that leans to one side."""
    rng = body.stream("spine")
    y0 = 0.42 * body.half_depth
    lean = rng.choice([-1, 1]) * rng.uniform(4, 8)
    phase = rng.uniform(0, VERTEBRA_MM)
    radii = (rng.uniform(20, 24), rng.uniform(15, 18))
    sway = draw_warp(rng, 2.5, 400)
    tip = 0.80 * body.half_depth

    def surface(site: Site) -> Array:
        x = site.x - sway.apply(site.z, site.z, site.z)[0] + site.z
        y = site.y - np.float32(y0)
        at = np.abs(np.mod(site.z + np.float32(phase), np.float32(VERTEBRA_MM)) - np.float32(VERTEBRA_MM / 2))
        flat = np.zeros_like(x)
        trunk = ellipsoid(x, y, flat, (*radii, 1.0))
        corpus = common(trunk, at - np.float32(VERTEBRA_MM / 2 - 4), 3)
        ring = np.abs(np.sqrt(np.square(x) + np.square(y - 26)) - np.float32(12)) - np.float32(3)
        arch = np.maximum(ring, at - np.float32(11))
        reach = np.float32(tip - y0 - 38)
        along = np.clip((y - 38) / reach, 0, 1)
        blade = np.abs(x - np.float32(lean) * along) - np.float32(3.5)
        process = np.maximum(np.maximum(blade, np.abs(y - 38 - reach / 2) - reach / 2), at - np.float32(9))
        wings = tube(x, y, at, [(-36, 22, 0), (0, 16, 0), (36 + lean / 2, 22, 0)], 4.5)
        return union(union(corpus, arch, 3), np.minimum(process, wings), 3)

    def hu(_site: Site, distance: Array) -> Array:
        shell = np.clip((distance + 3) / 2, 0, 1)
        value: Array = np.float32(body.tissue.bone) + shell * np.float32(240)
        return value

    low, high = (-50.0, y0 - 22, _BOTTOM), (50.0, tip + 4, _TOP)
    return Structure(name="spine", low=low, high=high, surface=surface, hu=hu, label=LABELS["spine"])


def discs(body: Body) -> Structure:
    """The column that shows between vertebrae, as one cylinder below them."""
    y0 = 0.42 * body.half_depth

    def surface(site: Site) -> Array:
        return ellipsoid(site.x, site.y - np.float32(y0), np.zeros_like(site.z), (20, 15, 1.0))

    low, high = (-25.0, y0 - 20, _BOTTOM), (25.0, y0 + 20, _TOP)
    return Structure(name="discs", low=low, high=high, surface=surface, hu=even(85.0))


def ribs(body: Body) -> Structure:
    """Hoops in the wall that fall from back to front."""
    rng = body.stream("ribs")
    pitch = rng.uniform(27, 32)
    phase = rng.uniform(0, pitch)
    slope = rng.uniform(0.35, 0.55)

    def surface(site: Site) -> Array:
        height = site.z + np.float32(slope) * -site.y + np.float32(0.05) * site.x + np.float32(phase)
        height = np.mod(height, np.float32(pitch)) - np.float32(pitch / 2)
        inward = site.depth - body.fat(site.x, site.y) - np.float32(body.wall_mm - 4)
        hoop = ellipsoid(np.zeros_like(site.x), inward, height, (1.0, 3.6, 5.8))
        arch = np.float32(-52) - np.float32(0.9) * site.y - site.z  # the costal margin rises to the front
        bone: Array = np.maximum(np.maximum(hoop, arch), np.float32(9) - np.abs(site.x))
        return bone

    def hu(_site: Site, distance: Array) -> Array:
        value: Array = np.float32(body.tissue.bone) + np.clip((distance + 2) / 1.5, 0, 1) * np.float32(260)
        return value

    low = (-body.half_width, -body.half_depth, -150.0)
    high = (body.half_width, body.half_depth, 300.0)
    return Structure(name="ribs", low=low, high=high, surface=surface, hu=hu)


def muscles(body: Body) -> Iterator[Structure]:
    """Psoas and back muscles, each side a little different."""
    rng = body.stream("muscles")
    for sign in (-1, 1):
        back = (sign * rng.uniform(30, 36), rng.uniform(0.7, 0.74) * body.half_depth, 0.0)
        yield _column("erector", back, (rng.uniform(24, 30), 15.0), _BOTTOM, _TOP, body.tissue.muscle)
        psoas = (sign * rng.uniform(34, 40), rng.uniform(0.4, 0.46) * body.half_depth, 0.0)
        yield _column(
            "psoas", psoas, (rng.uniform(13, 18), rng.uniform(16, 21)), -330.0, -25.0, body.tissue.muscle
        )


def _column(
    name: str, centre: Point, radii: tuple[float, float], bottom: float, top: float, hu: float
) -> Structure:
    def surface(site: Site) -> Array:
        x, y = site.x - np.float32(centre[0]), site.y - np.float32(centre[1])
        shape = ellipsoid(x, y, np.zeros_like(site.z), (*radii, 1.0))
        ends = np.abs(site.z - np.float32((top + bottom) / 2)) - np.float32((top - bottom) / 2)
        return common(shape, ends, 20)

    low, high = box(centre, (radii[0] + 4, radii[1] + 4, 1.0))
    return Structure(
        name=name,
        low=(low[0], low[1], bottom - 2),
        high=(high[0], high[1], top + 2),
        surface=surface,
        hu=even(hu),
    )


def pelvis(body: Body) -> Iterator[Structure]:
    """Two iliac wings."""
    rng = body.stream("pelvis")
    for sign in (-1, 1):
        centre = (sign * 0.62 * body.half_width, 0.25 * body.half_depth, -235 + rng.uniform(-8, 8))
        yield _blob("ilium", centre, (8.0, 42.0, 58.0), (0, sign * 14.0, -sign * 38.0), 420.0)


def vessels(body: Body) -> Iterator[Structure]:
    """Inferior vena cava, portal and splenic vein."""
    rng = body.stream("vessels")
    front = 0.42 * body.half_depth - 30
    cava = [(-20.0 + rng.uniform(-4, 4), front + rng.uniform(-4, 4), float(z)) for z in (-160, -60, 40, 110)]
    yield _pipe("cava", cava, 11.0, body.tissue.veins)
    splenic = [(-26.0, front - 14, 8.0), (10.0, front - 26, 6.0), (0.5 * body.cavity_width, front + 4, 22.0)]
    yield _pipe("splenic vein", splenic, 4.5, body.tissue.veins)


def _pipe(name: str, path: list[Point], radius: float, hu: float) -> Structure:
    def surface(site: Site) -> Array:
        return tube(site.x, site.y, site.z, path, radius)

    x, y, z = zip(*path, strict=True)
    margin = radius + 4
    low = (min(x) - margin, min(y) - margin, min(z) - margin)
    high = (max(x) + margin, max(y) + margin, max(z) + margin)
    return Structure(name=name, low=low, high=high, surface=surface, hu=even(hu))


def pancreas(body: Body) -> Structure:
    """A tongue before the spine that rises to the left."""
    rng = body.stream("pancreas")
    centre = (rng.uniform(8, 22), -0.08 * body.half_depth, rng.uniform(-12, 4))
    hu = 0.8 * body.tissue.liver + rng.uniform(-8, 8)
    return _blob("pancreas", centre, (52.0, 12.0, 14.0), (0, 18.0, rng.uniform(5, 20)), hu)


def bowel(body: Body) -> Iterator[Structure]:
    """Loops with fluid, stool or gas; the descending colon runs up to the spleen."""
    rng = body.stream("bowel")
    width, depth = body.cavity_width, body.cavity_depth
    for side, top in ((0.78, rng.uniform(-12, 4)), (-0.76, rng.uniform(-95, -75))):
        path = [
            (side * width * rng.uniform(0.95, 1.0), depth * rng.uniform(0.0, 0.2), z)
            for z in (-210.0, -140.0, top - 25)
        ]
        path.append((path[-1][0] * 0.85, -depth * rng.uniform(0.1, 0.3), top))
        yield _pipe("colon", path, rng.uniform(15, 20), float(rng.choice([-350.0, -80.0, 40.0])))
        yield _pipe("lumen", path, rng.uniform(6, 11), float(rng.choice([-920.0, -700.0, 30.0])))
    for _ in range(rng.integers(12, 20)):
        centre = (rng.uniform(-0.6, 0.6) * width, rng.uniform(-0.75, 0.0) * depth, rng.uniform(-230, -50))
        radii = tuple(rng.uniform(14, 34, 3))
        content = float(rng.choice([18.0, 35.0, 60.0, 160.0, -900.0], p=[0.3, 0.3, 0.2, 0.1, 0.1]))
        turn = tuple(rng.uniform(-60, 60, 3))
        yield _blob(
            "loop", centre, (radii[0], radii[1], radii[2]), (turn[0], turn[1], turn[2]), content, wall_hu=55.0
        )


def _blob(
    name: str, centre: Point, radii: Point, turn: Point, hu: float, *, wall_hu: float | None = None
) -> Structure:
    def surface(site: Site) -> Array:
        return ellipsoid(*rotated(site.x, site.y, site.z, about=centre, angles_deg=turn), radii)

    def layered(_site: Site, distance: Array) -> Array | float:
        if wall_hu is None:
            return hu
        value: Array = np.float32(wall_hu) + np.clip((-distance - 3) / 1.5, 0, 1) * np.float32(hu - wall_hu)
        return value

    low, high = box(centre, max(radii) + 4)
    return Structure(name=name, low=low, high=high, surface=surface, hu=layered)
