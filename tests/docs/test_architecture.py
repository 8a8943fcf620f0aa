"""The picture of the layers and the map of the folders are as the code is."""

import ast
import re

from tests.ground_rules.code import APPS, BASE_DIR, Source, imports, product

PAGE = (BASE_DIR / "docs" / "architecture.md").read_text()
NO_ROOMS = ("management", "migrations")  # Django's own folders count as the app's top


def picture() -> dict[str, int]:
    """Folder to the line that it stands on; a larger one is further down."""
    (block,) = re.findall(r"```layers\n(.*?)```", PAGE, re.DOTALL)
    app, found = "", {}
    for number, line in enumerate(block.splitlines()):
        if not line.startswith(" "):
            app = line
        found |= {app if word == app else f"{app}/{word}": number for word in line.split()}
    return found


def room(module: str, folders: set[str]) -> str:
    """The folder that a module, or a name in it, belongs to: the longest that there is."""
    words = module.split(".")
    paths = ["/".join(words[:end]) for end in range(len(words), 0, -1)]
    return next(path for path in paths if path in folders)


def folders() -> set[str]:
    found = {source.path.rpartition("/")[0] for source in product()}
    return {folder for folder in found if not set(folder.split("/")) & set(NO_ROOMS)}


def climbs(source: Source, lines: dict[str, int]) -> list[str]:
    """The imports of a file that do not point down in the picture."""
    home = room(source.module, set(lines))
    targets = [(name, node) for name, node in imports(source) if name.split(".")[0] in APPS]
    rooms = [(room(name, set(lines)), node) for name, node in targets]
    return [f"{source.where(node)}: {there}" for there, node in rooms if there != home and lines[there] <= lines[home]]


def test_the_picture_shows_every_folder() -> None:
    assert set(picture()) == folders()


def test_every_import_points_down_in_the_picture() -> None:
    lines = picture()
    assert [climb for source in product() for climb in climbs(source, lines)] == []


def test_an_import_that_points_up_is_found() -> None:
    upward = Source("polling/jobs/x.py", "from polling.sweep import sweeper\nfrom polling.base import clock")
    assert climbs(upward, picture()) == ["polling/jobs/x.py:1: polling/sweep"]


def test_the_map_says_of_every_folder_what_its_package_says() -> None:
    told = dict(re.findall(r"^\| `([\w/]+)` \| (.+) \|$", PAGE.split("## Map")[1].split("\n## ")[0], re.MULTILINE))
    assert told == {folder: first_line(folder) for folder in folders() | {"runner_images"}}


def first_line(folder: str) -> str:
    text = ast.get_docstring(ast.parse((BASE_DIR / folder / "__init__.py").read_text())) or ""
    return text.partition("\n")[0].replace("``", "`")
