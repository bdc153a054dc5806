"""Results go into folders that colleagues may write to, too: no link of theirs leads livered elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from livered_core.atomic import write_atomically


@pytest.mark.promise("S7")
def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "NOM_7.h5").symlink_to(victim)
    write_atomically(tmp_path / "NOM_7.h5", b"result")
    assert victim.read_text() == "mine"
    assert not (tmp_path / "NOM_7.h5").is_symlink()


@pytest.mark.promise("S7")
@pytest.mark.parametrize("durable", [True, False])
def test_a_link_that_a_colleague_puts_in_the_place_of_a_half_written_file_is_not_followed(
    tmp_path, monkeypatch, durable
):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    make = os.open

    def colleague(path, flags, *arguments, **named):
        descriptor = make(path, flags, *arguments, **named)
        if flags & os.O_EXCL:
            Path(path).unlink()
            Path(path).symlink_to(victim)
        return descriptor

    monkeypatch.setattr(os, "open", colleague)
    write_atomically(tmp_path / "NOM_7.h5", b"result", durable=durable)
    assert victim.read_text() == "mine"
