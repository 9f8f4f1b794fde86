"""Looking at pages of a portal in a browser: axe, their width, their language, and what they are made from.

Which templates made a page stands in a header that only tests send, so that a page which nobody opened under
axe is missed by name.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from fastapi import FastAPI
from playwright.sync_api import Browser, Page, Response
from starlette.responses import HTMLResponse

from bedside.config.portal import PortalSettings
from bedside.portal.here import Here
from bedside.portal.shell.pages import Pages

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
#: All that changes with the colours of a page.
COLOURS = {"runOnly": ["color-contrast"]}
CHECK = """
(options) => axe.run({resultTypes: ["violations"], preload: false, ...options})
  .then((r) => r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`))
"""
#: Opens all that is closed, and returns how much too wide the page is, what it speaks, and what stands there
#: in English though it speaks otherwise, said neither to be so nor by a person.
READ = """
() => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const page = document.documentElement, english = [];
  const is = /\\b(the|of|and|is|are|was|not|with|this|that)\\b/i;
  const theirs = "[lang=en], code, script, textarea, .words";
  const hear = (said, where) => {
    if (page.lang !== "en" && is.test(said) && !where.closest(theirs)) english.push(said.trim());
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) hear(walk.currentNode.data, walk.currentNode.parentElement);
  for (const name of ["title", "alt", "placeholder", "aria-label"]) {
    document.querySelectorAll(`[${name}]`).forEach((each) => hear(each.getAttribute(name), each));
  }
  return {wide: page.scrollWidth - page.clientWidth, lang: page.lang, english};
}
"""
#: Where an answer names its templates.
MADE_FROM = "X-Made-From"
ERROR = "shell/error.html"
PARTS = Path(__file__).parents[1] / "src" / "bedside" / "portal" / "templates"


class TellingPages(Pages):
    """Pages whose answers name the templates that they were made from: their own, and each part used."""

    def __init__(self, settings: PortalSettings) -> None:
        super().__init__(settings)
        self._used: ContextVar[set[str]] = ContextVar("used")
        find: Callable[..., Any] = self._environment.get_template

        def noting(name: str, *more: Any, **values: Any) -> Any:
            self._used.get(set()).add(name)
            return find(name, *more, **values)

        # Compiled templates ask their environment for what they extend, include and import.
        self._environment.get_template = noting  # type: ignore[method-assign]

    def render(self, *given: Any, **values: Any) -> HTMLResponse:
        """Return a page that says what it was made from."""
        before = self._used.set(set())
        try:
            answer = super().render(*given, **values)
            answer.headers[MADE_FROM] = ",".join(sorted(self._used.get()))
        finally:
            self._used.reset(before)
        return answer


def let_tell(app: FastAPI) -> None:
    """Let a portal say what its pages are made from."""
    here: Here = app.state.here
    app.state.here = replace(here, pages=TellingPages(here.deployment.settings.portal))


def templates() -> set[str]:
    """Return the names of all templates."""
    return {path.relative_to(PARTS).as_posix() for path in PARTS.rglob("*.html")}


@dataclass
class Looker:
    """A browser's window that looks closely at each page that it is shown.

    Attributes:
        page: Its tab.
        scheme: Its colours, light or dark.
        language: That pages must speak.
        both: Whether the other colours are looked at as well, where a template is new.
        problems: What was found, with the path of the page.
        seen: Templates of the pages that were looked at.
        url: Of the portal that is looked at now.
    """

    page: Page
    scheme: Literal["light", "dark"]
    language: str
    both: bool = False
    problems: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    url: str = ""
    _open: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls,
        browser: Browser,
        *,
        width: int,
        scheme: Literal["light", "dark"],
        language: str,
        both: bool = False,
    ) -> Self:
        """Open a window."""
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=language
        )
        context.add_init_script(path=AXE)
        made = cls(page=context.new_page(), scheme=scheme, language=language, both=both)
        made.page.on("response", made._hear)
        return made

    def _hear(self, answer: Response) -> None:
        if answer.request.is_navigation_request():
            self._open.clear()
        self._open |= set(filter(None, answer.headers.get(MADE_FROM.lower(), "").split(",")))

    def go(self, path: str) -> None:
        """Go somewhere without looking."""
        self.page.goto(self.url + path)

    def at(self, path: str, *, status: int = 200) -> None:
        """Go to a page, and look at it."""
        answer = self.page.goto(self.url + path)
        got = answer.status if answer is not None else 0
        if got != status:
            self.problems.append(f"{urlsplit(path).path}: answered {got} instead of {status}")
        self.look(refused=status >= 400)

    def sign_in(self, email: str, password: str) -> None:
        """Come in by the page, up to what comes after it."""
        self.go("/sign-in")
        self.fill(email=email, password=password)
        self.press("main form:has(#password) button")

    def sign_out(self) -> None:
        """Forget who was signed in."""
        self.page.context.clear_cookies()

    def fill(self, **fields: str) -> None:
        """Fill in fields, by their ids."""
        for name, text in fields.items():
            self.page.locator(f"#{name}").fill(text)

    def press(self, selector: str) -> None:
        """Press a button or a link that leads to another page, and wait for it."""
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()

    def look(self, *, refused: bool = False) -> None:
        """Note what is wrong with the page that is open, with all its closed parts opened.

        Args:
            refused: Whether it may be one that says only that something did not work.
        """
        page, address = self.page, urlsplit(self.page.url).path
        read = page.evaluate(READ)
        wrong: list[str] = page.evaluate(CHECK, {})
        if self.both and not self._open <= self.seen:
            other: Literal["light", "dark"] = "light" if self.scheme == "dark" else "dark"
            page.emulate_media(color_scheme=other)
            wrong += [f"{other}: {said}" for said in page.evaluate(CHECK, COLOURS)]
            page.emulate_media(color_scheme=self.scheme)
        if read["wide"] > 0:
            wrong.append(f"{read['wide']} pixels too wide")
        if read["lang"] != self.language:
            wrong.append(f"speaks {read['lang']}")
        wrong += [f"speaks English: {said}" for said in read["english"]]
        if ERROR in self._open and not refused:
            wrong.append(f"an error: {page.locator('main').inner_text()}")
        self.problems += [f"{address}: {said}" for said in wrong]
        self.seen |= self._open
