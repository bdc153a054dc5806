"""``python -m livered_core`` is ``livered``."""

from livered_core.cli import main

main()
