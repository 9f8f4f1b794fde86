"""The layers of models: each bundle's files that matter, below a folder of its own.

Owns which files of a bundle travel. Models are what changes from one MAP to the next, so their layers can
be made, and sent, before anybody knows what lies below them.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bedside.errors import UsageError
from bedside.model.bundle import Bundle
from bedside.model.layout import matters, unpack_bundle
from bedside.oci.compress import Compression
from bedside.oci.descriptor import sha256_digest
from bedside.oci.layer import bake
from bedside.oci.map import paths
from bedside.oci.map.spec import model_folder
from bedside.oci.parts import Entry, Recipe
from bedside.package.workplace import Workplace

#: Changes with what this module writes beside the files themselves.
RULES = 1


def bake_models(bundles: Sequence[Bundle], compression: Compression, place: Workplace) -> None:
    """Make the layers of models ahead of the rest; whoever composes the MAP finds them in the cache.

    Raises:
        UsageError: Two bundles have the same name.
        ConfigError: A bundle is not what it says.
        Unavailable: The disk is full, or a bundle changed while it was packed.
    """
    for recipe in model_recipes(bundles, place.scratch):
        place.say(recipe.comment, None)
        place.take(bake(recipe, cache=place.cache, compression=compression).part)


def model_recipes(bundles: Sequence[Bundle], scratch: Path) -> list[Recipe]:
    """Return the layers of all models of a MAP.

    Raises:
        UsageError: Two bundles have the same name.
    """
    folders = [model_folder(bundle.name) for bundle in bundles]
    for folder in folders:
        if folders.count(folder) > 1:
            raise UsageError(f"two bundles are called {folder}; a MAP holds each name once")
    return [model_recipe(bundle, scratch) for bundle in bundles]


def model_recipe(bundle: Bundle, scratch: Path) -> Recipe:
    """Return the layer of one model: the bundle's files that matter, below its own folder.

    Args:
        bundle: A folder or an archive.
        scratch: Folder where an archive is unpacked when the layer is made; lives until then.
    """
    name = model_folder(bundle.name)
    return Recipe(
        key=sha256_digest(json.dumps(["model", RULES, name, bundle.digest], sort_keys=True).encode()),
        comment=f"model {bundle.name} {bundle.version}",
        entries=partial(_model_entries, bundle, name, scratch),
    )


def _model_entries(bundle: Bundle, name: str, scratch: Path) -> Iterator[Entry]:
    root = bundle.path
    if not root.is_dir():
        root = unpack_bundle(root, scratch / name)
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if path.is_file() and matters(relative):
            yield Entry(path=f"{paths.entry_path(paths.MODELS)}/{name}/{relative}", content=path)
