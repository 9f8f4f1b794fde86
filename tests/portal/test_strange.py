"""Whatever stands in addresses, forms and headers, no page breaks, nor writes it out as a part of itself."""

from collections.abc import Iterator

import pytest

from portal_filled import filled
from portal_results import READING, Made
from strange import House

SIGN_UP = READING.replace("[portal]", "[portal]\nsign_up = true")


@pytest.fixture(scope="module")
def house(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with filled(made_result, tmp_path_factory.mktemp("strange"), SIGN_UP) as opened:
        yield House(opened=opened, made=made_result)


def test_no_page_breaks_whatever_its_address_says(house: House) -> None:
    wrong = house.pages()
    assert wrong == [], "\n".join(wrong)


def test_no_form_breaks_whatever_is_written_in_it(house: House) -> None:
    wrong = house.forms()
    assert wrong == [], "\n".join(wrong)


def test_nothing_breaks_whatever_the_headers_say(house: House) -> None:
    wrong = house.headers()
    assert wrong == [], "\n".join(wrong)
