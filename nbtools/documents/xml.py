"""XML from strangers: no entities, no document types, nothing fetched."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from nbtools.documents.text import MB, shorten
from nbtools.errors import UserError

MOST_BYTES = 256 * MB


def parse_xml(text: str | bytes, source: object) -> Element:
    """The root element of an XML text.

    Parameters
    ----------
    text : of a file, or of the metadata in an image.
    source : the file, for the message.

    Raises
    ------
    UserError : broken XML, or one that declares entities, which can name other files and grow
        without end.
    """
    from defusedxml import DefusedXmlException, ElementTree

    if len(text) > MOST_BYTES:
        raise UserError(
            f"XML of an image or of boxes has at most {MOST_BYTES / MB:g} MB.",
            f"{source} with {len(text) / MB:.0f} MB",
            "Export it again.",
        )
    try:
        return ElementTree.fromstring(text, forbid_dtd=True)
    except DefusedXmlException as error:
        raise UserError(
            "XML must not declare entities or a document type.",
            f"{source} ({shorten(error)})",
            "Export it again from the program that wrote it.",
        ) from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        raise UserError(
            "XML must be whole and readable.", f"{source} ({shorten(error)})", "Export it again."
        ) from error
