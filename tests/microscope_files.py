"""Small files as microscopes write them, made byte by byte, so that the real reader packages have
something to read.

Only what a reader needs is in them: header, one image of C, Z, Y, X, uint16, and its pixel size;
of a movie, with T in front, the seconds between its time points, too.
LIF is a header of XML and a block of memory; CZI is a chain of segments; ND2 is a chain of chunks
with a map at its end, whose descriptions are lists of typed values.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

Spacing = dict[str, float]  # µm by axis


def write_lif(
    path: Path, images: list[np.ndarray], spacing: Spacing, *, seconds: float = 0.0
) -> None:
    """Leica: UTF-16 XML that describes the images, then a block of memory for each."""
    elements = "".join(
        _lif_element(i, pixels, spacing | {"T": seconds}) for i, pixels in enumerate(images)
    )
    xml = (
        '<LMSDataContainerHeader Version="2"><Element '
        f'Name="test"><Children>{elements}</Children></Element></LMSDataContainerHeader>'
    )
    content = struct.pack("<IIBI", 0x70, 2 * len(xml) + 5, 0x2A, len(xml)) + xml.encode("utf-16-le")
    for i, pixels in enumerate(images):
        name, data = f"MemBlock_{i}", np.ascontiguousarray(pixels, "<u2").tobytes()
        head = struct.pack("<IIBQBI", 0x70, 14 + 2 * len(name), 0x2A, len(data), 0x2A, len(name))
        content += head + name.encode("utf-16-le") + data
    path.write_bytes(content)


def _lif_element(number: int, pixels: np.ndarray, spacing: Spacing) -> str:
    count, *shape = pixels.shape[-4:]  # C, then Z, Y, X
    size = pixels.strides[-4]
    channels = "".join(
        '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" '
        'NameOfMeasuredQuantity="" Min="0" Max="65535" Unit="" '
        f'LUTName="Gray" IsLUTInverted="0" BytesInc="{c * size}" BitInc="0"/>'
        for c in range(count)
    )
    dimensions = ""
    axes = list(zip("ZYX", shape, (3, 2, 1), pixels.strides[-3:], strict=True))
    if pixels.ndim == 5:
        axes = [("T", len(pixels), 4, pixels.strides[0]), *axes]
    for letter, length, identity, step in axes:
        unit, factor = ("s", 1.0) if letter == "T" else ("m", 1e-6)
        extent = spacing[letter] * factor * (length - 1)
        dimensions += (
            f'<DimensionDescription DimID="{identity}" NumberOfElements="{length}" Origin="0" '
            f'Length="{extent!r}" Unit="{unit}" '
            f'BytesInc="{step}" BitInc="0"/>'
        )
    return (
        '<Element Name="image '
        f'{number}"><Data><Image><ImageDescription><Channels>{channels}</Channels><Dimensions>{dimensions}'
        f'</Dimensions></ImageDescription></Image></Data><Memory Size="{pixels.nbytes}" '
        f'MemoryBlockID="MemBlock_{number}"/></Element>'
    )


def write_micromanager(path: Path, pixels: np.ndarray, names: tuple[str, ...]) -> None:
    """Micro-Manager: a TIFF with a summary and an index behind its header; P, Y, X, uint16.

    Behind each list of 13 tags, 162 bytes long, lie its pixels.
    """
    summary = {
        "MicroManagerVersion": "2.0",
        "Frames": 1,
        "Slices": 1,
        "Channels": 1,
        "Positions": len(pixels),
        "StagePositions": [{"Label": name} for name in names],
    }
    text = json.dumps(summary).encode()
    start = 40 + len(text) + len(text) % 2
    size = pixels[0].nbytes + 200
    offsets = [start + i * size for i in range(len(pixels))]
    index = struct.pack("<2I", 3453623, len(pixels))
    index += b"".join(struct.pack("<5I", 0, 0, 0, p, at) for p, at in enumerate(offsets))
    places = (54773648, start + len(pixels) * size, 483765892, 0, 99384722, 0, 2355492, len(text))
    content = struct.pack("<2sHI8I", b"II", 42, offsets[0], *places) + text
    content = content.ljust(start, b"\0")
    for at, following, plane in zip(offsets, [*offsets[1:], 0], pixels, strict=True):
        content += _micromanager_page(at, following, plane)
    path.write_bytes(content + index)


def _micromanager_page(at: int, following: int, plane: np.ndarray) -> bytes:
    height, width = plane.shape
    data, behind = at + 162, at + 162 + plane.nbytes
    short, long, ratio, text = 3, 4, 5, 2
    tags = [
        (256, long, 1, width),
        (257, long, 1, height),
        (258, short, 1, 16),
        (259, short, 1, 1),
        (262, short, 1, 1),
        (273, long, 1, data),
        (277, short, 1, 1),
        (278, long, 1, height),
        (279, long, 1, plane.nbytes),
        (282, ratio, 1, behind),
        (283, ratio, 1, behind),
        (296, short, 1, 3),
        (51123, text, 8, behind + 8),
    ]
    listed = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags)
    page = (listed + struct.pack("<I", following)).ljust(162, b"\0")
    page += (
        np.ascontiguousarray(plane, "<u2").tobytes() + struct.pack("<2I", 50000, 1) + b'{"a":1}\0'
    )
    return page.ljust(plane.nbytes + 200, b"\0")


def write_czi(
    path: Path,
    pixels: np.ndarray,
    spacing: Spacing,
    *,
    compression: int = 0,
    time: str = "",
    setup: str = "",
) -> None:
    """Zeiss: header, metadata, one subblock for each plane (`compression` is only said of it, never
    done), their directory. What a movie says of its time is XML: of the dimension, and of the
    set-up.
    """
    xml = _czi_metadata(pixels, spacing, time=time, setup=setup)
    pixels = pixels.reshape(-1, *pixels.shape[-4:])
    segments = [_czi_segment("ZISRAWMETADATA", struct.pack("<ii248x", len(xml), 0) + xml)]
    start, entries = 32 + 512 + len(segments[0]), []
    for t, c, z in np.ndindex(pixels.shape[:3]):
        data = np.ascontiguousarray(pixels[t, c, z], "<u2").tobytes()
        where = {"X": (0, pixels.shape[-1]), "Y": (0, pixels.shape[-2]), "Z": (z, 1), "C": (c, 1)}
        where |= {"T": (t, 1)} if len(pixels) > 1 else {}
        dimensions = b"".join(
            struct.pack("<4siifi", a.encode(), first, n, 0, n) for a, (first, n) in where.items()
        )
        entries.append(
            struct.pack("<2siqiiBB4si", b"DV", 1, start, 0, compression, 0, 0, b"", len(where))
            + dimensions
        )
        body = struct.pack("<iiq", 0, 0, len(data)) + entries[-1]
        segments.append(_czi_segment("ZISRAWSUBBLOCK", body.ljust(256, b"\0") + data))
        start += len(segments[-1])
    segments.append(
        _czi_segment("ZISRAWDIRECTORY", struct.pack("<i124x", len(entries)) + b"".join(entries))
    )
    header = struct.pack(
        "<iiii16s16siqqiq", 1, 0, 0, 0, b"1" * 16, b"1" * 16, 0, start, 32 + 512, 0, 0
    )
    path.write_bytes(_czi_segment("ZISRAWFILE", header.ljust(512, b"\0")) + b"".join(segments))


def _czi_metadata(pixels: np.ndarray, spacing: Spacing, *, time: str, setup: str) -> bytes:
    places = "".join(
        f'<Distance Id="{a}"><Value>{s * 1e-6!r}</Value></Distance>' for a, s in spacing.items()
    )
    sizes = "".join(
        f"<Size{a}>{n}</Size{a}>" for a, n in zip("CZYX", pixels.shape[-4:], strict=True)
    )
    inside = f"{sizes}<PixelType>Gray16</PixelType><Dimensions><T>{time}</T></Dimensions>"
    image = f"<Information><Image>{inside}</Image></Information>"
    about = f"{setup}{image}<Scaling><Items>{places}</Items></Scaling>"
    return f"<ImageDocument><Metadata>{about}</Metadata></ImageDocument>".encode()


def _czi_segment(name: str, content: bytes) -> bytes:
    allocated = -(-len(content) // 32) * 32
    return struct.pack("<16sqq", name.encode(), allocated, len(content)) + content.ljust(
        allocated, b"\0"
    )


def write_nd2(
    path: Path,
    pixels: np.ndarray,
    spacing: Spacing | None,
    *,
    names: tuple[str, ...] = ("DNA", "actin"),
    points: tuple[str, ...] = (),
    time: dict | None = None,
) -> None:
    """Nikon: descriptions, one frame (Y, X, C) for each plane of Z, and the map of them all;
    without spacing: not calibrated. With names of stage positions, pixels are P, C, Z, Y, X; with
    a loop over time, as "eType" and its "uLoopPars", T, C, Z, Y, X.
    """
    shape = pixels.shape[-4:]
    about = _describe_nd2(shape, spacing, names=names)
    count = len(pixels) if points or time else 1
    about["ImageAttributesLV!"]["SLxImageAttributes"]["uiSequenceCount"] = count * shape[1]
    inner = about["ImageMetadataLV!"]["SLxExperiment"]
    if time:
        about["ImageMetadataLV!"] = {
            "SLxExperiment": time | {"ppNextLevelEx": {"i0000000000": inner}}
        }
    if points:
        places = {f"i{i:010d}": {"dPosName": name} for i, name in enumerate(points)}
        outer = {"eType": 2, "uLoopPars": {"uiCount": len(points), "Points": places}}
        about["ImageMetadataLV!"] = {
            "SLxExperiment": outer | {"ppNextLevelEx": {"i0000000000": inner}}
        }
    chunks = {name: _nd2_values(values) for name, values in about.items()}
    stack = pixels.reshape(-1, *shape).transpose(0, 2, 3, 4, 1).reshape(-1, *shape[2:], shape[0])
    frames = np.ascontiguousarray(stack, "<u2")
    chunks |= {f"ImageDataSeq|{z}!": bytes(8) + frame.tobytes() for z, frame in enumerate(frames)}
    content, places = (
        _nd2_chunk("ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32),
        b"",
    )
    for name, data in chunks.items():
        places += name.encode() + struct.pack("<QQ", len(content), len(data))
        content += _nd2_chunk(name, data, 4072)
    places += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(content))
    path.write_bytes(content + _nd2_chunk("ND2 FILEMAP SIGNATURE NAME 0001!", places, 32))


def _describe_nd2(
    shape: tuple[int, ...], spacing: Spacing | None, *, names: tuple[str, ...]
) -> dict:
    channels, planes, height, width = shape
    plane = [
        {
            "uiCompCount": 1,
            "uiSampleIndex": c,
            "sDescription": names[c],
            "pFluorescentProbe": {"m_uiColor": 0},
        }
        for c in range(channels)
    ]
    step = (spacing or {"Z": 0.5})["Z"]
    size = {
        "uiWidth": width,
        "uiWidthBytes": 2 * width * channels,
        "uiHeight": height,
        "uiComp": channels,
        "uiBpcInMemory": 16,
    }
    return {
        "ImageAttributesLV!": {
            "SLxImageAttributes": size
            | {"uiBpcSignificant": 16, "uiSequenceCount": planes, "eCompression": 2}
        },
        "ImageMetadataSeqLV|0!": {
            "SLxPictureMetadata": {
                "bCalibrated": spacing is not None,
                "dCalibration": spacing["X"] if spacing else 1.0,
                "sPicturePlanes": {
                    "uiCount": channels,
                    "sPlaneNew": {f"a{c}": p for c, p in enumerate(plane)},
                },
            }
        },
        "ImageMetadataLV!": {
            "SLxExperiment": {"eType": 4, "uLoopPars": {"uiCount": planes, "dZStep": step}}
        },
    }


def _nd2_chunk(name: str, data: bytes, room: int) -> bytes:
    return (
        struct.pack("<IIQ", 0x0ABECEDA, room, len(data)) + name.encode().ljust(room, b"\0") + data
    )


def _nd2_values(values: dict) -> bytes:
    """Named values: type, length of the name, name in UTF-16, value; a level holds others, and ends
    with a list of places.
    """
    content = b""
    for name, value in values.items():
        word = (name + "\0").encode("utf-16-le")
        if isinstance(value, dict):
            inside = _nd2_values(value)
            head = struct.pack("<BB", 11, len(name) + 1) + word
            content += (
                head
                + struct.pack("<IQ", len(value), len(head) + 12 + len(inside))
                + inside
                + bytes(8 * len(value))
            )
            continue
        kinds = {bool: (1, "<B"), int: (3, "<I"), float: (6, "<d")}
        kind, form = kinds.get(type(value), (8, ""))
        raw = (value + "\0").encode("utf-16-le") if kind == 8 else struct.pack(form, value)
        content += struct.pack("<BB", kind, len(name) + 1) + word + raw
    return content
