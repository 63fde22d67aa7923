"""What is shipped: sdist, and the wheel that is built from it, without a network."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROVIDERS = sorted(path.name for path in (ROOT / "providers").glob("*.toml"))
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "st_auth").rglob("*.py"))


def build(target: str, folder: Path, out: Path) -> Path:
    """Run hatchling as pip would, but here: no isolation, nothing is downloaded."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # since Python 3.11.4
    (unpacked,) = folder.iterdir()
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def test_the_sdist_holds_the_package_the_providers_and_the_licence(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {f"providers/{name}" for name in PROVIDERS} <= names
    assert set(SOURCES) <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"} <= names
    assert not any(name.startswith(("tests/", "bench/", "docs/")) or ".streamlit" in name for name in names)


def test_the_wheel_holds_all_that_the_package_reads(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert sorted(n.rpartition("/")[2] for n in names if n.startswith("st_auth/providers/") and n.endswith(".toml")) == PROVIDERS
    assert set(SOURCES) <= set(names)
    assert {"st_auth/py.typed", "st_auth/web/style.css"} <= set(names)
    assert not any(n.startswith(("tests/", "providers/")) or n.endswith((".db", ".pyc")) for n in names)
    entry = next(n for n in names if n.endswith("entry_points.txt"))
    assert "st-auth = st_auth.cli:main" in zipfile.ZipFile(wheel).read(entry).decode()


def test_the_unpacked_wheel_finds_its_own_providers_and_its_style(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)
    script = (
        "import st_auth, st_auth.oauth.profile as p, st_auth.web.pages as pages\n"
        f"assert st_auth.__file__.startswith({str(tmp_path)!r}), st_auth.__file__\n"
        f"print([p.load_profile(n.removesuffix('.toml')).name for n in {PROVIDERS!r}], len(pages.STYLE) > 100)\n"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{script}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )

    assert done.returncode == 0, done.stderr
    assert "Okta" in done.stdout and "True" in done.stdout
