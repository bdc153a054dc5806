"""Make the instrument definitions of this package from an event file of EQSANS.

::

    python tools/make_definition.py EQSANS_1466_event.nxs src/livered_sans

An SNS file of 2010 holds no instrument definition, but it says where each of the 48 banks of four tubes is. It has the
detector 8 m behind the sample, whatever the motor says; in the definition the logs ``detectorZ`` and ``sampToMod``, both
in millimetres, say where detector and moderator stand (``eqsans.xml``). The simulated beamline has no such logs: for it
they stand where they stood in that run (``simulated.xml``).
"""

import re
import sys
from pathlib import Path

import h5py
import numpy as np

DRAWN_AT = 8.0  # m behind the sample, in the file
IN_THE_RUN = {"detectorZ": 5.0, "sampToMod": -14.122}  # m: the z of what the log moves

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!-- EQSANS as of 2010, made by tools/make_definition.py. 48 banks of 4 tubes of 256 pixels. -->
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="EQSANS"
            valid-from="2000-01-01 00:00:00" last-modified="2026-01-01 00:00:00">
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
    <parameter name="z"><logfile id="sampToMod" eq="-0.001*value" extract-single-value-as="last_value"/></parameter>
    <location/>
  </component>
  <type name="moderator" is="Source"/>

  <component type="sample"><location/></component>
  <type name="sample" is="SamplePos"/>

  <component type="detector">
    <parameter name="z"><logfile id="detectorZ" eq="0.001*value" extract-single-value-as="last_value"/></parameter>
    <location/>
  </component>
  <type name="detector">
"""

BANK = """\
    <component type="bank" idstart="{start}" idfillbyfirst="y" idstepbyrow="256">
      <location x="{x:.6f}" z="{z:.6f}" rot="{turn:.5f}" axis-x="0" axis-y="1" axis-z="0" name="{name}"/>
    </component>
"""

TAIL = """\
  </type>

  <type name="bank" is="RectangularDetector" type="pixel"
        xpixels="4" xstart="-0.0165" xstep="0.011" ypixels="256" ystart="-0.5478515625" ystep="0.004296875"/>
  <type name="pixel" is="detector">
    <cuboid id="shape">
      <left-front-bottom-point x="0.0055" y="-0.0021484375" z="0"/>
      <left-front-top-point x="0.0055" y="0.0021484375" z="0"/>
      <left-back-bottom-point x="0.0055" y="-0.0021484375" z="0.001"/>
      <right-front-bottom-point x="-0.0055" y="-0.0021484375" z="0"/>
    </cuboid>
    <algebra val="shape"/>
  </type>
</instrument>
"""


def definition(source: Path) -> str:
    """Return the text of the definition."""
    banks = []
    with h5py.File(source) as file:
        for number in range(1, 49):
            bank = file[f"entry/instrument/bank{number}"]
            x, _, z = bank["origin/translation/distance"][()].astype(float)
            along_x = bank["origin/orientation/value"][:3].astype(float)  # the bank's x axis
            turn = np.degrees(np.arctan2(-along_x[2], along_x[0])) % 360
            start = int(bank["pixel_id"][0, 0])
            banks.append(BANK.format(start=start, x=x, z=z - DRAWN_AT, turn=turn, name=f"bank{number}"))
    return HEAD + "".join(banks) + TAIL


def standing(text: str) -> str:
    """Return a definition in which no log moves anything."""
    for log, z in IN_THE_RUN.items():
        text = re.sub(rf'<logfile id="{log}"[^>]*/>', f'<value val="{z}"/>', text)
    return text


if __name__ == "__main__":
    folder, text = Path(sys.argv[2]), definition(Path(sys.argv[1]))
    (folder / "eqsans.xml").write_text(text, encoding="utf-8")
    (folder / "simulated.xml").write_text(standing(text), encoding="utf-8")
