"""Becomes another program that ends when the thread that started it ends: `python tether.py PARENT COMMAND…`.

With `--mounts JSON` before the command, it starts it as the first process of namespaces of its own (mounts,
processes), stays as its parent, hands signals on and ends as it does; all that the command leaves ends
with it. The JSON has `mounts`, from a path inside to a folder or file of this machine; `kept`, folders that
must be where they are although a mount covers them; and `root`, an empty folder that is unseen inside.

Run as a file, not as a module: nothing is imported that makes a start slow.
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000  # linux/sched.h
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18  # linux/mount.h

_HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    # What the parent blocks for itself would be blocked here too: nothing would end by SIGTERM.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _die_with_parent()
    if os.getppid() != parent:
        sys.exit(1)  # the parent ended before it could be watched
    if command[0] == "--mounts":
        folder = os.getcwd()
        enter_mounts(**json.loads(command[1]))
        os.chdir(folder)
        become_first_process()
        command = command[2:]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        # What a shell says: 127 for a command that is not there, 126 for one that cannot be run.
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def enter_mounts(mounts: "dict[str, str]", kept: "list[str]", root: str) -> None:
    """Make this machine's root anew, with `mounts` in it, and go there. Exits where the kernel refuses."""
    _own_namespace()
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    # Opened before anything is covered.
    sources = {path: os.open(source, os.O_PATH) for path, source in mounts.items()}
    behind = {path: os.open(path, os.O_PATH) for path in kept}
    _mount("tmpfs", root, "tmpfs", 0)
    _mirror("/", root)
    for path in sorted(mounts):
        is_folder = os.path.isdir(f"/proc/self/fd/{sources[path]}")
        _bind(sources[path], _mount_point(root, path, is_folder))
    for path in sorted(kept):
        os.makedirs(root + path, exist_ok=True)
        _bind(behind[path], root + path)
    os.chroot(root)


def become_first_process() -> None:
    """Fork; returns in the child, as the first process of its namespace. The parent ends when that does."""
    there, here = os.pipe()
    child = os.fork()
    if child:
        os.close(there)
        for number in _HANDED_ON:
            signal.signal(number, lambda number, frame: os.kill(child, number))
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(128 - code if code < 0 else code)
    os.close(here)
    _die_with_parent()
    os.set_blocking(there, False)
    try:
        os.read(there, 1)
        os._exit(1)  # nobody has the other end any more: the parent ended before it could be watched
    except BlockingIOError:
        os.close(there)
    _mount("proc", "/proc", "proc", 0)


def _die_with_parent() -> None:
    _checked(_LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def _own_namespace() -> None:
    wanted = _CLONE_NEWNS | _CLONE_NEWPID
    if os.geteuid() == 0:
        _checked(_LIBC.unshare(wanted), "unshare")
        return
    user, group = os.geteuid(), os.getegid()
    _checked(_LIBC.unshare(wanted | _CLONE_NEWUSER), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount_point(root: str, path: str, is_folder: bool) -> str:
    """Where to mount: what is there, or an empty folder or file, made on a mirror of the folder it is in."""
    here = os.path.join(root, _resolved(root, os.path.dirname(path)).lstrip("/"))
    missing = []
    while not os.path.isdir(here):
        here, name = os.path.split(here)
        missing.append(name)
    target = os.path.join(here, *reversed(missing), os.path.basename(path))
    if os.path.exists(target):
        return target
    if os.stat(here).st_dev != os.stat(root).st_dev:
        # This machine's own folder: seen through a copy that consists of mounts, into which it can be put.
        behind = os.open(here, os.O_PATH)
        _mount("tmpfs", here, "tmpfs", 0)
        _mirror(f"/proc/self/fd/{behind}", here)
        os.close(behind)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if is_folder:
        os.mkdir(target)
    else:
        open(target, "w").close()
    return target


def _resolved(root: str, path: str) -> str:
    """The path without links, as it is seen from `root`: /var/run is /run on most machines."""
    real = ""
    for name in path.strip("/").split("/"):
        there = f"{root}{real}/{name}"
        if os.path.islink(there):
            real = os.path.normpath(os.path.join(real or "/", os.readlink(there)))
        else:
            real = f"{real}/{name}"
    return real


def _mirror(source: str, target: str) -> None:
    """Fill the empty folder `target` with mounts and links of what `source` has."""
    with os.scandir(source) as entries:
        for entry in entries:
            new = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), new)
                continue
            if entry.is_dir():
                os.mkdir(new)
            else:
                open(new, "w").close()
            _mount(entry.path, new, None, _MS_BIND | _MS_REC)


def _bind(descriptor: int, target: str) -> None:
    _mount(f"/proc/self/fd/{descriptor}", target, None, _MS_BIND | _MS_REC)
    os.close(descriptor)


def _mount(source: str, target: str, kind: "str | None", flags: int) -> None:
    arguments = [source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None]
    _checked(_LIBC.mount(*arguments), f"mount {source} on {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
