"""What a result makes one doubt, and how many images it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nbtools.wording import in_python


class Finding(str):
    """A doubt about a result: a sentence with a remedy.

    As text it speaks Python, as is read in a notebook; `for_command_line` has its flags.

    Parameters
    ----------
    code : name of the kind, for programs; findings are counted by it.
    message : what was found, in a sentence.
    remedy : what to do, in a sentence, in the words of the command line; "" where nothing is.
    python : the remedy in Python, where `in_python` of the other does not say it.
    image : name of the image; "" where the finding is about all.

    Examples
    --------
    >>> found = Finding("nuclei_size", "Nuclei are small.", "Give their size with --diameter.")
    >>> print(found)
    Nuclei are small. Give their size with diameter.
    >>> found.for_command_line()
    'Nuclei are small. Give their size with --diameter.'
    """

    __slots__ = ("code", "image", "message", "remedy")

    def __new__(
        cls, code: str, message: str, remedy: str = "", *, python: str = "", image: str = ""
    ) -> Finding:
        found = super().__new__(cls, f"{message} {python or in_python(remedy)}".strip())
        found.code, found.message, found.remedy, found.image = code, message, remedy, image
        return found

    def of(self, image: str) -> Finding:
        """The same finding, of an image."""
        found = str.__new__(Finding, self)
        found.code, found.message, found.remedy, found.image = (
            *(self.code, self.message, self.remedy),
            image,
        )
        return found

    def for_command_line(self) -> str:
        """Message and remedy with flags."""
        return f"{self.message} {self.remedy}".strip()

    def to_dict(self) -> dict[str, str]:
        """As result.json holds it."""
        return {name: getattr(self, name) for name in ("code", "image", "message", "remedy")}

    def __getnewargs_ex__(self) -> tuple:
        return (self.code, self.message, self.remedy), {"python": "", "image": self.image}


def summarize(warnings: Iterable[Mapping | str], *, count: int) -> list[str]:
    """One sentence per kind of finding, with the number of images that it is about.

    Parameters
    ----------
    warnings : as result.json holds them; plain sentences, as older versions wrote, stay.
    count : number of images.

    Examples
    --------
    >>> dim = {"code": "dim", "message": "The image is dim.", "remedy": "Expose longer."}
    >>> summarize([dim | {"image": "a"}, dim | {"image": "b"}, dim | {"image": "b"}], count=3)
    ['The image is dim. Expose longer. (2 of 3 images)']
    >>> summarize(["Nuclei are small. (1 of 3 images)"], count=3)
    ['Nuclei are small. (1 of 3 images)']
    """
    sentences: dict[str, str] = {}
    images: dict[str, set[str]] = {}
    for one in warnings:
        if isinstance(one, str):
            sentences.setdefault(one, one)
            continue
        code = one.get("code", "")
        text = f"{one.get('message', '')} {one.get('remedy', '')}".strip()
        sentences.setdefault(code, text)
        images.setdefault(code, set()).update(filter(None, [one.get("image")]))
    return [
        f"{text} ({len(images[code])} of {count} images)" if images.get(code) else text
        for code, text in sentences.items()
    ]
