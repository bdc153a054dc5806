"""An instrument that is small enough to be seen through: two panels of 16 x 16 pixels."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import quoteattr

from livered_core.model import InstrumentDefinition

PANEL_PIXELS: Final = 256
"""Pixels of one panel."""

_DEFINITION: Final = """<?xml version="1.0" encoding="UTF-8"?>
<!-- 10 m from the moderator to the sample, and two panels of 16 x 16 pixels, 1 m from the sample. -->
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name={name}
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
  <component type="moderator"><location z="-10"/></component>
  <type name="moderator" is="Source"/>
  <component type="sample"><location/></component>
  <type name="sample" is="SamplePos"/>
  <component type="panel" idstart="0" idfillbyfirst="y" idstepbyrow="16">
    <location r="1" t="60" rot="60" axis-x="0" axis-y="1" axis-z="0" name="panel60"/>
  </component>
  <component type="panel" idstart="256" idfillbyfirst="y" idstepbyrow="16">
    <location r="1" t="150" rot="150" axis-x="0" axis-y="1" axis-z="0" name="panel150"/>
  </component>
  <type name="panel" is="RectangularDetector" type="pixel"
        xpixels="16" xstart="-0.075" xstep="0.01" ypixels="16" ystart="-0.075" ystep="0.01"/>
  <type name="pixel" is="detector">
    <cuboid id="shape">
      <left-front-bottom-point x="0.005" y="-0.005" z="0"/>
      <left-front-top-point x="0.005" y="0.005" z="0"/>
      <left-back-bottom-point x="0.005" y="-0.005" z="0.001"/>
      <right-front-bottom-point x="-0.005" y="-0.005" z="0"/>
    </cuboid>
    <algebra val="shape"/>
  </type>
</instrument>
"""


def small_instrument(name: str = "TST") -> InstrumentDefinition:
    """Make the definition of a small diffractometer, as a stream carries one.

    10 m from the moderator to the sample, then 1 m to two panels of 16 x 16 pixels: ``panel60`` at a scattering angle
    of 60 degrees with the pixels 0 to 255, and ``panel150`` at 150 degrees with the pixels 256 to 511.

    Parameters
    ----------
    name
        Of the instrument.

    Examples
    --------
    >>> from livered_core.geometry import read_instrument
    >>> len(read_instrument(small_instrument()).pixel_id)
    512
    """
    return InstrumentDefinition(name, _DEFINITION.format(name=quoteattr(name)))
