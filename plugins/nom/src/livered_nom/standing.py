"""What stays as it is from one update to the next: worked out once, and anew only where what it follows from is another."""

from __future__ import annotations

from livered_core import LiveredError
from livered_core.diffraction import SampleScattering, sample_scattering
from livered_nom.banks import bank_edges
from livered_nom.curves import make_bank_plan
from livered_nom.divisor import Usable, make_divisor, scaled_container
from livered_nom.once import Once
from livered_nom.references import Corrections
from livered_nom.settings import NomSettings
from livered_nom.total import make_plan


class Standing:
    """What updates have in common. For one thread, the one that reduces.

    Nothing in it follows from what was counted: it is good for any run with the same settings.

    Parameters
    ----------
    settings
        Of the plugin.

    Attributes
    ----------
    plan
        For S(Q) and G(r).
    bank_plan
        For the curves of the banks.

    Raises
    ------
    DataModelError
        When the settings make no S(Q).
    """

    def __init__(self, settings: NomSettings) -> None:
        self.plan = make_plan(settings.total_scattering)
        self.bank_plan = make_bank_plan(bank_edges(settings))
        self._container_scale = settings.references.container_scale
        self._divisor = Once(make_divisor)
        self._container = Once(scaled_container)
        self._scattering: tuple[str, SampleScattering] | None = None

    def usable(self, corrections: Corrections) -> Usable:
        """Return vanadium and container as they are used; both of them objects that do not change."""
        vanadium, container = corrections.vanadium, corrections.container
        edges, scale = self.plan.q_edges, self._container_scale
        return Usable(
            divisor=None if vanadium is None else self._divisor.of(vanadium, edges),
            container=None if container is None else self._container.of(container, scale, edges),
        )

    def scattering(self, formula: str) -> tuple[SampleScattering | None, str]:
        """Return what a formula's atoms scatter; else None, and why that is not known."""
        if self._scattering is None or self._scattering[0] != formula:
            try:
                self._scattering = (formula, sample_scattering(formula))
            except LiveredError as error:
                return None, f"S(Q) and G(r) cannot be made: {error}"
        return self._scattering[1], ""
