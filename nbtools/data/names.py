"""Names of images in one spelling."""

from __future__ import annotations

import unicodedata


def name_key(name: str) -> str:
    """The name in one spelling: upper case and the encoding of accents do not count."""
    return unicodedata.normalize("NFC", name).casefold()
