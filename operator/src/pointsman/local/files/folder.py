"""The files as the API: what they state now, and the last good version of what they state wrongly.

An object that cannot be read, or that a check refuses, keeps the version that was admitted before; so a
mistake in an edit changes nothing that runs. An object whose text is gone from its file, or whose file is
gone, is gone; but a file that is empty all at once, a link to nothing, a folder in a file's place or one that
may not be entered is a mistake.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pointsman.api import FleetSettings, GuardrailPolicy, ModelDeployment, ModelRoute, ObjectKey, Secret
from pointsman.api.checks import Unread, check_objects
from pointsman.api.findings import Finding, in_order
from pointsman.api.located import Located, Stated
from pointsman.api.parsing import parse_documents
from pointsman.api.resource import Resource
from pointsman.errors import PointsmanError
from pointsman.local.files.content import NotRegularError, regular_content
from pointsman.local.files.judging import Judge, Judged
from pointsman.local.files.secrets import resolve, secret_files
from pointsman.local.files.watching import SettledChanges, is_gone, manifest_files

Ident = tuple[str, ObjectKey]
"""Kind and key; the fleet settings have an empty key."""

Check = Callable[[Sequence[Located[Stated]], Unread], list[Finding]]
"""What does not fit together among objects; the second says what could not be read."""

R = TypeVar("R", bound=Resource)


def ident_of(stated: Stated) -> Ident:
    key = stated.key if isinstance(stated, Resource) else ObjectKey("", "")
    return (type(stated).__name__, key)


def _ident_of_finding(finding: Finding) -> Ident:
    return (finding.kind, ObjectKey(finding.namespace, finding.name))


def check_locally(objects: Sequence[Located[Stated]], unread: Unread) -> list[Finding]:
    return check_objects(objects, "local", unread=unread)


def _refuse_missing(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise PointsmanError(
            "no such file or folder", where=str(path), todo="name a file or folder of manifests"
        ) from None
    except OSError as error:
        raise PointsmanError(
            f"cannot be read ({os.strerror(error.errno or 0)})",
            where=str(path),
            todo="name another, or check it",
        ) from error


def _unread(findings: Iterable[Finding]) -> Unread:
    """What other objects may refer to although it could not be read."""
    errors = [finding for finding in findings if finding.is_error]
    return Unread(
        objects=frozenset(_ident_of_finding(finding) for finding in errors if finding.name),
        anything=any(not finding.name for finding in errors),
    )


def _meant(finding: Finding, objects: Iterable[Located[Stated]]) -> list[Located[Stated]]:
    """The object that a check complains about: of two with one name, the one above whose line it is."""
    same = [
        located
        for located in objects
        if located.file == finding.file and ident_of(located.resource) == _ident_of_finding(finding)
    ]
    above = [located for located in same if located.line() <= finding.line]
    return [max(above, key=lambda located: located.line())] if above else same[:1]


@dataclass(frozen=True)
class Objects:
    """What is admitted, and what was found wrong.

    `beside` says for each deployment in which folder its file is. `refused` holds the objects whose newest
    version was not admitted, with the reason; an object in it may have a former version that is admitted.
    """

    deployments: Mapping[ObjectKey, ModelDeployment] = field(default_factory=dict)
    routes: Mapping[ObjectKey, ModelRoute] = field(default_factory=dict)
    policies: Mapping[ObjectKey, GuardrailPolicy] = field(default_factory=dict)
    secrets: Mapping[ObjectKey, Secret] = field(default_factory=dict, repr=False)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    beside: Mapping[ObjectKey, Path] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    refused: Mapping[Ident, Finding] = field(default_factory=dict)
    judged: Mapping[ObjectKey, Judged] = field(default_factory=dict)


@dataclass(frozen=True)
class _File:
    objects: tuple[Located[Stated], ...]
    findings: tuple[Finding, ...]

    @property
    def idents(self) -> frozenset[Ident]:
        """What it states and can be read."""
        return frozenset(ident_of(located.resource) for located in self.objects)

    @property
    def is_broken(self) -> bool:
        return any(finding.is_error for finding in self.findings)


class Folder:
    """Manifests below some paths. Not thread-safe; `read` and `refresh` do file work and may be slow."""

    def __init__(
        self,
        paths: Sequence[Path],
        environment: Mapping[str, str],
        check: Check = check_locally,
        judge: Judge | None = None,
    ) -> None:
        self._paths = paths
        self._environment = environment
        self._check = check
        self._judge = judge or Judge()
        self._changes = SettledChanges()
        self._files: dict[Path, _File] = {}
        self._admitted: dict[Ident, Located[Stated]] = {}
        self._secrets: dict[ObjectKey, Secret] = {}
        self._unlisted: dict[str, str] = {}

    def read(self) -> Objects:
        """Read everything for the first time. Raises PointsmanError if a path does not exist."""
        for path in self._paths:
            _refuse_missing(path)
        manifests = self._manifests()
        for path in self._changes.first_look(manifests):
            self._read_file(path)
        objects = self._admit()
        # Files of Secrets are known only now; they were read just before, and count as changed once if they
        # differ.
        self._changes.look(self._watched(manifests))
        return objects

    def refresh(self) -> Objects | None:
        """What is stated now, None if nothing changed since the last answer."""
        unlisted = self._unlisted
        manifests = self._manifests()
        changed = self._changes.look(self._watched(manifests))
        if not changed and unlisted == self._unlisted and not self._judge.is_due:
            return None
        are_manifests = set(manifests)
        for path in changed:
            if not is_gone(path) and (path in are_manifests or path in self._files):
                self._read_file(path)
            else:
                self._files.pop(path, None)
        return self._admit()

    def _manifests(self) -> list[Path]:
        unlisted: dict[str, str] = {}

        def hear(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                unlisted[str(error.filename)] = os.strerror(error.errno or 0)

        found = list(manifest_files(self._paths, hear))
        self._unlisted = unlisted
        return found

    def _watched(self, manifests: list[Path]) -> Iterable[Path]:
        yield from manifests
        # What is no file any more is looked for too: a folder in its place is no manifest.
        yield from self._files
        for located in self._secret_manifests():
            yield from secret_files(located).values()

    def _secret_manifests(self) -> Iterable[Located[Secret]]:
        for located in self._admitted.values():
            if isinstance(located.resource, Secret):
                yield Located(located.resource, located.file, located.document)

    def _read_file(self, path: Path) -> None:
        try:
            text = regular_content(path).decode()
        except NotRegularError as error:
            self._refuse_file(path, error.what, error.todo)
            return
        except (OSError, UnicodeDecodeError) as error:
            reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "it is not UTF-8 text"
            self._refuse_file(path, f"cannot be read ({reason})", "check the file")
            return
        if not text and any(located.file == str(path) for located in self._admitted.values()):
            # More often a full disk or a redirection gone wrong than a wish to end what serves.
            self._refuse_file(
                path, "has become empty; what it stated stays", "write it again, or remove the file"
            )
            return
        objects, findings = parse_documents(str(path), text)
        self._files[path] = _File(tuple(self._same(located) for located in objects), tuple(findings))

    def _refuse_file(self, path: Path, what: str, todo: str) -> None:
        """Take nothing of a file; the last good version of what it stated stays."""
        self._files[path] = _File((), (Finding("error", "", what, todo, file=str(path)),))

    def _same(self, located: Located[Stated]) -> Located[Stated]:
        """The same Python object as before where nothing changed: what is identical is not compiled again."""
        former = self._admitted.get(ident_of(located.resource))
        if former is not None and former.resource == located.resource:
            return replace(located, resource=former.resource)
        return located

    def _admit(self) -> Objects:
        newest = list(self._stated())
        found = [finding for file in self._files.values() for finding in file.findings]
        found += [
            Finding(
                "error",
                "",
                f"cannot be listed ({why})",
                "check the folder; what it stated stays",
                file=folder,
            )
            for folder, why in self._unlisted.items()
        ]
        checked = self._check(newest, _unread(found))
        found += checked
        wrong = {
            id(located) for finding in checked if finding.is_error for located in _meant(finding, newest)
        }
        admitted: dict[Ident, Located[Stated]] = {}
        for located in newest:
            ident = ident_of(located.resource)
            chosen = self._admitted.get(ident) if id(located) in wrong else located
            if chosen is not None:
                admitted.setdefault(ident, chosen)
        judged = self._held_to_policies(admitted, found)
        refused = {
            _ident_of_finding(finding): finding for finding in reversed(in_order(found)) if finding.is_error
        }
        broken = {
            str(path): (next(finding for finding in file.findings if finding.is_error), file.idents)
            for path, file in self._files.items()
            if file.is_broken
        }
        for ident, located in admitted.items():
            mistake, readable = broken.get(located.file, (None, frozenset()))
            if mistake is not None and ident not in readable:
                refused.setdefault(ident, mistake)
        self._admitted = admitted
        return self._objects(found, refused, judged)

    def _held_to_policies(
        self, admitted: dict[Ident, Located[Stated]], found: list[Finding]
    ) -> Mapping[ObjectKey, Judged]:
        """Take out of `admitted` what the policies in it refuse, and add what they say to `found`."""
        judgement = self._judge.judge(list(admitted.values()))
        newest = dict(admitted)
        for located, finding in judgement.findings:
            ident = ident_of(located.resource)
            former = self._admitted.get(ident)
            if finding.is_error and former is not None and former.resource == located.resource:
                # It was there before the rule, or while an exception lasted.
                finding = replace(finding, severity="warning")
            found.append(finding)
            if not finding.is_error:
                continue
            if former is None:
                admitted.pop(ident, None)
            else:
                admitted[ident] = former
        # What was refused is not there, so that no policy counts it.
        return (
            judgement.policies if admitted == newest else self._judge.judge(list(admitted.values())).policies
        )

    def _stated(self) -> Iterable[Located[Stated]]:
        """Every object of every file; in a broken file also the former versions of what cannot be read
        now.
        """
        former: dict[str, list[Located[Stated]]] = {}
        for located in self._admitted.values():
            former.setdefault(located.file, []).append(located)
        for path, file in sorted(self._files.items()):
            yield from file.objects
            if file.is_broken:
                readable = file.idents
                for located in former.get(str(path), ()):
                    if ident_of(located.resource) not in readable:
                        yield located

    def _objects(
        self, found: list[Finding], refused: dict[Ident, Finding], judged: Mapping[ObjectKey, Judged]
    ) -> Objects:
        secrets: dict[ObjectKey, Secret] = {}
        for located in self._secret_manifests():
            resolved = resolve(located, self._environment)
            key = resolved.secret.key
            former = self._secrets.get(key)
            secrets[key] = former if former is not None and former == resolved.secret else resolved.secret
            found = [*found, *resolved.findings]
        self._secrets = secrets
        deployments = self._of(ModelDeployment)
        fleet = [
            located.resource
            for located in self._admitted.values()
            if isinstance(located.resource, FleetSettings)
        ]
        return Objects(
            deployments=deployments,
            routes=self._of(ModelRoute),
            policies=self._of(GuardrailPolicy),
            secrets=secrets,
            fleet=fleet[0] if fleet else FleetSettings(),
            beside={key: Path(self._admitted["ModelDeployment", key].file).parent for key in deployments},
            findings=tuple(in_order(found)),
            refused=refused,
            judged=judged,
        )

    def _of(self, kind: type[R]) -> dict[ObjectKey, R]:
        return {
            located.resource.key: located.resource
            for located in self._admitted.values()
            if isinstance(located.resource, kind)
        }
