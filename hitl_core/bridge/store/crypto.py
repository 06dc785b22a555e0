"""Encryption of what connections keep: whoever gets hold of the database alone learns no credential from it.

AES-256-GCM, with the row's place as associated data, so that a value moved to another row, connection or tenant does
not decrypt. Several keys make a rotation: the first encrypts, all of them decrypt.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hitl_core.bridge.store.base import Store
from hitl_core.errors import ConfigurationError, StoreError

__all__ = ["KeyRing", "generate_key", "key_file", "keys_of"]

_KEY_BYTES: Final = 32
_FORMAT: Final = b"\x01"
_NAME_BYTES: Final = 4
_NONCE_BYTES: Final = 12
_HEAD: Final = len(_FORMAT) + _NAME_BYTES + _NONCE_BYTES

_rings: WeakKeyDictionary[Store, KeyRing] = WeakKeyDictionary()


def generate_key() -> str:
    """Return a new key as base64 text."""
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


class KeyRing:
    """Keys, the newest first.

    :param keys: base64 texts of 32 bytes each; the first encrypts.
    :raises ConfigurationError: there is none, or one of them is no key.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            msg = "the store has no key; run `hitl db new-key` and give what it prints as the store's key"
            raise ConfigurationError(msg)
        self._ciphers = {_name(key): AESGCM(key) for key in map(_read, keys)}

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._ciphers)}>"

    def encrypt(self, content: bytes, place: Sequence[str]) -> bytes:
        """Encrypt for one place; only there it can be read again.

        :param place: what the row is found by.
        """
        name, cipher = next(iter(self._ciphers.items()))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        head = _FORMAT + name + nonce
        return head + cipher.encrypt(nonce, content, _associated(place))

    def decrypt(self, content: bytes, place: Sequence[str]) -> bytes:
        """Return what was encrypted for this place.

        :raises StoreError: by another key, for another place, or the content is damaged.
        """
        name, nonce = content[len(_FORMAT) : len(_FORMAT) + _NAME_BYTES], content[_HEAD - _NONCE_BYTES : _HEAD]
        cipher = self._ciphers.get(name)
        if len(content) <= _HEAD or content[: len(_FORMAT)] != _FORMAT:
            msg = "what a connection has kept is in no form this version of hitl-core knows; upgrade hitl-core"
            raise StoreError(msg)
        if cipher is None:
            msg = (
                "what a connection has kept was encrypted with a key the store was not given; "
                "give the old one too, after the new one, in the store's key"
            )
            raise StoreError(msg)
        try:
            return cipher.decrypt(nonce, content[_HEAD:], _associated(place))
        except InvalidTag:
            msg = "what a connection has kept was altered or moved in the database; connect the account again"
            raise StoreError(msg) from None


def key_file(database: Path) -> Path:
    """Return where a SQLite database's key is when none is given: beside the file, by whatever link it is named."""
    real = database.resolve()
    return real.with_name(f"{real.name}.key")


def keys_of(store: Store) -> KeyRing:
    """Return a store's keys; for SQLite, one is made and kept beside the file when none was given.

    :raises ConfigurationError: a key is needed, or is none.
    :raises StoreError: the key's file cannot be read or made.
    """
    ring = _rings.get(store)
    if ring is None:
        keys = store.keys
        if not keys and store.path is not None:
            keys = _kept(key_file(store.path))
        ring = _rings[store] = KeyRing(keys)
    return ring


def _kept(path: Path) -> tuple[str, ...]:
    try:
        with suppress(FileNotFoundError):
            return tuple(path.read_text("ascii").split())
        _make(path)
        return tuple(path.read_text("ascii").split())
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        msg = f"the key file {path} cannot be used ({reason}); check its permissions, or give the store a key"
        raise StoreError(msg) from error


def _make(path: Path) -> None:
    """Write a new key; of several processes that do, one wins, and nobody ever sees half a key."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{generate_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        msg = "the store's key is not 32 bytes of base64; run `hitl db new-key` for one"
        raise ConfigurationError(msg)
    return key


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"hitl key name\0" + key).digest()[:_NAME_BYTES]


def _associated(place: Sequence[str]) -> bytes:
    return json.dumps(["hitl", *place]).encode()
