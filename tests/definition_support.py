"""The parts that small instrument definitions have in common, as Mantid wants them."""

from __future__ import annotations

CUBOID = """
    <cuboid id="shape">
      <left-front-bottom-point x="0.005" y="-0.005" z="0"/>
      <left-front-top-point x="0.005" y="0.005" z="0"/>
      <left-back-bottom-point x="0.005" y="-0.005" z="0.001"/>
      <right-front-bottom-point x="-0.005" y="-0.005" z="0"/>
    </cuboid>
    <algebra val="shape"/>
"""
"""Shape of a detector: 1 cm by 1 cm."""


def definition(name: str, moderator_z: float, components: str) -> str:
    """Return a definition with a moderator on the beam, the sample at the origin, and more."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<instrument xmlns="http://www.mantidproject.org/IDF/1.0" name="{name}"
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
  <component type="moderator"><location z="{moderator_z}"/></component>
  <type name="moderator" is="Source"/>
  <component type="sample"><location/></component>
  <type name="sample" is="SamplePos"/>
{components}
</instrument>
"""
