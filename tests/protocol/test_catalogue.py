"""The catalogue's form. That every code raised anywhere is in it is tested in tests/fairshare/test_catalogue.py."""

from protocol.catalogue import GROUPS, Entry, explain

ENTRIES = [entry for group in GROUPS.values() for entry in group.values()]


def test_a_code_means_one_thing_everywhere():
    assert len({entry.code for entry in ENTRIES}) == len(ENTRIES) > 45
    assert len({entry.sentence for entry in ENTRIES}) == len(ENTRIES)


def test_every_entry_is_a_sentence_and_all_but_ok_say_what_to_do():
    for code, sentence, next_step in ENTRIES:
        assert code.replace("-", "").isalpha()
        assert code == code.lower()
        assert sentence[0].isupper(), code
        assert sentence.endswith("."), code
        assert (next_step == "") == (code == "ok"), code
        assert next_step == "" or next_step.endswith("."), code


def test_a_code_is_found_whatever_its_group():
    assert [explain(code) for code in ("clipped", "too-late", "not-closed")] == [
        GROUPS["verdict"]["clipped"],
        GROUPS["refusal"]["too-late"],
        GROUPS["void"]["not-closed"],
    ]
    assert explain("nothing-of-ours") is None
    assert isinstance(explain("ok"), Entry)
