"""Fill in the texts of files where a document shows them, so that it cannot differ from them.

``python docs/tools/fill_in_files.py docs/writing-a-plugin.md`` rewrites each block of code below a line
``<!-- text of: PATH -->`` with the text of that file; the path is relative to the repository.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?P<head><!-- text of: (?P<path>[^\n]+?) -->\n```\w*\n)(?P<text>.*?)(?P<tail>^```$)",
    re.MULTILINE | re.DOTALL,
)


def filled(document: str, repository: Path = REPOSITORY) -> str:
    """Put the texts of the files named in a document into it.

    Parameters
    ----------
    document
        Markdown; a block to be filled in has ``<!-- text of: PATH -->`` on the line before it.
    repository
        Folder that the paths are relative to.

    Raises
    ------
    ValueError
        When there is no block below such a line.
    OSError
        When a file cannot be read.
    """

    def with_text(match: re.Match[str]) -> str:
        text = (repository / match["path"]).read_text(encoding="utf-8")
        return f"{match['head']}{text.rstrip()}\n{match['tail']}"

    marks = document.count("<!-- text of: ")
    result, blocks = _BLOCK.subn(with_text, document)
    if blocks != marks:
        message = f"The document names {marks} files and has {blocks} blocks for them: each needs one below its line."
        raise ValueError(message)
    return result


def main(arguments: Sequence[str]) -> None:
    """Rewrite the documents named."""
    for name in arguments:
        path = Path(name)
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
