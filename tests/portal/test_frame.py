"""What every answer of the portal has: headers, languages, errors, and a need for somebody."""

import re
from pathlib import Path

import pytest

from bedside.portal.shell import statics
from bedside.portal.shell.words import LANGUAGES, catalogue, chosen
from portal_site import ADMIN, CLINICIAN, Site, person

PORTAL = Path(__file__).parents[2] / "src" / "bedside" / "portal"


def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(portal: Site) -> None:
    answer = portal.client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*(src=|application/json))|\sstyle=|\son\w+=", answer.text)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", answer.text)
    for address in re.findall(r"""(?:src|href)=["'](/static/[^"']+)""", answer.text):
        got = portal.client.get(address)
        assert got.status_code == 200, address
        assert "immutable" in got.headers["cache-control"]


def test_nobody_is_sent_to_sign_in_and_comes_back(portal: Site) -> None:
    client = portal.asks(None)
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    part = client.get("/", headers={"HX-Request": "true"})
    assert part.headers["hx-redirect"] == "/sign-in"
    assert client.get("/health").json()["status"] == "ok"


def test_a_page_shows_only_tenants_in_which_somebody_has_a_right(portal: Site) -> None:
    assert "default" in portal.asks(CLINICIAN).get("/").text
    assert "ward-3" not in portal.client.get("/").text
    assert "ward-3" in portal.asks(ADMIN).get("/").text
    assert "Ask your administrator" in portal.asks(person()).get("/").text


def test_pages_speak_the_language_that_was_chosen(portal: Site) -> None:
    portal.gate.language = ""
    assert 'lang="es"' in portal.client.get("/", headers={"Accept-Language": "fr, es-MX;q=0.8"}).text
    answer = portal.client.get("/language/es", params={"next": "//elsewhere.example/"})
    assert answer.headers["location"] == "/"
    assert "¿Dónde" in portal.client.get("/").text


def test_a_wrong_address_is_a_page_for_people_and_a_problem_for_scripts(portal: Site) -> None:
    page = portal.client.get("/nothing")
    assert page.status_code == 404 and "There is nothing here" in page.text
    assert "Aquí no hay nada" in portal.client.get("/nothing", headers={"Cookie": "language=es"}).text
    problem = portal.client.get("/api/v1/nothing")
    assert problem.status_code == 404
    assert problem.headers["content-type"] == "application/problem+json"


def test_every_text_has_every_language_and_the_same_values() -> None:
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        holes = {language: sorted(re.findall(r"\{(\w+)\}", text)) for language, text in texts.items()}
        assert len({tuple(found) for found in holes.values()}) == 1, (key, holes)


def test_every_text_that_a_page_names_is_in_the_catalogue() -> None:
    named = set()
    for file in [*PORTAL.rglob("*.html"), *PORTAL.rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        named |= set(re.findall(r"""\bt\(["']([\w.]+)["'](?!\s*~)""", text))
    assert named - set(catalogue()) == set()


@pytest.mark.parametrize(
    ("wish", "accepted", "spoken"), [("es", "en", "es"), ("", "de, en;q=0.1", "en"), ("x", "", "en")]
)
def test_the_language_is_the_first_that_there_is(wish: str, accepted: str, spoken: str) -> None:
    assert chosen(wish, accepted) == spoken


def test_code_that_is_brought_while_the_portal_answers_is_found(
    portal: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(statics.FOLDERS, "vendor", tmp_path)
    assert "htmx" not in portal.client.get("/").text.replace("htmx-config", "")
    (tmp_path / "htmx.min.js").write_text("1")
    assert "/vendor/htmx.min.js?v=" in portal.client.get("/").text
