"""A recipe becomes a layer: tar, compression and both digests in one pass, or the cache's answer.

Owns the key under which the cache knows a layer: the recipe's inputs, the form of the tar and what
compresses it. Reads nothing of a layer's files where that key is known.
"""

import json

from bedside.oci.cache import Known, LayerCache
from bedside.oci.compress import BLOCK_BYTES, Compression, blocks, compress
from bedside.oci.descriptor import sha256_digest
from bedside.oci.hashing import Hasher
from bedside.oci.parts import Layer, Recipe
from bedside.oci.tar import TAR_VERSION, tar


def bake(recipe: Recipe, *, cache: LayerCache, compression: Compression = Compression.GZIP) -> Layer:
    """Make a layer.

    Args:
        recipe: What it holds.
        cache: Where it lies, already or from now on.
        compression: How it is compressed.

    Raises:
        ConfigError: Two entries contradict each other, or a file is missing.
        Unavailable: The disk is full, or a file changed while it was read.
    """
    key = layer_key(recipe, compression)
    known = cache.known(key)
    if known is None:
        with cache.making(key):
            known = cache.known(key) or _made(key, recipe, cache, compression)
    return Layer(part=known.part, diff_id=known.diff_id, comment=recipe.comment)


def layer_key(recipe: Recipe, compression: Compression) -> str:
    """Return the digest over all that determines a layer's bytes."""
    return sha256_digest(json.dumps([recipe.key, TAR_VERSION, compression.fingerprint]).encode())


def _made(key: str, recipe: Recipe, cache: LayerCache, compression: Compression) -> Known:
    with Hasher() as hasher:
        # Hashed in blocks: a tar of many small files is given to the other thread a megabyte at a time.
        plain = hasher.noting(blocks(tar(recipe.entries()), BLOCK_BYTES))
        part = cache.store(compress(plain, compression), compression.media_type)
        return cache.remember(key, part, f"sha256:{hasher.hexdigest()}")
