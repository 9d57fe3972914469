"""What is shipped with the project and known by its bare name."""

from __future__ import annotations

from pathlib import Path

from perpref.files.source import BadFile, listed, nearest

PACKAGE = Path(__file__).resolve().parents[1]
CHECKOUT = PACKAGE.parent

FOLDERS = {"rulebook": Path("spec/rulebooks"), "scenario": Path("examples/scenarios")}


def folder(kind: str) -> Path:
    """Where the shipped files of a kind are: in the checkout, or in the installed package."""
    if (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / FOLDERS[kind]).is_dir():
        return CHECKOUT / FOLDERS[kind]
    return PACKAGE / "_data" / FOLDERS[kind].name


def names(kind: str) -> list[str]:
    """The names of all shipped files of a kind."""
    return sorted(path.stem for path in folder(kind).glob("*.toml"))


def located(kind: str, said: str, beside: Path | None = None) -> tuple[Path, str]:
    """The file that is meant by a path or by a shipped name, and how to call it in a message.

    A path has a slash or ends in `.toml`; it is looked for in the folder `beside`, if given.
    Raises BadFile when there is no such name.
    """
    if "/" in said or "\\" in said or said.endswith(".toml"):
        path = Path(said) if beside is None else beside / said
        return path, str(path)
    known = names(kind)
    if said not in known:
        what = f"there is no {kind} of this name{nearest(said, known)}"
        raise BadFile(said, 0, "", what, f"{listed(known)}, or a path that ends in .toml")
    path = folder(kind) / f"{said}.toml"
    return path, short(path)


def short(path: Path) -> str:
    """A path as seen from the working directory, when it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
