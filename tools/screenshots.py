"""Take the README's pictures from the running demo: `make demo` in one terminal, this in another with `.venv/bin/python`."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

APP = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8501"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def take(page: Page, name: str) -> None:
    """One picture, as small as it stays readable."""
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def take_each(browser: Browser) -> None:
    """What each of the three people sees of the customers, or instead of them."""
    for name in ("Ana", "Ada", "Noa"):
        page = browser.new_context(viewport={"width": 1100, "height": 760}).new_page()
        page.goto(APP)
        page.get_by_role("link", name=name).click()
        page.get_by_role("button", name="Log out").wait_for()
        if name == "Noa":
            page.get_by_text("You have no role yet").wait_for()
        else:
            page.get_by_role("link", name="Customers").click()
            page.locator("[data-testid=stDataFrame]").wait_for()
        page.wait_for_function("document.querySelector('[data-testid=stStatusWidget]') === null")
        take(page, f"as-{name.lower()}")


def main() -> None:
    """Log in as the admin persona, look around, log out; then look as each."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for scheme in ("light", "dark"):
            page = browser.new_context(viewport={"width": 1100, "height": 760}, color_scheme=scheme).new_page()
            page.goto(APP)
            take(page, f"login-{scheme}")
            page.get_by_role("link", name="Ada").click()
            page.get_by_role("button", name="Log out").wait_for()
            page.locator("[data-testid=stDataFrame]").wait_for()
            page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
            page.wait_for_function("document.querySelector('[data-testid=stStatusWidget]') === null")
            take(page, f"dashboard-{scheme}")
            page.get_by_role("button", name="Log out").click()
            page.wait_for_url("**/auth/ended**")
            take(page, f"ended-{scheme}")
        take_each(browser)
        browser.close()


if __name__ == "__main__":
    main()
