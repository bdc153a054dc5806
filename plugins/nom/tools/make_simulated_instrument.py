"""Write the simplified instrument definition of NOMAD that the simulator uses.

Usage: ``python make_simulated_instrument.py [FILE]``; without a file, ``simulated_instrument.xml`` of the package.

Built from nothing but the published layout: six groups of eight-packs, and for each the range of scattering
angles and of distances. Groups 1 to 4 are barrels around the beam: packs on a ring, each with its tubes along a
line between the two corners that the ranges give. Groups 5 and 6 are flat panels across the beam of upright
thin tubes side by side; around the beam two packs of half-length tubes leave a hole.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import attrs

PACKAGE_FILE = Path(__file__).parents[1] / "src" / "livered_nom" / "simulated_instrument.xml"

TUBES = 8
PIXELS = 128

HEADER = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- A simplified stand-in for NOMAD (SNS BL-1B), for simulations only: the moderator, the monitors, the detector
     ids and the six groups are those of the instrument, and each group covers about its angles and distances,
     but no pack stands where a real one does. Made by tools/make_simulated_instrument.py: edit that. -->
<instrument xmlns="http://www.mantidproject.org/IDF/1.0"
            xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
            xsi:schemaLocation="http://www.mantidproject.org/IDF/1.0 http://schema.mantidproject.org/IDF/1.0/IDFSchema.xsd"
            name="NOMAD"
            valid-from="2000-01-01 00:00:00"
            valid-to="2100-01-31 23:59:59"
            last-modified="2026-01-01 00:00:00">

  <defaults>
    <length unit="metre"/>
    <angle unit="degree"/>
    <reference-frame>
      <along-beam axis="z"/>
      <pointing-up axis="y"/>
      <handedness val="right"/>
    </reference-frame>
  </defaults>

  <component type="moderator">
    <location z="-19.5"/>
  </component>
  <type name="moderator" is="Source"/>

  <component type="sample-position">
    <location/>
  </component>
  <type name="sample-position" is="SamplePos"/>

  <component type="monitors" idlist="monitors">
    <location/>
  </component>
  <type name="monitors">
    <component type="monitor">
      <location z="-0.879475" name="monitor1"/>
      <location z="5.748782" name="monitor2"/>
    </component>
  </type>
  <idlist idname="monitors">
    <id val="-1"/>
    <id val="-2"/>
  </idlist>
  <type name="monitor" is="monitor">
    <cylinder id="shape">
      <centre-of-bottom-base x="0.0" y="0.0" z="0.0"/>
      <axis x="0.0" y="0.0" z="1.0"/>
      <radius val="0.01"/>
      <height val="0.03"/>
    </cylinder>
    <algebra val="shape"/>
  </type>
"""

BARREL_COMMENT = """
  <!-- Barrels around the beam. At azimuth 0 a pack stands on the x axis, its tubes along z and side by side in y:
       the inner rotation tilts it about y, the outer one takes it to its azimuth. -->"""

PANEL_COMMENT = """
  <!-- Flat panels across the beam: tubes along y, side by side in x. -->"""


@attrs.frozen
class TubeType:
    """A pack of eight tubes and what it is made of: lengths in metres.

    Attributes
    ----------
    pack
        Name of the pack's type.
    axis, across
        Coordinate along the tubes, and from tube to tube.
    pitch
        From tube to tube.
    radius
        Of a tube.
    length
        Of a tube: 128 pixels.
    """

    pack: str
    axis: str
    across: str
    pitch: float
    radius: float
    length: float


BARREL_PACK = TubeType("pack", "z", "y", pitch=0.0275, radius=0.0127, length=1.0)
PANEL_PACK = TubeType("half-pack", "y", "x", pitch=0.0068, radius=0.0034, length=0.92)
SHORT_PACK = TubeType("short-half-pack", "y", "x", pitch=0.0068, radius=0.0034, length=0.42)


@attrs.frozen
class Barrel:
    """Packs on a ring around the beam.

    Attributes
    ----------
    packs
        How many.
    first, last
        Ends of a tube, each as scattering angle in degrees and distance from the sample in metres.
    """

    packs: int
    first: tuple[float, float]
    last: tuple[float, float]

    def locations(self, bank: int) -> list[str]:
        """Write the locations of the packs, the first of which is called ``bank<bank>``."""
        ends = [
            (length * math.sin(math.radians(t)), length * math.cos(math.radians(t)))
            for t, length in (self.first, self.last)
        ]
        (x1, z1), (x2, z2) = ends
        x, z = (x1 + x2) / 2, (z1 + z2) / 2
        tilt = math.degrees(math.atan2(x1 - x2, z1 - z2))
        r, t = math.hypot(x, z), math.degrees(math.atan2(x, z))
        lines = []
        for i in range(self.packs):
            phi = 360.0 * (i + 0.5) / self.packs
            lines += [
                f'    <component type="{BARREL_PACK.pack}">',
                f'      <location r="{r:.4f}" t="{t:.3f}" p="{phi:.3f}" name="bank{bank + i}">',
                f'        <rot val="{phi:.3f}"><rot val="{tilt:.3f}" axis-x="0" axis-y="1" axis-z="0"/></rot>',
                "      </location>",
                "    </component>",
            ]
        return lines


