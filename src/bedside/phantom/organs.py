"""The organs that carry labels: liver, spleen, kidneys, stomach, aorta.

Each is a function from a body to a structure and draws from its own stream. Sizes are those of adults
in millimetres; shapes come from blended ellipsoids under a smooth warp, cut by the cavity's wall.
"""

import numpy as np

from bedside.phantom.body import Body
from bedside.phantom.shapes import (
    Array,
    Point,
    Site,
    Warp,
    common,
    draw_warp,
    ellipsoid,
    rotated,
    tube,
    union,
)
from bedside.phantom.structure import LABELS, Structure, box, even


def _mottle(site: Site, warp: Warp) -> Array:
    """Return the warp's first shift, as a slow unevenness of tissue."""
    moved, _, _ = warp.apply(site.x, site.y, site.z)
    return moved - site.x


def spleen(body: Body) -> Structure:
    """A crescent under the left ribs: an ellipsoid with its inner side pressed in."""
    rng = body.stream("spleen")
    thick, wide, long = rng.uniform(23, 31), rng.uniform(40, 52), rng.uniform(46, 64)
    angle = rng.uniform(18, 48)  # of the direction to the wall, from the left towards the back
    outward = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle)), 0])
    wall = np.array([body.cavity_width, body.cavity_depth, 0]) * outward
    centre = tuple(wall - outward * thick * rng.uniform(0.72, 0.95) + (0, 0, rng.uniform(12, 42)))
    turn = (rng.uniform(-22, 22), rng.uniform(-18, 10), angle + rng.uniform(-14, 14))
    press = (
        -thick * rng.uniform(1.0, 1.35),
        wide * rng.uniform(-0.35, 0.25),
        long * rng.uniform(-0.25, 0.25),
    )
    dent = (thick * 0.95, wide * rng.uniform(0.6, 0.85), long * rng.uniform(0.6, 1.0))
    warp = draw_warp(rng, 2.6, 85)
    ripple = draw_warp(rng, 9.0 if body.tissue.phase == "arterial" else 1.5, 45)

    def surface(site: Site) -> Array:
        moved = warp.apply(site.x, site.y, site.z)
        u, v, w = rotated(*moved, about=_point(centre), angles_deg=turn)
        shape = ellipsoid(u, v, w, (thick, wide, long))
        pressed = ellipsoid(
            u - np.float32(press[0]), v - np.float32(press[1]), w - np.float32(press[2]), dent
        )
        shape = common(shape, -pressed, 7)
        return common(shape, body.inside_cavity(site), 4)

    def hu(site: Site, _distance: Array) -> Array:
        return _mottle(site, ripple) + np.float32(body.tissue.spleen)

    low, high = box(_point(centre), max(thick, wide, long) + 8)
    return Structure(name="spleen", low=low, high=high, surface=surface, hu=hu, label=LABELS["spleen"])


def liver(body: Body) -> Structure:
    """A large right lobe and a flat left one that crosses the midline."""
    rng = body.stream("liver")
    width, depth = body.cavity_width, body.cavity_depth
    right = (-width * rng.uniform(0.40, 0.47), depth * rng.uniform(-0.05, 0.1), rng.uniform(5, 25))
    right_radii = (width * rng.uniform(0.56, 0.66), depth * rng.uniform(0.70, 0.86), rng.uniform(64, 84))
    left = (width * rng.uniform(-0.1, 0.12), -depth * rng.uniform(0.42, 0.55), rng.uniform(32, 52))
    left_radii = (width * rng.uniform(0.42, 0.58), depth * rng.uniform(0.3, 0.42), rng.uniform(32, 46))
    tilt = rng.uniform(8, 22)
    warp, ripple = draw_warp(rng, 4.5, 120), draw_warp(rng, 2.0, 60)
    vessels = _hepatic_tree(rng, right, left)
    bright = body.tissue.veins - body.tissue.liver
    bright = bright if abs(bright) > 15 else -15.0  # without contrast, vessels are darker than the liver
    cysts = [
        (
            tuple(np.array(right) + rng.uniform(-0.5, 0.5, 3) * right_radii),
            rng.uniform(4, 14),
            float(rng.choice([8.0, 60.0])),
        )
        for _ in range(rng.integers(0, 4))
    ]

    def surface(site: Site) -> Array:
        x, y, z = warp.apply(site.x, site.y, site.z)
        shape = ellipsoid(*rotated(x, y, z, about=_point(right), angles_deg=(0, tilt, 0)), right_radii)
        lobe = ellipsoid(*rotated(x, y, z, about=_point(left), angles_deg=(0, -tilt, 12)), left_radii)
        # Leaves the spine and the kidney's bed free.
        spine = np.float32(42) - np.sqrt(np.square(x) + np.square(y - np.float32(0.45 * body.half_depth)))
        return common(common(union(shape, lobe, 22), spine, 8), body.inside_cavity(site), 5)

    def hu(site: Site, _distance: Array) -> Array:
        value = _mottle(site, ripple) + np.float32(body.tissue.liver)
        inside = np.clip(0.5 - tube(site.x, site.y, site.z, vessels, 4.5) / 2, 0, 1)
        value = value + inside * np.float32(bright)
        for centre, radius, level in cysts:
            ball = ellipsoid(
                *rotated(site.x, site.y, site.z, about=_point(centre), angles_deg=(0, 0, 0)), (radius,) * 3
            )
            value = value + np.clip(0.5 - ball / 2, 0, 1) * (np.float32(level) - value)
        return value

    low = (-body.half_width, -body.half_depth, right[2] - right_radii[2] - 14)
    high = (left[0] + left_radii[0] + 25, body.half_depth, right[2] + right_radii[2] + 14)
    return Structure(name="liver", low=low, high=high, surface=surface, hu=hu, label=LABELS["liver"])


