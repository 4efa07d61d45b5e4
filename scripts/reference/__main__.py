"""Write the reference pages: `python -m scripts.reference`, or `make reference`."""

from __future__ import annotations

from scripts.reference.pages import generated, stale, without_source


def main() -> None:
    for path in without_source():
        path.unlink()
    pages = generated()
    for path in stale():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages[path], encoding="utf-8")


if __name__ == "__main__":
    main()
