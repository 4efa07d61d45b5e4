"""The table of NormalizeDiacritics, as documented; other characters stay."""

from __future__ import annotations

import re
import unicodedata

from cloudforest.program.expressions.functions.values import require_room

_PLAIN = {
    "a": "ä à â ã å á ą ă ā ā́ ā̀ ā̂ ā̃ ǟ ā̈ ǡ a̱ å̄",
    "ae": "æ ǣ",
    "c": "ç č ć c̄ c̱",
    "d": "ď d̄ ḏ",
    "e": "ë è é ê ę ě ė ē ḗ ḕ ē̂ ē̃ ê̄ e̱ ë̄ e̊̄",
    "g": "ğ ḡ g̱",
    "i": "ï î ì í \u0131 ī ī́ ī̀ ī̂ ī̃ i̱",
    "l": "ľ ł l̄ ḹ ḻ",
    "n": "ñ ń ň n̄ ṉ",
    "o": "ö ò ő õ ô ó ō ṓ ṑ ō̂ ō̃ ȫ ō̈ ǭ ȭ ȱ o̱",
    "oe": "ø ø̄ œ̄",
    "r": "ř r̄ ṟ ṝ",
    "ss": "ß",
    "s": "š ś ș ş s̄ s̱",
    "t": "ť ț t̄ ṯ",
    "u": "ü ù û ú ů ű ū ū́ ū̀ ū̂ ū̃ u̇̄ ǖ ṻ ṳ̄ u̱",
    "y": "ÿ ý ȳ ȳ́ ȳ̀ ȳ̃ y̱",
    "z": "ź ž ż z̄ ẕ",
    "A": "Ä À Â Ã Å Á Ą Ă Ā Ā́ Ā̀ Ā̂ Ā̃ Ǟ Ā̈ Ǡ A̱ Å̄",
    "AE": "Æ Ǣ",
    "C": "Ç Č Ć C̄ C̱",
    "D": "Ď D̄ Ḏ",
    "E": "Ë È É Ê Ę Ě Ė Ē Ḗ Ḕ Ē̂ Ē̃ Ê̄ E̱ Ë̄ E̊̄",
    "G": "Ğ Ḡ G̱",
    "I": "Ï Î Ì Í İ Ī Ī́ Ī̀ Ī̂ Ī̃ I̱",
    "L": "Ł Ľ L̄ Ḹ Ḻ",
    "N": "Ñ Ń Ň N̄ Ṉ",
    "O": "Ö Ò Ő Õ Ô Ó Ō Ṓ Ṑ Ō̂ Ō̃ Ȫ Ō̈ Ǭ Ȭ Ȱ O̱",
    "OE": "Ø Ø̄ Œ̄",
    "R": "Ř R̄ Ṟ Ṝ",
    "S": "Š Ś Ș Ş S̄ S̱",
    "T": "Ť Ț T̄ Ṯ",
    "U": "Ü Ù Û Ú Ů Ű Ū Ū́ Ū̀ Ū̂ Ū̃ U̇̄ Ǖ Ṻ Ṳ̄ U̱",
    "Y": "Ÿ Ý Ȳ Ȳ́ Ȳ̀ Ȳ̃ Y̱",
    "Z": "Ź Ž Ż Z̄ Ẕ",
}
_TABLE = {
    unicodedata.normalize("NFC", marked): plain
    for plain, several in _PLAIN.items()
    for marked in several.split()
}
_MARKED = re.compile("|".join(sorted(map(re.escape, _TABLE), key=len, reverse=True)))


def normalize_diacritics(text: str) -> str:
    """Replace letters with marks by plain ones, however the marks are encoded."""
    if text.isascii():
        return text
    require_room(len(text))
    composed = unicodedata.normalize("NFC", text)
    return _MARKED.sub(lambda found: _TABLE[found[0]], composed)
