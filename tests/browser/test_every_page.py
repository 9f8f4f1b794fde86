"""Every page of the portal, under axe and on a phone: whatever is added is looked at here by itself.

One test opens what an address leads to. The other walks on through the states of pages that no address alone
leads to; a template that no page on its way was made from fails it by name.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from clouds import Cloud
from portal_accounts import Clinic
from portal_at_work import at_work
from portal_filled import EMAIL, PASSWORD, filled, pages
from portal_looking import Looker, let_tell, templates
from portal_results import Made
from portal_serving import serving
from portal_walks import doors, invited, links, new_portal, nothing_yet, people, provider, second_factors
from portal_walks_work import departments, letters, operating, refused, with_dead_letters, without_ohif, work

pytestmark = pytest.mark.needs("chromium", "axe-core")

#: Not ours to mend: OHIF draws all of that page.
THEIRS = {"ohif/viewer.html"}


def test_every_page_is_for_everybody(made_result: Made, browser: Browser, tmp_path: Path) -> None:
    look = Looker.of(browser, width=1280, scheme="light", language="en")
    with filled(made_result, tmp_path) as ward, serving(ward.app) as look.url:
        look.sign_in(EMAIL, PASSWORD)
        every_route(look, ward, made_result)
    done(look)


def test_every_page_in_every_state_fits_a_phone_in_the_dark_and_in_spanish(
    made_result: Made, browser: Browser, cloud: Cloud, tmp_path: Path
) -> None:
    look = Looker.of(browser, width=390, scheme="dark", language="es", both=True)
    for name in ("new", "filled", "aws", "nothing"):
        (tmp_path / name).mkdir()
    with new_portal(tmp_path / "new") as (fresh, look.url):
        doors(look, fresh)
        nothing_yet(look)
        provider(look)
        look.sign_in("ana@ward.example", PASSWORD)
        second_factors(look, fresh)
    with filled(made_result, tmp_path / "filled") as ward:
        let_tell(ward.app)
        at_work(ward, made_result, tmp_path)
        with serving(ward.app) as look.url:
            links(look, ward)
            every_route(look, ward, made_result)
            people(look, ward)
            work(look, ward, made_result)
            departments(look)
            operating(look, ward)
            without_ohif(look, made_result, tmp_path / "nothing")
            refused(look, ward)
    with with_dead_letters(tmp_path / "aws", cloud) as look.url:
        letters(look)
    done(look)
    assert templates() - THEIRS - look.seen == set(), "nothing above opens a page that is made from these"


def done(look: Looker) -> None:
    """Fail with all that was found."""
    look.page.context.close()
    assert not look.problems, "\n".join(look.problems)


def every_route(look: Looker, ward: Clinic, made: Made) -> None:
    """Open each page that an address leads to, public ones by somebody who is not signed in."""
    lin = ward.people.accounts.by_email("lin@ward.example")
    assert lin is not None
    every = dict(pages(made, account=lin.id, invitation=invited(ward, "some@ward.example")))
    public = [every.pop(path) for path in ("/sign-in", "/recover", "/join/{token}")]
    for address in every.values():
        look.at(address)
    look.sign_out()
    for address in public:
        look.at(address)
    look.sign_in(EMAIL, PASSWORD)