def _hepatic_tree(rng: np.random.Generator, right: Point, left: Point) -> list[Point]:
    """Return one line along the main branches: out into the right lobe, back, and to the left."""
    hilum = np.array([-28.0, -5.0, right[2] - 15])
    ends = [np.array(right) + rng.uniform(-25, 25, 3) for _ in range(2)] + [np.array(left)]
    return [_point(tuple(p)) for p in (ends[0], hilum, ends[1], hilum, ends[2])]


def kidney(body: Body, side: str) -> Structure:
    """A bean beside the spine: cortex, medulla and a sinus of fat. The right one lies lower."""
    rng = body.stream(f"{side} kidney")
    sign = 1.0 if side == "left" else -1.0
    size = rng.uniform(0.85, 1.1) * (1.06 if side == "left" else 1.0)
    radii = (27 * size, 24 * size, 54 * size)
    level = rng.uniform(-48, -28) if side == "left" else rng.uniform(-72, -50)
    centre = (
        sign * rng.uniform(0.46, 0.54) * body.cavity_width,
        body.cavity_depth * rng.uniform(0.38, 0.5),
        level,
    )
    turn = (rng.uniform(4, 12), sign * rng.uniform(6, 14), -sign * rng.uniform(15, 35))
    warp = draw_warp(rng, 1.8, 70)
    tissue = body.tissue

    def surface(site: Site) -> Array:
        u, v, w = rotated(*warp.apply(site.x, site.y, site.z), about=centre, angles_deg=turn)
        hilum = ellipsoid(u + np.float32(sign * radii[0] * 1.05), v, w, (radii[0] * 0.6, 9, 20))
        shape = common(ellipsoid(u, v, w, radii), -hilum, 6)
        return common(shape, body.inside_cavity(site), 3)

    def hu(site: Site, distance: Array) -> Array:
        u, v, w = rotated(*warp.apply(site.x, site.y, site.z), about=centre, angles_deg=turn)
        inner = np.clip((-distance - 7) / 2, 0, 1)
        value = np.float32(tissue.cortex) + inner * np.float32(tissue.medulla - tissue.cortex)
        sinus = ellipsoid(u + np.float32(sign * radii[0] * 0.35), v, w, (radii[0] * 0.42, 8, 24))
        part = np.clip(0.5 - sinus / 3, 0, 1)
        mixed: Array = value + part * (np.float32(-50) - value)
        return mixed

    low, high = box(centre, max(radii) + 8)
    label = LABELS[f"{side} kidney"]
    return Structure(name=f"{side} kidney", low=low, high=high, surface=surface, hu=hu, label=label)


def stomach(body: Body) -> Structure:
    """A bag at the left front: wall, fluid or contrast, and gas above a flat level."""
    rng = body.stream("stomach")
    fundus = (
        body.cavity_width * rng.uniform(0.3, 0.42),
        -body.cavity_depth * rng.uniform(0.05, 0.25),
        rng.uniform(28, 50),
    )
    antrum = (
        body.cavity_width * rng.uniform(-0.05, 0.1),
        -body.cavity_depth * rng.uniform(0.4, 0.5),
        rng.uniform(-30, -8),
    )
    radii = (rng.uniform(32, 46), rng.uniform(28, 42), rng.uniform(34, 46))
    small = (rng.uniform(32, 42), rng.uniform(20, 26), rng.uniform(20, 28))
    fluid = rng.uniform(140, 260) if rng.uniform() < 0.25 else rng.uniform(0, 45)
    level = fundus[1] - radii[1] * rng.uniform(0.1, 0.9)
    warp = draw_warp(rng, 3.5, 80)

    def surface(site: Site) -> Array:
        x, y, z = warp.apply(site.x, site.y, site.z)
        upper = ellipsoid(*rotated(x, y, z, about=fundus, angles_deg=(0, 0, 0)), radii)
        lower = ellipsoid(*rotated(x, y, z, about=antrum, angles_deg=(0, 25, 0)), small)
        return common(union(upper, lower, 26), body.inside_cavity(site), 4)

    def hu(site: Site, distance: Array) -> Array:
        gas = np.clip((np.float32(level) - site.y) / 1.5 + 0.5, 0, 1)
        content = np.float32(fluid) - gas * np.float32(fluid + 960)
        inside = np.clip((-distance - 4) / 1.5, 0, 1)
        wall = np.float32(body.tissue.muscle)
        mixed: Array = wall + inside * (content - wall)
        return mixed

    low = (antrum[0] - small[0] - 12, -body.half_depth, antrum[2] - small[2] - 18)
    high = (fundus[0] + radii[0] + 12, fundus[1] + radii[1] + 12, fundus[2] + radii[2] + 12)
    return Structure(name="stomach", low=low, high=high, surface=surface, hu=hu, label=LABELS["stomach"])


def aorta(body: Body) -> Structure:
    """A tube before the spine, left of the midline, a little winding."""
    rng = body.stream("aorta")
    radius = rng.uniform(8.5, 12)
    front = 0.42 * body.half_depth - 24 - radius
    path = [
        (rng.uniform(4, 16), front + rng.uniform(-3, 3) - 0.02 * (z < -90), float(z))
        for z in range(-150, 401, 110)
    ]

    def surface(site: Site) -> Array:
        return tube(site.x, site.y, site.z, path, radius)

    low, high = (-20.0, front - 25, -165.0), (40.0, front + 25, 415.0)
    hu = even(body.tissue.aorta)
    return Structure(name="aorta", low=low, high=high, surface=surface, hu=hu, label=LABELS["aorta"])


def _point(values: tuple[float, ...]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
