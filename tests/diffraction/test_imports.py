from __future__ import annotations

import subprocess
import sys


def test_the_package_imports_neither_numba_nor_h5py() -> None:
    code = (
        "import sys, livered_core.diffraction\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'numba', 'h5py', 'scipp', 'NCrystal'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
