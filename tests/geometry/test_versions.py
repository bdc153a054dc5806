"""Which of several definitions is valid at a time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.errors import GeometryError
from livered_core.geometry import choose_definition, read_validity


def nanoseconds(*date: int) -> int:
    return int(datetime(*date, tzinfo=timezone.utc).timestamp()) * 10**9


def write(folder, name, valid_from=None, valid_to=None):
    """Write a definition that is valid between two dates; None leaves a date out."""
    path = folder / name
    dates = [("valid-from", valid_from), ("valid-to", valid_to)]
    attributes = "".join(f' {key}="{date}"' for key, date in dates if date is not None)
    path.write_text(f'<?xml version="1.0"?>\n<instrument name="X"{attributes}>\n</instrument>')
    return path


@pytest.fixture
def versions(tmp_path):
    """Three versions that follow each other, the last without an end."""
    write(tmp_path, "TEST_Definition_1.xml", "2010-01-01 00:00:00", "2012-06-30 23:59:59")
    write(tmp_path, "TEST_Definition_2.xml", "2012-07-01 00:00:00", "2014-12-31 23:59:59")
    write(tmp_path, "TEST_Definition.xml", "2015-01-01 00:00:00")
    return tmp_path


def refusal(call, *arguments) -> str:
    with pytest.raises(GeometryError) as caught:
        call(*arguments)
    sentence = str(caught.value)
    assert sentence.startswith(("The ", "None of the "))
    assert sentence.isprintable() and sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ((2010, 1, 1), "TEST_Definition_1.xml"),
        ((2012, 6, 30, 23, 59, 59), "TEST_Definition_1.xml"),
        ((2012, 7, 1), "TEST_Definition_2.xml"),
        ((2014, 12, 31, 23, 59, 59), "TEST_Definition_2.xml"),
        ((2015, 1, 1), "TEST_Definition.xml"),
        ((2099, 12, 31), "TEST_Definition.xml"),
    ],
)
def test_the_version_of_the_date(versions, date, expected):
    assert choose_definition(versions, "TEST", nanoseconds(*date)).name == expected


@pytest.mark.parametrize(
    "when_ns",
    [
        nanoseconds(2009, 12, 31, 23, 59, 59),
        nanoseconds(2012, 6, 30, 23, 59, 59) + 1,
        nanoseconds(2101, 1, 1),
    ],
)
def test_no_version_is_valid(versions, when_ns):
    sentence = refusal(choose_definition, versions, "TEST", when_ns)
    assert "None of the 3 instrument definitions of TEST" in sentence and str(versions) in sentence
    assert f"{datetime.fromtimestamp(when_ns // 10**9, timezone.utc):%Y-%m-%d %H:%M:%S} UTC" in sentence


def test_of_overlapping_versions_the_one_that_became_valid_last(tmp_path):
    write(tmp_path, "TEST_Definition.xml", "2000-01-01", "2100-01-01")
    write(tmp_path, "TEST_Definition_a.xml", "2010-01-01", "2020-01-01")
    write(tmp_path, "TEST_Definition_b.xml", "2005-01-01", "2030-01-01")
    for year, expected in ((2003, ""), (2007, "_b"), (2015, "_a"), (2025, "_b"), (2040, "")):
        chosen = choose_definition(tmp_path, "TEST", nanoseconds(year, 6, 1))
        assert chosen == tmp_path / f"TEST_Definition{expected}.xml"


def test_of_versions_that_became_valid_together_the_one_that_ends_first_and_then_the_first_by_name(tmp_path):
    write(tmp_path, "TEST_Definition_a.xml", "2010-01-01", "2030-01-01")
    write(tmp_path, "TEST_Definition_c.xml", "2010-01-01", "2020-01-01")
    write(tmp_path, "TEST_Definition_b.xml", "2010-01-01", "2020-01-01")
    assert choose_definition(tmp_path, "TEST", nanoseconds(2015, 1, 1)).name == "TEST_Definition_b.xml"
    assert choose_definition(tmp_path, "TEST", nanoseconds(2025, 1, 1)).name == "TEST_Definition_a.xml"


def test_only_files_of_the_instrument_count_whatever_their_capitals(tmp_path):
    own = write(tmp_path, "test_definition_2.XML")
    for name in (
        "TESTING_Definition.xml",
        "MYTEST_Definition.xml",
        "TEST_Parameters.xml",
        "TEST_Definition.xml.bak",
        "TEST_Definition.txt",
        "TxST_Definition.xml",
    ):
        (tmp_path / name).write_text("nothing that could be read")
    (tmp_path / "TEST_Definition_folder.xml").mkdir()
    write(tmp_path / "TEST_Definition_folder.xml", "TEST_Definition.xml")
    assert choose_definition(tmp_path, "Test", nanoseconds(2020, 1, 1)) == own
    assert "no instrument definition of T.ST" in refusal(choose_definition, tmp_path, "T.ST", 0)


def test_a_folder_without_definitions_or_none(tmp_path):
    assert "no instrument definition of TEST (TEST_Definition*.xml)" in refusal(
        choose_definition, tmp_path, "TEST", 0
    )
    missing = tmp_path / "missing"
    sentence = refusal(choose_definition, missing, "TEST", 0)
    assert f"The folder of instrument definitions {missing} cannot be read: No such file" in sentence


def test_without_dates_a_definition_is_valid_from_1900_to_2100(tmp_path):
    validity = read_validity(write(tmp_path, "x.xml"))
    assert validity.from_ns == nanoseconds(1900, 1, 31, 23, 59, 0)
    assert validity.to_ns == nanoseconds(2100, 1, 1)
    assert read_validity(write(tmp_path, "y.xml", "", "")) == validity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012-07-01", nanoseconds(2012, 7, 1)),
        ("2012-07-01 12:30:15", nanoseconds(2012, 7, 1, 12, 30, 15)),
        ("2012-07-01T12:30:15", nanoseconds(2012, 7, 1, 12, 30, 15)),
        ("  2012-07-01   12:30:15  ", nanoseconds(2012, 7, 1, 12, 30, 15)),
        ("2012-7-1 2:30", nanoseconds(2012, 7, 1, 2, 30)),
        ("2012-07-01T12:30:15Z", nanoseconds(2012, 7, 1, 12, 30, 15)),
        ("2012-07-01T12:30:15+02:00", nanoseconds(2012, 7, 1, 10, 30, 15)),
        ("2012-07-01T00:30:15+0130", nanoseconds(2012, 6, 30, 23, 0, 15)),
        ("2012-07-01T12:30:15-05:00", nanoseconds(2012, 7, 1, 17, 30, 15)),
        ("2012-07-01T12:30:15.5", nanoseconds(2012, 7, 1, 12, 30, 15) + 500_000_000),
        ("2012-07-01T12:30:15.000000001Z", nanoseconds(2012, 7, 1, 12, 30, 15) + 1),
        ("1969-12-31T23:59:59.25", -750_000_000),
        ("1900-01-01", nanoseconds(1900, 1, 1)),
        ("2012-02-29", nanoseconds(2012, 2, 29)),
    ],
)
def test_dates_and_time_zones(tmp_path, text, expected):
    assert read_validity(write(tmp_path, "x.xml", text)).from_ns == expected
    assert read_validity(write(tmp_path, "y.xml", None, text)).to_ns == expected


@given(
    second=st.integers(-(2**31), 2**33 - 2**31), micro=st.integers(0, 10**6 - 1), zone=st.integers(-840, 840)
)
def test_any_date_is_the_nanosecond_that_python_takes_it_for(tmp_path_factory, second, micro, zone):
    there = timezone(timedelta(minutes=zone))
    text = (
        (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=second)).astimezone(there).isoformat()
    )
    text = f"{text[:19]}.{micro:06}{text[19:]}"
    path = write(tmp_path_factory.getbasetemp(), "moment.xml", text)
    assert read_validity(path).from_ns == second * 10**9 + micro * 1000


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "2012",
        "2012-07",
        "2013-02-29",
        "2012-13-01",
        "2012-07-01 24:00:00",
        "2012-07-01 12",
        "2012-07-01 12:30:15 CET",
        "2012-07-01 12:30:15.1234567891",
        "01/07/2012",
        "0000-01-01",
        "2012-07-01 \u202e",
        "9" * 10_000,
    ],
)
def test_a_date_that_is_none(tmp_path, text):
    path = write(tmp_path, "TEST_Definition.xml", text)
    sentence = refusal(read_validity, path)
    assert f"The instrument definition {path} has the date " in sentence and "which is none" in sentence
    assert len(sentence) < 400 + len(str(path))
    assert refusal(choose_definition, tmp_path, "TEST", 0) == sentence
    assert "has the date" in refusal(read_validity, write(tmp_path, "other.xml", None, text))


BOMB = (
    "<!DOCTYPE instrument [<!ENTITY a0 'aaaaaaaaaa'>"
    + "".join(f"<!ENTITY a{i + 1} '{f'&a{i};' * 10}'>" for i in range(12))
    + "]><instrument name='&a12;'/>"
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is not XML"),
        ("GET / HTTP/1.1", "is not XML"),
        ("<instrument", "is not XML"),
        ('<instrument valid-from="2010-01-01', "is not XML"),
        ("\x00\x01\x02", "is not XML"),
        (" " * 2**20 + "<instrument/>", "is not XML"),
        (BOMB, "has a document type or entities"),
        ("<!DOCTYPE i SYSTEM 'file:///etc/hostname'><instrument/>", "has a document type or entities"),
        ("<html/>", "starts with 'html' instead of <instrument>"),
        ("<x:instruments xmlns:x='y'/>", "instead of <instrument>"),
    ],
)
def test_no_definition(tmp_path, content, expected):
    path = tmp_path / "TEST_Definition.xml"
    path.write_text(content)
    start = time.perf_counter()
    sentence = refusal(read_validity, path)
    assert time.perf_counter() - start < 1.0
    assert expected in sentence and str(path) in sentence
    assert refusal(choose_definition, tmp_path, "TEST", 0) == sentence


def test_bytes_of_no_encoding(tmp_path):
    path = tmp_path / "x.xml"
    path.write_bytes(b"<instrument valid-from='\xff\xfe'/>")
    assert "is not XML" in refusal(read_validity, path)
    path.write_bytes(b"<?xml version='1.0' encoding='klingon'?><instrument/>")
    assert "is not XML" in refusal(read_validity, path)


def test_a_file_that_cannot_be_read(tmp_path):
    assert "cannot be read: No such file" in refusal(read_validity, tmp_path / "x.xml")
    assert "cannot be read: Is a directory" in refusal(read_validity, tmp_path)


def test_one_that_cannot_be_read_spoils_the_choice(versions):
    (versions / "TEST_Definition_3.xml").write_text("<")
    assert "TEST_Definition_3.xml is not XML" in refusal(
        choose_definition, versions, "TEST", nanoseconds(2013, 1, 1)
    )


def test_namespaces_comments_and_what_follows_do_not_matter(tmp_path):
    path = tmp_path / "x.xml"
    head = '<?xml version="1.0" encoding="UTF-8"?><!-- <instrument valid-from="2000-01-01"/> -->'
    path.write_text(f'{head}<instrument xmlns="http://a" valid-from="2010-01-01">' + "<broken" * 400_000)
    assert read_validity(path).from_ns == nanoseconds(2010, 1, 1)
    path.write_bytes(b"\xef\xbb\xbf<instrument valid-from='2011-01-01'/>")
    assert read_validity(path).from_ns == nanoseconds(2011, 1, 1)
    path.write_bytes(
        "<?xml version='1.0' encoding='UTF-16'?><instrument valid-from='2012-01-01'/>".encode("utf-16")
    )
    assert read_validity(path).from_ns == nanoseconds(2012, 1, 1)


def test_both_of_nomads(shared):
    folder = shared / "data" / "nomad"
    assert (
        choose_definition(folder, "NOMAD", nanoseconds(2018, 1, 1)).name
        == "NOMAD_Definition_20170201-20220504.xml"
    )
    assert choose_definition(folder, "NOMAD", nanoseconds(2024, 1, 1)).name == "NOMAD_Definition.xml"
