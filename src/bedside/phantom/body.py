"""The body's frame, drawn from a seed: size, fat, contrast phase, pose, and what fills the background.

Owns everything that organs are placed by. One seed is one person: the same anatomy on every grid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bedside.phantom.shapes import Array, Site

#: HU by contrast phase: (spleen, liver, kidney cortex, kidney medulla, aorta, veins, muscle).
PHASES: dict[str, tuple[float, ...]] = {
    "native": (48, 57, 33, 31, 42, 40, 54),
    "arterial": (118, 72, 172, 80, 290, 90, 60),
    "portal": (120, 108, 178, 160, 158, 165, 64),
    "late": (92, 88, 140, 150, 112, 112, 61),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """HU of one person's tissues in one contrast phase."""

    phase: str
    spleen: float
    liver: float
    cortex: float
    medulla: float
    aorta: float
    veins: float
    muscle: float
    fat: float
    bone: float
    lung: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One person's frame. Lengths in millimetres.

    Attributes:
        seed: Who it is.
        half_width: Of the trunk, side to side.
        half_depth: Of the trunk, front to back.
        fat_mm: Under the skin, mean.
        wall_mm: Muscle between fat and cavity.
        tissue: HU.
        noise_hu: Standard deviation of noise in a 2.5 mm slice.
        turn_deg: Rotation of the patient about the long axis.
        shift_mm: Where the body's origin lies in patient coordinates.
    """

    seed: int
    half_width: float
    half_depth: float
    fat_mm: float
    wall_mm: float
    tissue: Tissue
    noise_hu: float
    turn_deg: float
    shift_mm: tuple[float, float, float]

    @property
    def cavity_width(self) -> float:
        """Half width of the abdominal cavity."""
        return self.half_width - self.fat_mm - self.wall_mm

    @property
    def cavity_depth(self) -> float:
        """Half depth of the abdominal cavity."""
        return self.half_depth - self.fat_mm - self.wall_mm

    def stream(self, name: str) -> np.random.Generator:
        """Return random numbers of one structure's own, so that a new structure changes no other."""
        return np.random.default_rng([self.seed, *name.encode()])

    def pose(self) -> NDArray[np.float64]:
        """Return 4×4 from patient (LPS) to body coordinates."""
        c, s = np.cos(np.deg2rad(self.turn_deg)), np.sin(np.deg2rad(self.turn_deg))
        matrix = np.eye(4)
        matrix[:2, :2] = [[c, s], [-s, c]]
        matrix[:3, 3] = -matrix[:3, :3] @ np.array(self.shift_mm)
        return matrix

    def depth(self, x: Array, y: Array, z: Array) -> Array:
        """Return millimetres below the skin along the ray to the body's axis; negative outside."""
        level = np.clip((z - 290) / 110, 0, 1)  # narrows to the neck
        scale = 1 - np.float32(0.55) * level * level * (3 - 2 * level)
        scale = scale * (1 - np.float32(0.035) * np.exp(-np.square((z + 90) / 70)))  # waist
        front = 1 + np.float32(0.06) * np.tanh(-y / 60)  # the belly is rounder than the back
        groove = np.float32(5) * np.exp(-np.square(x / 16)) * np.clip(y / 40, 0, 1)
        u = np.square(x / (np.float32(self.half_width) * scale * front))
        v = np.square((y + groove) / (np.float32(self.half_depth) * scale))
        # Between an ellipse and a rounded box, like a trunk.
        k = np.sqrt(np.float32(0.55) * (u + v) + np.float32(0.45) * np.sqrt(u * u + v * v))
        radius = np.sqrt(np.square(x) + np.square(y))
        # The halves keep the quotient finite on the axis, where both parts are 0.
        depth: Array = (radius + np.float32(0.5)) / (k + np.float32(0.5 / self.half_depth)) - radius
        return depth

    def fat(self, x: Array, y: Array) -> Array:
        """Return the thickness of the fat under the skin: more at the back and on one side."""
        thickness: Array = np.float32(self.fat_mm) * (
            1 + np.float32(0.35) * np.tanh(y / 50) - np.float32(0.06) * np.tanh(x / 50)
        )
        return thickness

    def inside_cavity(self, site: Site, margin_mm: float = 1.0) -> Array:
        """Return the distance to the cavity's wall, negative inside."""
        return self.fat(site.x, site.y) + np.float32(self.wall_mm + margin_mm) - site.depth


def draw_body(seed: int) -> Body:
    """Draw one person."""
    rng = np.random.default_rng([seed, 1])
    half_width = rng.uniform(148, 186)
    phase = ("portal", "portal", "arterial", "late", "native")[rng.integers(5)]
    jitter = rng.normal(0, 1, 7) * (6, 6, 14, 14, 22, 14, 3)
    jitter[1] -= 22 * max(0.0, rng.uniform(-1.5, 1))  # a fatty liver, now and then
    values = np.array(PHASES[phase]) + jitter
    names = ("spleen", "liver", "cortex", "medulla", "aorta", "veins", "muscle")
    return Body(
        seed=seed,
        half_width=half_width,
        half_depth=half_width * rng.uniform(0.63, 0.72),
        fat_mm=rng.uniform(8, 26),
        wall_mm=rng.uniform(11, 15),
        tissue=Tissue(
            phase=phase,
            fat=rng.uniform(-112, -92),
            bone=rng.uniform(160, 280),
            lung=rng.uniform(-880, -800),
            **{name: float(value) for name, value in zip(names, values, strict=True)},
        ),
        noise_hu=rng.uniform(7, 20),
        turn_deg=rng.uniform(-6, 6),
        shift_mm=(rng.uniform(-12, 12), rng.uniform(-15, 15), rng.uniform(-420, 120)),
    )
