"""Whether a text is a regular expression that RE2 reads, which is what Envoy and the API server match with.

Python's own `re` takes and refuses others: it has look-around and backreferences, and lacks `[[:alpha:]]`,
quoting with `\\Q`, and flags in the middle. The syntax is https://github.com/google/re2/wiki/Syntax; a test
compares with Go's reader of the same syntax.
"""

import re
from dataclasses import dataclass

# RE2's limit for {n}, alone and multiplied through nesting.
_MOST_REPEATS = 1000

_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}", re.ASCII)
_NAMED_GROUP = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>", re.ASCII)
_FLAGS = re.compile(r"\(\?([imsU]*)(-[imsU]+)?([:)])", re.ASCII)
_POSIX_CLASS = re.compile(
    r"\[:\^?(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]",
    re.ASCII,
)
# Which names Unicode has changes with its versions, so any name will do here.
_UNICODE_CLASS = re.compile(r"\\[pP]([CLMNPSZ]|\{\^?[A-Za-z_]+\})", re.ASCII)
_PERL_CLASS = re.compile(r"\\[dDsSwW]", re.ASCII)
_ASSERTION = re.compile(r"\\[AbBz]", re.ASCII)
_ESCAPE = re.compile(
    r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2}|x[0-9A-Fa-f]{2}|x\{(?P<code>[0-9A-Fa-f]+)\}|[afnrtv]|[\x00-\x7f])",
    re.ASCII,
)
_LAST_CODE_POINT = 0x10FFFF


class _Malformed(Exception):
    pass


def is_regular_expression(text: str) -> bool:
    """Whether RE2 can read it."""
    try:
        _Reader(text).read()
    except _Malformed:
        return False
    return True


@dataclass(slots=True)
class _Group:
    """An open group: the repeats inside it multiply with those around it."""

    operand: int = 0
    """How often the last operand repeats, 0 where there is none."""
    most: int = 1

    def add(self, repeats: int) -> None:
        self.operand = repeats
        self.most = max(self.most, repeats)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._groups = [_Group()]
        self._names: set[str] = set()

    def read(self) -> None:
        repeated = False
        while self._at < len(self._text):
            repeated = self._next(repeated)
        if len(self._groups) > 1:
            raise _Malformed

    def _next(self, after_repeat: bool) -> bool:
        """Reads one element; returns whether it was a repetition."""
        character = self._text[self._at]
        if character in "*+?":
            self._at += 1
            self._repeat(1, after_repeat)
            return True
        if character == "{" and (counted := self._take(_REPEAT)) is not None:
            self._repeat(_count(counted), after_repeat)
            return True
        match character:
            case "(":
                self._open()
            case ")":
                self._close()
            case "|":
                self._at += 1
                self._groups[-1].operand = 0
            case "[":
                self._class()
            case "\\":
                self._backslash()
            case _:
                self._at += 1
                self._groups[-1].add(1)
        return False

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _repeat(self, times: int, after_repeat: bool) -> None:
        if self._text.startswith("?", self._at):
            self._at += 1
        group = self._groups[-1]
        if after_repeat or group.operand == 0:
            raise _Malformed
        if times >= 2 and group.operand * times > _MOST_REPEATS:
            raise _Malformed
        group.add(max(1, group.operand * times) if times else 1)

    def _open(self) -> None:
        if not self._text.startswith("(?", self._at):
            self._at += 1
        elif (named := self._take(_NAMED_GROUP)) is not None:
            if named[1] in self._names:
                raise _Malformed
            self._names.add(named[1])
        elif (flags := self._take(_FLAGS)) is not None:
            if flags[3] == ")":
                return
        else:
            raise _Malformed
        self._groups.append(_Group())

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise _Malformed
        self._at += 1
        inner = self._groups.pop()
        self._groups[-1].add(inner.most)

    def _backslash(self) -> None:
        if self._text.startswith("\\Q", self._at):
            end = self._text.find("\\E", self._at)
            quoted = self._text[self._at + 2 : end if end >= 0 else None]
            self._at = end + 2 if end >= 0 else len(self._text)
            if quoted:
                self._groups[-1].add(1)
            return
        if (
            self._take(_ASSERTION) is None
            and self._take(_PERL_CLASS) is None
            and self._take(_UNICODE_CLASS) is None
        ):
            self._escape()
        self._groups[-1].add(1)

    def _escape(self) -> int:
        """Reads an escaped character and returns its code."""
        found = self._take(_ESCAPE)
        if found is None:
            raise _Malformed
        body = found[1]
        if found["code"] is not None:
            code = int(found["code"], 16)
            if code > _LAST_CODE_POINT:
                raise _Malformed
            return code
        if body[0] == "x" and len(body) == 3:
            return int(body[1:], 16)
        if body[0] in "01234567" and (len(body) > 1 or body == "0"):
            return int(body, 8)
        if body.isalnum() and body not in "afnrtv":
            raise _Malformed
        return ord({"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}.get(body, body))

    def _class(self) -> None:
        self._at += 2 if self._text.startswith("[^", self._at) else 1
        first = True
        while first or not self._text.startswith("]", self._at):
            first = False
            if self._at >= len(self._text):
                raise _Malformed
            if self._text.startswith("[:", self._at) and self._take(_POSIX_CLASS) is not None:
                continue
            if self._text.startswith("[:", self._at) and ":]" in self._text[self._at + 2 :]:
                raise _Malformed  # a class that does not exist
            if self._take(_PERL_CLASS) is None and self._take(_UNICODE_CLASS) is None:
                self._range()
        self._at += 1
        self._groups[-1].add(1)

    def _range(self) -> None:
        low = self._class_character()
        if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
            self._at += 1
            if self._class_character() < low:
                raise _Malformed

    def _class_character(self) -> int:
        if self._at >= len(self._text):
            raise _Malformed
        if self._text[self._at] == "\\":
            return self._escape()
        self._at += 1
        return ord(self._text[self._at - 1])


def _count(counted: re.Match[str]) -> int:
    """How often {n}, {n,} or {n,m} repeats at most; n where it has no end."""
    least = int(counted[1]) if len(counted[1]) <= 4 else _MOST_REPEATS + 1
    most = least if counted[3] is None else int(counted[3]) if len(counted[3]) <= 4 else _MOST_REPEATS + 1
    if most < least or most > _MOST_REPEATS:
        raise _Malformed
    return most
