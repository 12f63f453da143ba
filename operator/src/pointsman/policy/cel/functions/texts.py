"""Texts: `'a1b2'.find('[0-9]')`, `.findAll('[0-9]')`, through CEL's own regular expressions."""

import re

from pointsman.policy.cel.functions.declaring import INT, LIST, TEXT, function, member


def _find(text: str, pattern: str) -> str:
    found = re.search(pattern, text)
    return found[0] if found is not None else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [one[0] for one in re.finditer(pattern, text)]
    return found if most < 0 else found[:most]


FUNCTIONS = (
    function("find", member("string_find", TEXT, [TEXT, TEXT], _find)),
    function(
        "findAll",
        member("string_find_all", LIST, [TEXT, TEXT], _find_all),
        member("string_find_all_most", LIST, [TEXT, TEXT, INT], _find_all),
    ),
)