@attrs.frozen
class FlatPanel:
    """Packs side by side in a plane across the beam, the two in the middle above and below it.

    Attributes
    ----------
    packs
        How many; even.
    z
        Of the plane, metres.
    spacing
        From pack to pack, metres.
    height
        Of the middle of the two short packs above and below the beam, metres.
    """

    packs: int
    z: float
    spacing: float
    height: float

    def locations(self, bank: int) -> list[str]:
        """Write the locations of the packs, the first of which is called ``bank<bank>``."""
        lines = []
        middle = self.packs // 2
        for i in range(self.packs):
            # The two middle packs share a column, so that the others count from it.
            is_short = i in {middle - 1, middle}
            column = 0 if is_short else (i - middle + 1 if i < middle else i - middle)
            pack = SHORT_PACK.pack if is_short else PANEL_PACK.pack
            y = (self.height if i == middle else -self.height) if is_short else 0.0
            lines += [
                f'    <component type="{pack}">',
                f'      <location x="{column * self.spacing:.4f}" y="{y:.4f}" z="{self.z:.4f}" name="bank{bank + i}"/>',
                "    </component>",
            ]
        return lines


GROUPS: tuple[Barrel | FlatPanel, ...] = (
    Barrel(14, first=(11.3, 2.48), last=(20.2, 1.55)),
    Barrel(23, first=(23.6, 2.115), last=(41.7, 1.27)),
    Barrel(14, first=(45.5, 1.405), last=(90.7, 0.99)),
    Barrel(12, first=(95.8, 1.016), last=(143.5, 1.345)),
    FlatPanel(18, z=-0.685, spacing=0.0640, height=0.26),
    FlatPanel(18, z=2.525, spacing=0.0655, height=0.25),
)


def tube_type(tubes: TubeType) -> list[str]:
    """Write a pack, its tube and its pixel."""
    pixel = tubes.length / PIXELS
    across, axis = (TUBES - 1) / 2 * tubes.pitch, (PIXELS - 1) / 2 * pixel
    tube, detector = f"{tubes.pack}-tube", f"{tubes.pack}-pixel"
    base = " ".join(f'{c}="{-pixel / 2 if c == tubes.axis else 0.0:.7f}"' for c in "xyz")
    direction = " ".join(f'{c}="{float(c == tubes.axis):.1f}"' for c in "xyz")
    return [
        "",
        f'  <type name="{tubes.pack}">',
        f'    <component type="{tube}">',
        f'      <locations n-elements="{TUBES}" {tubes.across}="{-across:.5f}" {tubes.across}-end="{across:.5f}"'
        ' name="tube" name-count-start="1"/>',
        "    </component>",
        "  </type>",
        f'  <type name="{tube}">',
        f'    <component type="{detector}">',
        f'      <locations n-elements="{PIXELS}" {tubes.axis}="{-axis:.7f}" {tubes.axis}-end="{axis:.7f}"'
        ' name="pixel" name-count-start="1"/>',
        "    </component>",
        "  </type>",
        f'  <type name="{detector}" is="detector">',
        '    <cylinder id="shape">',
        f"      <centre-of-bottom-base {base}/>",
        f"      <axis {direction}/>",
        f'      <radius val="{tubes.radius:.5f}"/>',
        f'      <height val="{pixel:.7f}"/>',
        "    </cylinder>",
        '    <algebra val="shape"/>',
        "  </type>",
    ]


def make() -> str:
    """Write the whole definition."""
    text = [HEADER]
    first_id = 0
    for number, group in enumerate(GROUPS, start=1):
        last_id = first_id + group.packs * TUBES * PIXELS - 1
        text += [
            f'  <component type="group{number}" idlist="group{number}">',
            "    <location/>",
            "  </component>",
            f'  <idlist idname="group{number}">',
            f'    <id start="{first_id}" end="{last_id}"/>',
            "  </idlist>",
        ]
        first_id = last_id + 1
    bank = 1
    commented: type[Barrel | FlatPanel] | None = None
    for number, group in enumerate(GROUPS, start=1):
        if type(group) is not commented:
            commented = type(group)
            text.append(BARREL_COMMENT if commented is Barrel else PANEL_COMMENT)
        text += [f'  <type name="group{number}">', *group.locations(bank), "  </type>"]
        bank += group.packs
    for tubes in (BARREL_PACK, PANEL_PACK, SHORT_PACK):
        text += tube_type(tubes)
    return "\n".join([*text, "</instrument>", ""])


def main() -> None:
    """Write the file."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE_FILE
    target.write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
