"""What becomes of looks at a device: times, and a picture of them."""

import xml.etree.ElementTree as ET

from demo.upgrade.timeline import Line, Mark, Span, draw


def test_what_stays_so_is_one_time_and_a_change_ends_it() -> None:
    line = Line("pc1")
    for at, server in ((1.0, "s1"), (2.0, "s1"), (3.0, "s2")):
        line.see(at, server)
    assert line.spans == [Span(0.0, 2.0, "s1"), Span(2.0, 3.0, "s2")]
    assert line.waits == []


def test_what_was_not_looked_at_is_not_known() -> None:
    line = Line("pc1", longest_gap=2.0)
    for at, server in ((1.0, "s1"), (9.0, "s1"), (10.0, None), (11.0, "s1")):
        line.see(at, server)
    assert line.spans == [Span(0.0, 1.0, "s1"), Span(9.0, 9.0, "s1"), Span(10.0, 11.0, "s1")]


def test_a_wait_is_as_long_as_it_was_seen() -> None:
    line = Line("pc1")
    for at, waits in ((1.0, False), (2.0, True), (3.0, True), (4.0, False)):
        line.see(at, "s1", is_waiting=waits)
    assert line.waits == [Span(1.0, 3.0, "waits")]


def test_the_picture_names_everything_and_keeps_words_apart() -> None:
    server, device = Line("s<1>"), Line("pc1")
    server.see(1.0, "4.0")
    device.see(1.0, "s1", is_waiting=True)
    marks = [Mark(0.5, "drain s1"), Mark(0.5, "s1 is killed", is_deed=True)]
    picture = ET.fromstring(draw("4.0 & 5.0", [server], [device], marks, 1.0))  # noqa: S314 - ours
    texts = [one for one in picture.iter() if one.tag.endswith("text")]
    assert {"4.0 & 5.0", "s<1>", "pc1", "fed by s1", "runs 4.0", "drain s1", "s1 is killed"} <= {
        one.text for one in texts
    }
    places = [one.get("transform") for one in texts if one.get("transform")]
    assert len(set(places)) == 2
