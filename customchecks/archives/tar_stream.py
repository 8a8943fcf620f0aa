"""Reads an untrusted .tgz as a stream and within limits: a bounded gunzip, and the members of the tar in it."""

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

KB = 1024
MB = 1024 * KB
MAX_COMPRESSED = 10 * MB
MAX_FILE = 10 * MB
MAX_TOTAL = 50 * MB
MAX_MEMBERS = 2000
MAX_RATIO = 100
RATIO_FREE = 1 * MB
MAX_EXTENDED_HEADER = 8 * KB
MAX_HEADERS = 3 * MAX_MEMBERS  # a member may have a PAX and a GNU header in front of it

_CHUNK = 64 * KB
_BLOCK = tarfile.BLOCKSIZE
_MAX_STREAM = MAX_TOTAL + MAX_HEADERS * KB
_PAX_RECORD = re.compile(rb"(\d{1,5}) ([^=\n]{1,200})=")
_PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_FILE = (tarfile.REGTYPE, tarfile.AREGTYPE)
_LINK = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.GNUTYPE_LONGLINK)


class ArchiveRejected(Exception):
    """The archive is not taken.

    ``code`` is a slug for programs, ``message`` a sentence that is safe to show and names the remedy.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class TooLarge(ArchiveRejected):
    """More than 10 MB compressed."""

    def __init__(self) -> None:
        super().__init__(
            "archive_too_large",
            "The archive is larger than 10 MB. Leave out dependencies (name them in requirements.txt or"
            " package.json) and data files.",
        )


@dataclass(frozen=True, kw_only=True)
class Member:
    """A file or directory of an archive.

    ``name`` is as the archive says it, undecodable bytes as surrogates; read ``chunks`` before the next member.
    """

    name: str
    is_dir: bool
    size: int
    chunks: Iterator[bytes]


def shown(name: str) -> str:
    """Escaped and cut, so that a hostile name cannot spoil a message or a log line."""
    return f"{name!r:.80}"


def members(stream: BinaryIO) -> Iterator[Member]:
    """Raises ArchiveRejected. Only files and directories come out; sizes are within the limit of one file."""
    source = _Gunzip(stream)
    extended: dict[str, str] = {}
    for block, header in _headers(source):
        if header.type in _PAX:
            _merge(extended, _pax(source, header))
        elif header.type == tarfile.XGLTYPE:
            if {"path", "size"} & _pax(source, header).keys():
                raise _bad_header("names its members in a global header")
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            _merge(extended, {"path": _decode(_extended_data(source, header).removesuffix(b"\0"))})
        else:
            name = extended["path"] if "path" in extended else _name(block)
            size = _size(header, name=name, extended=extended)
            chunks = source.chunks(size)
            yield Member(name=name, is_dir=header.isdir(), size=size, chunks=chunks)
            for _ in chunks:
                pass
            source.exactly(-size % _BLOCK)
            extended = {}
    if extended:
        raise _bad_header("ends with a header that describes no member")
    source.finish()


class _Gunzip:
    """One gzip member, inflated only as far as it is asked for."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(wbits=31)
        self._fetched = 0
        self._inflated = 0

    def exactly(self, size: int) -> bytes:
        return b"".join(self.chunks(size))

    def chunks(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._inflate(min(size, _CHUNK))
            if not piece:
                raise _truncated()
            size -= len(piece)
            yield piece

    def finish(self) -> None:
        """After the tar's end only its zero padding may follow, and nothing after the gzip member."""
        while piece := self._inflate(_CHUNK):
            if piece.strip(b"\0"):
                raise _trailing()
        if not self._inflater.eof:
            raise _truncated()
        if self._inflater.unused_data or self._fetch():
            raise _trailing()

    def _inflate(self, limit: int) -> bytes:
        while not self._inflater.eof:
            data = self._inflater.unconsumed_tail or self._fetch()
            try:
                piece = self._inflater.decompress(data, limit)
            except zlib.error:
                raise _broken_gzip(self._inflated) from None
            if piece:
                self._count(len(piece))
                return piece
            if not data:
                break
        return b""

    def _fetch(self) -> bytes:
        data = self._stream.read(_CHUNK)
        if self._fetched == 0:
            _check_magic(data)
        self._fetched += len(data)
        if self._fetched > MAX_COMPRESSED:
            raise TooLarge
        return data

    def _count(self, size: int) -> None:
        self._inflated += size
        used = self._fetched - len(self._inflater.unconsumed_tail)
        if self._inflated > RATIO_FREE and self._inflated > MAX_RATIO * used:
            raise ArchiveRejected(
                "archive_ratio",
                f"The archive unpacks to more than {MAX_RATIO} times its size. Leave out large empty files.",
            )
        if self._inflated > _MAX_STREAM:
            raise total_too_large()


def _headers(source: _Gunzip) -> Iterator[tuple[bytes, tarfile.TarInfo]]:
    for _ in range(MAX_HEADERS):
        block = source.exactly(_BLOCK)
        if not any(block):
            return
        try:
            yield block, tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError:
            raise _bad_header("has a header that is not tar") from None
    raise too_many()


def _size(header: tarfile.TarInfo, *, name: str, extended: dict[str, str]) -> int:
    _check_type(header, name=name, extended=extended)
    size = extended.get("size", str(header.size))
    if not re.fullmatch(r"[0-9]{1,19}", size):
        raise _bad_header(f"gives a wrong size for {shown(name)}")
    if int(size) > MAX_FILE:
        raise file_too_large(name)
    if int(size) != header.size or (header.isdir() and header.size):
        raise _bad_header(f"gives two sizes for {shown(name)}")
    return header.size


def _check_type(header: tarfile.TarInfo, *, name: str, extended: dict[str, str]) -> None:
    if header.type in _LINK:
        raise link(name)
    if not (header.isdir() or header.type in _FILE) or any(key.startswith("GNU.sparse") for key in extended):
        raise special(name)


def _name(block: bytes) -> str:
    """The fields of the header itself; the prefix exists only in POSIX headers, GNU keeps times there."""
    name = _field(block[:100])
    prefix = _field(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _field(raw: bytes) -> str:
    value, _, rest = raw.partition(b"\0")
    return _decode(raw if rest.strip(b"\0") else value)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _extended_data(source: _Gunzip, header: tarfile.TarInfo) -> bytes:
    if not 0 <= header.size <= MAX_EXTENDED_HEADER:
        raise _bad_header("has an extended header of more than 8 kB")
    return source.exactly(header.size + -header.size % _BLOCK)[: header.size]


def _pax(source: _Gunzip, header: tarfile.TarInfo) -> dict[str, str]:
    data = _extended_data(source, header)
    records: dict[str, str] = {}
    position = 0
    while position < len(data):
        match = _PAX_RECORD.match(data, position)
        end = position + int(match[1]) if match else 0
        if not match or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _bad_header("has a PAX header that cannot be read")
        _merge(records, {_decode(match[2]): _decode(data[match.end() : end - 1])})
        position = end
    return records


def _merge(known: dict[str, str], new: dict[str, str]) -> None:
    """Two names or sizes for one member are refused: readers differ on which one counts."""
    if {"path", "size"} & known.keys() & new.keys():
        raise _bad_header("names one member twice in its extended headers")
    known.update(new)


def _check_magic(data: bytes) -> None:
    if not data:
        raise ArchiveRejected("archive_empty", "The uploaded file is empty. Upload a .tgz with your script.")
    if not data.startswith(b"\x1f\x8b"):
        raise ArchiveRejected(
            "archive_not_gzip", "The file is not a gzip'd tar. Make it with: tar -czf script.tgz main.py"
        )


def link(name: str) -> ArchiveRejected:
    return ArchiveRejected(
        "archive_link", f"{shown(name)} is a link. Put the file itself into the archive (tar --dereference)."
    )


def special(name: str) -> ArchiveRejected:
    return ArchiveRejected(
        "archive_type",
        f"{shown(name)} is a device, pipe, sparse file or another special entry. Only files and directories"
        " are taken; leave it out.",
    )


def too_many() -> ArchiveRejected:
    return ArchiveRejected(
        "archive_too_many",
        f"The archive has more than {MAX_MEMBERS} files and directories. Leave out dependencies and caches.",
    )


def file_too_large(name: str) -> ArchiveRejected:
    return ArchiveRejected(
        "archive_file_too_large", f"{shown(name)} is larger than 10 MB. Leave it out, or let the script fetch it."
    )


def total_too_large() -> ArchiveRejected:
    return ArchiveRejected(
        "archive_total_too_large", "The archive unpacks to more than 50 MB. Leave out data files and dependencies."
    )


def _bad_header(what: str) -> ArchiveRejected:
    return ArchiveRejected("archive_header", f"The archive {what}. Make it again with: tar -czf script.tgz .")


def _broken_gzip(inflated: int) -> ArchiveRejected:
    where = f" after {inflated} bytes" if inflated else ""
    return ArchiveRejected("archive_corrupt", f"The archive is damaged{where}. Make it again and upload it whole.")


def _truncated() -> ArchiveRejected:
    return ArchiveRejected("archive_truncated", "The archive ends too early. Make it again and upload it whole.")


def _trailing() -> ArchiveRejected:
    return ArchiveRejected(
        "archive_trailing_data", "More data follows the end of the archive. Upload one .tgz and nothing after it."
    )
