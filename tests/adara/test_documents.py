import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.adara import (
    Device,
    ProcessVariable,
    RunDetails,
    device_descriptor_xml,
    read_device,
    read_run_info,
    run_info_xml,
)
from livered_core.adara.documents import LONGEST
from livered_core.errors import ProtocolError

# Text that survives: what XML allows, without white space around it (which reading leaves out).
texts = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=30
).map(str.strip)
names = texts.filter(bool)
field_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,10}", fullmatch=True)
numbers = st.integers(0, 2**32 - 1)

details = st.builds(
    RunDetails,
    run_number=numbers,
    proposal_id=texts,
    title=texts,
    proposal_title=texts,
    instrument=texts,
    facility=texts,
    sample=st.dictionaries(field_names, texts, max_size=4),
)
devices = st.builds(
    Device,
    name=names,
    variables=st.dictionaries(numbers, st.builds(ProcessVariable, names, names, texts, texts), max_size=4),
    enumerations=st.dictionaries(
        names, st.dictionaries(st.integers(-(2**31), 2**31), texts, max_size=3), max_size=3
    ),
)

SMS = """<?xml version="1.0" encoding="UTF-8"?>
<runinfo xmlns="http://public.sns.gov/schema/runinfo.xsd">
   <das_version>ADARA SMS 1.10</das_version>
   <facility_name>SNS</facility_name>
   <instrument_name>NOM</instrument_name>
   <run_number>13247</run_number>
   <users><user><name>Nobody</name><id>xyz</id><role>PI</role></user></users>
   <proposal_id>IPTS-6627</proposal_id>
   <run_title>%s</run_title>
   <sample>
      <name>diamond</name>
      <chemical_formula> C </chemical_formula>
      <mass></mass>
   </sample>
   <save_pixel_map/>
</runinfo>"""


def test_run_info_as_servers_write_it():
    assert read_run_info(SMS % "Si &lt;powder&gt; &amp; more\n") == RunDetails(
        run_number=13247,
        proposal_id="IPTS-6627",
        title="Si <powder> & more",
        instrument="NOM",
        facility="SNS",
        sample={"name": "diamond", "chemical_formula": "C", "mass": ""},
    )


def test_run_info_without_anything_is_empty():
    assert read_run_info("<runinfo/>") == RunDetails()
    assert read_run_info("<runinfo><no_sample_info/></runinfo>").sample == {}


def test_zeros_and_blanks_around_a_document_are_left_out():
    assert read_run_info("\n " + SMS % "t" + "\n\0\0").title == "t"


@pytest.mark.parametrize(
    ("written", "title"),
    [
        # A server writes one reference for each byte of UTF-8.
        ("10 &#195;&#133; and 300 &#194;&#176;C", "10 Å and 300 °C"),
        ("&#226;&#132;&#131;&#194;&#181;m", "℃\N{MICRO SIGN}m"),
        # These are not UTF-8, so they are what XML says they are.
        ("10 &#197; thick", "10 Å thick"),
        ("Ã…", "Ã…"),
        # References below 128 and above 255 are ordinary.
        ("&#65;&#8451;", "A℃"),
    ],
)
def test_characters_written_byte_for_byte_are_put_together(written, title):
    assert read_run_info(SMS % written).title == title


def test_a_control_character_in_a_title_does_not_cost_the_run_info():
    found = read_run_info(SMS % "a\x0bb\x00c")

    assert (found.title, found.proposal_id) == ("a\ufffdb\ufffdc", "IPTS-6627")


@given(details)
def test_run_info_there_and_back(run):
    assert read_run_info(run_info_xml(run)) == run


@given(devices)
def test_device_there_and_back(device):
    assert read_device(device_descriptor_xml(device)) == device


def test_markup_in_text_stays_text():
    evil = "</run_title><proposal_id>IPTS-1</proposal_id><run_title>&x;]]>\r'\""

    xml = run_info_xml(RunDetails(title=evil, sample={"name": evil}))

    assert read_run_info(xml) == RunDetails(title=evil, sample={"name": evil})


def test_what_xml_cannot_hold_is_replaced_on_writing():
    xml = run_info_xml(RunDetails(title="a\0b\ud800c\uffff"))

    assert read_run_info(xml).title == "a\ufffdb\ufffdc\ufffd"


def test_a_sample_field_that_is_no_name_is_refused():
    with pytest.raises(ValueError, match="sample field 'two words'"):
        run_info_xml(RunDetails(sample={"two words": "x"}))


def test_device_with_units_and_connection():
    device = read_device(
        """<device><device_name>furnace</device_name>
        <process_variables>
          <process_variable><pv_name>T</pv_name><pv_connection>BL1B:SE:T</pv_connection><pv_id>7</pv_id>
            <pv_type>double</pv_type><pv_units>K</pv_units></process_variable>
          <process_variable><pv_name/><pv_connection>BL1B:SE:P</pv_connection><pv_id>8</pv_id>
            <pv_type>unsigned integer</pv_type></process_variable>
        </process_variables></device>"""
    )

    assert device == Device(
        name="furnace",
        variables={
            7: ProcessVariable("T", "double", "K", "BL1B:SE:T"),
            8: ProcessVariable("BL1B:SE:P", "unsigned integer", "", "BL1B:SE:P"),
        },
    )


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize("read", [read_run_info, read_device])
@pytest.mark.parametrize(
    "xml",
    [
        "",
        "   ",
        "<",
        "plain text",
        "<runinfo><device>",
        "<html/>",
        BOMB + "<runinfo>&b;</runinfo>",
        BOMB + "<device>&b;</device>",
        OUTSIDE + "<runinfo/>",
        OUTSIDE + "<device/>",
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><runinfo>&a;</runinfo>',
        "<runinfo>" + "<a>" * 5000 + "</runinfo>",
        "<runinfo>\ud800</runinfo",
    ],
)
def test_bad_documents_are_one_sentence(read, xml):
    with pytest.raises(ProtocolError) as caught:
        read(xml)

    assert "\n" not in str(caught.value)
    assert "in the ADARA stream" in str(caught.value)


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "1e3", "9" * 5000])
def test_a_run_number_that_is_none(number):
    with pytest.raises(ProtocolError, match="run_number, which is not a whole number"):
        read_run_info(f"<runinfo><run_number>{number}</run_number></runinfo>")


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("", "lacks a device_name"),
        ("<device_name>d</device_name><process_variables><process_variable/></process_variables>", "pv_id"),
        (
            "<device_name>d</device_name><process_variables><process_variable><pv_id>z</pv_id>"
            "</process_variable></process_variables>",
            "'z' as pv_id, which is not a whole number",
        ),
        (
            "<device_name>d</device_name><enumerations><enumeration/></enumerations>",
            "lacks a enum_name",
        ),
    ],
)
def test_a_device_that_lacks_something(inside, message):
    with pytest.raises(ProtocolError, match=message):
        read_device(f"<device>{inside}</device>")


def test_a_document_too_long_is_not_read():
    with pytest.raises(ProtocolError, match="more than the"):
        read_run_info("<runinfo>" + " " * LONGEST + "</runinfo>")


def test_nouns_are_frozen():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RunDetails().title = "x"
