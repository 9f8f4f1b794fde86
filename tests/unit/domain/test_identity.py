"""Identities: equal content, equal id; anything that changes the work changes it."""

import re
import subprocess
import sys

from pydicom.uid import UID

from bedside.domain.arrival import arrival_id, entry_id
from bedside.domain.identity import ID_LENGTH, canonical_json, derived_uid, digest, short_id
from ledger_samples import make_arrival, make_file


def test_key_order_does_not_matter_but_list_order_does() -> None:
    assert canonical_json({"b": 1, "a": [1, 2]}) == b'{"a":[1,2],"b":1}'
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert canonical_json("é") == '"é"'.encode()


def test_ids_are_short_stable_and_the_same_in_every_process() -> None:
    assert short_id(["ward", 1]) == short_id(("ward", 1))
    assert re.fullmatch(rf"[0-9a-f]{{{ID_LENGTH}}}", short_id(["ward", 1]))
    code = "from bedside.domain.identity import short_id; print(short_id({'b': [1], 'a': 'é'}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == short_id({"a": "é", "b": [1]})


def test_derived_uid_is_valid_and_depends_on_each_part() -> None:
    uids = [
        derived_uid("job", "seg"),
        derived_uid("job", "sr"),
        derived_uid("jo", "bseg"),
        derived_uid("jobseg"),
    ]
    assert len(set(uids)) == 4
    for uid in uids:
        assert UID(uid).is_valid
        assert len(uid) <= 64
        number = int(uid.removeprefix("2.25."))
        assert number < 2**128
        assert (number >> 76) & 0xF == 8  # the version field of the UUID
        assert (number >> 62) & 0b11 == 0b10  # and its variant
    assert derived_uid("job", "seg") == uids[0]


def test_arrival_id_is_of_content_not_of_order_or_repetition() -> None:
    one, two = make_file(1), make_file(2)
    assert arrival_id([one, two]) == arrival_id([two, one, two])
    assert arrival_id([one]) != arrival_id([one, two])
    assert make_arrival(1, 2).id == make_arrival(2, 1).id
    assert make_arrival(1).manifest_key == f"arrivals/{make_arrival(1).id}/manifest.json"


def test_entry_id_tells_tenants_keys_and_changes_apart() -> None:
    ids = {entry_id("ward", "a.zip", "1"), entry_id("clinic", "a.zip", "1"), entry_id("ward", "a.zip", "2")}
    assert len(ids) == 3
    assert not any("zip" in made for made in ids)
