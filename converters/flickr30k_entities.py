"""Flickr30k Entities: five sentences a photo whose phrases are tied to boxes by coreference chains.

Format: bryanplummer/flickr30k_entities, README and its two parsers. Boxes are VOC's (whole pixels from 1, both ends
inside), so edges are (xmin - 1, ymin - 1, xmax, ymax). A photo's two files are read when its record is asked for.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converters._coco_json import read_bytes
from converters._coco_layout import find_file
from converters._notes import Fault, Notes, text_of
from converters._photos import Photos, checked_size, photos_in
from converters._rows import Slotted
from converters._texts import TextBuilder
from vtinstruct.geometry import GeometryError, clip_box
from vtinstruct.record import Drop, GroundedText, Origin, Record, Region
from vtinstruct.source import Source, SourceError

NAME = "flickr30k_entities"
SPLITS = ("train", "val", "test")
LICENCE = "LicenseRef-Flickr30k-Entities"
PHOTO_FOLDERS = ("flickr30k-images", "flickr30k_images", "images", "", "flickr30k_images/flickr30k_images")
BASES = ("", "annotations/", "flickr30k_entities/", "Flickr30kEntities/", "annotations_flickr30k/")
LAYOUT = """\
<root>/{train,val,test}.txt                 photo ids, one a line
<root>/Sentences/<id>.txt                   (annotations.zip; all of these may be in annotations/ or flickr30k_entities/)
<root>/Annotations/<id>.xml
<root>/UNRELATED_CAPTIONS                   optional
<root>/flickr30k-images/<id>.jpg            (or flickr30k_images/, images/)"""

_PHRASE = re.compile(r"\[/EN#(\d+)((?:/[^\s/\]]+)+)\s+([^\]]*?)\s*\]")


@dataclass(frozen=True)
class _Split:
    root: Path
    split: str
    base: str
    photos: Photos
    unrelated: frozenset[tuple[str, int]]

    def record(self, id_: str, notes: Notes) -> Record:
        xml, sentences = f"{self.base}Annotations/{id_}.xml", f"{self.base}Sentences/{id_}.txt"
        size_wh, regions, chains = _annotation(self.root / xml, Notes(NAME, self.split, xml, notes.report))
        photo = self.photos.photo(f"{id_}.jpg", f"flickr30k:{id_}", size_wh)
        captions = _captions(
            id_, self.root / sentences, chains, self.unrelated, Notes(NAME, self.split, sentences, notes.report)
        )
        return Record(
            id=id_,
            source=NAME,
            split=self.split,
            licence=LICENCE,
            origin=Origin(xml, id_),
            photo=photo,
            regions=regions,
            captions=tuple(caption.text for caption in captions),
            grounded_captions=captions,
        )


def _annotation(path: Path, notes: Notes) -> tuple[tuple[int, int], tuple[Region, ...], dict[str, list[str]]]:
    """The photo's size, its boxes, and the boxes' ids by chain. Raises `Fault`."""
    root = _parsed(path)
    width, height = (_number(root, f"size/{side}", path) for side in ("width", "height"))
    size_wh = checked_size(width, height, path.name)
    regions: list[Region] = []
    chains: dict[str, list[str]] = {}
    for n, element in enumerate(root.iterfind("object")):
        if element.find("bndbox") is None:
            continue  # a scene, or something that cannot be seen
        names = [name.text.strip() for name in element.iterfind("name") if name.text and name.text.strip()]
        try:
            xmin, ymin, xmax, ymax = (
                _number(element, f"bndbox/{side}", path) for side in ("xmin", "ymin", "xmax", "ymax")
            )
            edges = (float(xmin - 1), float(ymin - 1), float(xmax), float(ymax))
            inside = clip_box(edges, size_wh)
        except (Fault, GeometryError) as fault:
            notes.fault(f"object {n}", fault)
            continue
        if inside != edges:
            detail = f"{list(edges)} reaches out of {width} x {height}; {list(inside)} is kept"
            notes.mended(f"object {n}", "box: clipped to the photo", detail)
        regions.append(Region(id=str(n), box_xyxy=inside))
        for name in names:
            chains.setdefault(name, []).append(str(n))
    return size_wh, tuple(regions), chains


def _parsed(path: Path) -> Any:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        return fromstring(path.read_bytes(), forbid_dtd=True)
    except OSError as error:
        raise Fault("file: missing", f"{path.name}: {error.strerror or error}; download it") from error
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise Fault("file: unreadable", f"{path.name}: {error}; whole XML without a DTD is right") from error


def _number(element: Any, name: str, path: Path) -> int:
    text = element.findtext(name)
    if text is None or not re.fullmatch(r"\s*-?\d{1,9}\s*", text):
        raise Fault("xml: no number", f"{path.name}: <{name}> is {text!r:.40}; a whole number is right")
    return int(text)


def _captions(
    id_: str, path: Path, chains: dict[str, list[str]], unrelated: frozenset[tuple[str, int]], notes: Notes
) -> tuple[GroundedText, ...]:
    try:
        text = text_of(path.read_bytes(), path.name, notes)
    except OSError as error:
        raise Fault("file: missing", f"{path.name}: {error.strerror or error}; download it") from error
    found: list[GroundedText] = []
    for n, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if (id_, n) in unrelated:
            notes.dropped(f"line {n}", "caption: of another photo", "the source lists it in UNRELATED_CAPTIONS")
            continue
        found.append(_grounded(line, chains, f"line {n}", notes))
    return tuple(found)


def _grounded(line: str, chains: dict[str, list[str]], where: str, notes: Notes) -> GroundedText:
    """A sentence with brackets as a text with spans; chain 0 is "not visual", a chain without boxes ties to nothing."""
    builder, position = TextBuilder(), 0
    line = " ".join(line.split())
    for match in _PHRASE.finditer(line):
        builder.add(line[position : match.start()])
        builder.tied(match[3], chains.get(match[1], []) if match[1] != "0" else [])
        position = match.end()
    builder.add(line[position:])
    grounded = builder.done()
    if "[/EN#" in grounded.text:
        notes.mended(where, "caption: broken brackets", f"{line[:80]!r}; [/EN#chain/type words] is right")
        return GroundedText(" ".join(re.sub(r"\[/EN#\S*|\]", " ", line).split()))
    return grounded


def find(root: Path) -> tuple[str, ...]:
    """The splits whose list is there, beside or above the two folders of annotations."""
    base = _base(root)
    if base is None:
        return ()
    return tuple(split for split in SPLITS if any((root / place).is_file() for place in _places(base, f"{split}.txt")))


def _base(root: Path) -> str | None:
    """The folder that holds the two folders of annotations, as a prefix."""
    folders = ("Annotations", "Sentences")
    return next((base for base in BASES if all((root / base / folder).is_dir() for folder in folders)), None)


def _places(base: str, name: str) -> list[str]:
    return list(dict.fromkeys((f"{base}{name}", name)))


def _unrelated(root: Path, base: str) -> frozenset[tuple[str, int]]:
    path = next((root / one for one in _places(base, "UNRELATED_CAPTIONS") if (root / one).is_file()), None)
    if path is None:
        return frozenset()
    rows = (line.split() for line in path.read_text("utf-8", errors="replace").splitlines())
    return frozenset((row[0], int(row[1])) for row in rows if len(row) == 2 and row[1].isdigit())


def open_split(root: Path, split: str) -> Slotted[str]:
    """Read the list of one split, and see which files of its photos are there. Raises `SourceError`."""
    base = _base(root) or ""
    listed = find_file(root, _places(base, f"{split}.txt"), f"split {split!r}", find(root))
    faults: list[Drop] = []
    notes = Notes(NAME, split, listed.name, faults.append)
    ids: list[str] = []
    seen: set[str] = set()
    for n, line in enumerate(read_bytes(listed).decode("utf-8", errors="replace").splitlines(), 1):
        id_ = line.strip()
        if re.fullmatch(r"\d+", id_) and id_ not in seen:
            seen.add(id_)
            ids.append(id_)
        elif id_:
            notes.dropped(f"line {n}", "list: no photo id, or one twice", f"{id_[:40]!r}; digits, once, are right")
    files = [listed]
    for folder, ending in (("Annotations", "xml"), ("Sentences", "txt")):
        try:
            there = set(os.listdir(root / base / folder))
        except OSError as error:
            raise SourceError(f"{root / base / folder}: no such folder; unpack annotations.zip into {root}") from error
        files += [root / base / folder / name for id_ in ids if (name := f"{id_}.{ending}") in there]
    photos = photos_in(root, PHOTO_FOLDERS, (f"{id_}.jpg" for id_ in ids), f"split {split!r}")
    reader = _Split(root, split, base, photos, _unrelated(root, base))
    return Slotted(NAME, split, listed.name, tuple(files), ids, reader.record, str, faults)


SOURCE = Source(
    name=NAME,
    title="Flickr30k Entities",
    homepage="https://bryanplummer.com/Flickr30kEntities/",
    licence=LICENCE,
    offers=frozenset({"image", "captions", "grounded_captions"}),
    splits=SPLITS,
    layout=LAYOUT,
    version="2",
    find=find,
    open=open_split,
)
