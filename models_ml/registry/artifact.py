"""Models as bytes and back, by skops and never by pickle: what is loaded is of declared types only.

skops is imported when it is first used: it imports all of scikit-learn, over a second that every build would pay.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import PurePath
from typing import Any
from zipfile import ZipFile, ZipInfo

_SCHEMA = "schema.json"


def dump(model: object, trusted: Sequence[type]) -> bytes:
    """A model as bytes; equal models give equal bytes.

    ``trusted`` are the types that it may consist of beyond those that skops trusts by itself (numbers, texts,
    containers, arrays, scikit-learn's estimators). Raises ValueError when it consists of others too, for those could
    not be loaded.
    """
    from skops.io import dumps  # noqa: PLC0415 - see above

    content = _canonical(dumps(model))
    _check(content, trusted)
    return content


def load(content: bytes, trusted: Sequence[type], artifact_hash: str) -> Any:
    """The model of which :func:`dump` made these bytes.

    Raises ValueError, before anything of the content is built, when its hash is another than ``artifact_hash`` or when
    it holds a type that is not ``trusted``.
    """
    found = hash_of(content)
    if found != artifact_hash:
        raise ValueError(
            f"The artifact's hash is {found}, not {artifact_hash}; it was altered or belongs to another model."
        )
    from skops.io import loads  # noqa: PLC0415 - see above

    _check(content, trusted)
    return loads(content, trusted=list(trusted))


def hash_of(content: bytes) -> str:
    """SHA-256 of an artifact, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _check(content: bytes, trusted: Sequence[type]) -> None:
    from skops.io import get_untrusted_types  # noqa: PLC0415 - see above

    declared = {f"{each.__module__}.{each.__qualname__}" for each in trusted}
    others = sorted(set(get_untrusted_types(data=content)) - declared)
    if others:
        raise ValueError(
            f"The model holds {', '.join(others)}, which are not declared as trusted; review and declare them."
        )


def _canonical(content: bytes) -> bytes:
    """The same archive without what changes from dump to dump: object ids, names of files, times."""
    with ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop(_SCHEMA))
    names = {name: hash_of(data) + PurePath(name).suffix for name, data in files.items()}
    ids = count()

    def renamed(node: Any) -> Any:
        if isinstance(node, list):
            return [renamed(each) for each in node]
        if not isinstance(node, Mapping):
            return node
        # A model's own fields of these names hold further nodes, never plain values.
        plain = {key: value for key, value in node.items() if not isinstance(value, Mapping)}
        own = {"__id__": next(ids)} if "__id__" in plain else {}
        file = {"file": names[plain["file"]]} if "file" in plain else {}
        return {key: renamed(value) for key, value in node.items()} | own | file

    contents = {names[name]: data for name, data in files.items()} | {_SCHEMA: json.dumps(renamed(schema)).encode()}
    written = io.BytesIO()
    with ZipFile(written, "w") as archive:
        for name in sorted(contents):
            archive.writestr(ZipInfo(name), contents[name])
    return written.getvalue()
