"""Hostile and ordinary archives: each is stored as a safe tar, or refused with a code of its own."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customchecks.archives.script_archive import Archive, ArchiveRejected, TooLarge, from_directory, normalise

MB = 1024 * 1024


def member(name, content=b"x", **header):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in header.items():
        setattr(info, key, value)
    return info, content


def directory(name):
    return member(name, b"", type=tarfile.DIRTYPE)


def tar(*members, form=tarfile.PAX_FORMAT, pax_headers=None):
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=form, errors="surrogateescape", pax_headers=pax_headers) as file:
        for info, content in members:
            file.addfile(info, io.BytesIO(content))
    return output.getvalue()


def compressed(*members, **options):
    return gzip.compress(tar(*members, **options), mtime=0)


def filler(size, noise=MB // 2):
    return os.urandom(noise) + bytes(size - noise)


def store(content, **options):
    return normalise(io.BytesIO(content), **options)


def paths(*members, **options):
    return [file.path for file in store(compressed(*members), **options).files]


def refusal(content, **options):
    with pytest.raises(ArchiveRejected) as caught:
        store(content, **options)
    return caught.value.code


def raw_header(name=b"main.py", *, size=0, kind=b"0", magic=b"ustar\x0000"):
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = b"%011o\0" % size
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def raw_tgz(*blocks):
    return gzip.compress(b"".join(blocks) + b"\0" * 1024, mtime=0)


def pax_record(key, value):
    length = len(key) + len(value) + 3
    while len(str(length)) + len(key) + len(value) + 3 != length:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def with_pax(records, *, kind=b"x", name=b"main.py", size=0):
    return raw_tgz(raw_header(b"pax", size=len(records), kind=kind), padded(records), raw_header(name, size=size))


MAIN = member("main.py", b"print('hi')\n")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/x",
        "//x",
        "../x",
        "a/../../x",
        "a/..",
        "..",
        "..\\..\\x",
        "C:\\x",
        "a\nb",
        "a\rb",
        "a\x1b[31mb",
        "a\x7fb",
        "a\x85b",
        "a\u202eb",
        "a\u200bb",
        "a\u2028b",
        "caf\udce9.py",
        "-rf",
        "a/--help",
        "x" * 201,
        "é" * 101,
        "x" * 5000,
        "/".join("a" * 17),
        "/".join("a" * 300),
    ],
)
def test_a_name_that_could_escape_or_deceive_is_refused(name):
    assert refusal(compressed(member(name))) == "archive_path"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_name_is_checked_in_every_tar_format(form):
    assert refusal(compressed(member("../x"), form=form)) == "archive_path"


def test_a_name_with_nul_is_refused():
    assert refusal(raw_tgz(raw_header(b"main.py\0.png"))) == "archive_path"
    assert refusal(with_pax(pax_record(b"path", b"main.py\0.png"))) == "archive_path"


def test_a_name_in_a_pax_header_is_the_one_that_is_checked():
    assert refusal(with_pax(pax_record(b"path", b"../../evil"))) == "archive_path"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc", "../../etc", "main.py", "x" * 300])
def test_links_are_refused_wherever_they_point(kind, target):
    assert refusal(compressed(MAIN, member("link", b"", type=kind, linkname=target))) == "archive_link"


def test_a_file_through_a_link_is_refused():
    link = member("d", b"", type=tarfile.SYMTYPE, linkname="/tmp")
    assert refusal(compressed(link, member("d/x"))) == "archive_link"


@pytest.mark.parametrize(
    "kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE, b"V", b"Z"]
)
def test_entries_that_are_neither_file_nor_directory_are_refused(kind):
    assert refusal(raw_tgz(raw_header(b"dev", kind=kind))) == "archive_type"


def test_a_sparse_file_in_pax_form_is_refused():
    assert refusal(with_pax(pax_record(b"GNU.sparse.major", b"1"))) == "archive_type"


@pytest.mark.parametrize(
    ("records", "code"),
    [
        (pax_record(b"size", b"99999999999"), "archive_file_too_large"),
        (pax_record(b"size", b"-1"), "archive_header"),
        (pax_record(b"size", b"5"), "archive_header"),
        (pax_record(b"path", b"a") + pax_record(b"path", b"b"), "archive_header"),
        (b"99 path=short\n", "archive_header"),
        (b"nonsense", "archive_header"),
        (pax_record(b"comment", b"x" * 9000), "archive_header"),
        (b"\0" * 3 * MB, "archive_header"),
    ],
)
def test_a_pax_header_that_lies_or_is_too_long_is_refused(records, code):
    assert refusal(with_pax(records)) == code


def test_a_global_pax_header_may_comment_but_not_name():
    assert refusal(with_pax(pax_record(b"path", b"other.py"), kind=b"g")) == "archive_header"
    assert store(with_pax(pax_record(b"comment", b"4f1c"), kind=b"g")).has("main.py")


def test_a_gnu_long_name_over_8_kb_is_refused():
    assert refusal(compressed(member("x" * 9000), form=tarfile.GNU_FORMAT)) == "archive_header"


def test_a_member_with_a_gnu_and_a_pax_name_is_refused():
    records = pax_record(b"path", b"a.py")
    gnu = raw_header(b"././@LongLink", size=5, kind=b"L") + padded(b"b.py\0")
    pax = raw_header(b"pax", size=len(records), kind=b"x") + padded(records)
    assert refusal(raw_tgz(gnu, pax, raw_header())) == "archive_header"


def test_an_extended_header_without_its_member_is_refused():
    records = pax_record(b"path", b"a.py")
    assert refusal(raw_tgz(raw_header(b"pax", size=len(records), kind=b"x"), padded(records))) == "archive_header"


def test_a_broken_checksum_is_refused():
    assert refusal(raw_tgz(b"\x01" + raw_header()[1:])) == "archive_header"


def test_a_negative_size_is_refused():
    header = bytearray(raw_header())
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert refusal(raw_tgz(bytes(header))) == "archive_header"


def test_a_directory_with_a_size_is_refused():
    assert refusal(raw_tgz(raw_header(b"d", kind=b"5", size=512), b"x" * 512)) == "archive_header"


def test_a_file_whose_name_ends_in_a_slash_is_refused():
    assert refusal(raw_tgz(raw_header(b"main.py/"))) == "archive_path"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([MAIN, MAIN], "archive_duplicate"),
        ([MAIN, member("./main.py")], "archive_duplicate"),
        ([MAIN, member("Main.py")], "archive_collision"),
        ([member("strasse.py"), member("straße.py")], "archive_collision"),
        ([member("ﬁle.py"), member("file.py")], "archive_collision"),
        ([member("Src/a.py"), member("src/b.py")], "archive_collision"),
        ([member("a"), member("a/b")], "archive_clash"),
        ([member("a/b"), member("a")], "archive_clash"),
        ([directory("a"), member("a")], "archive_clash"),
    ],
)
def test_two_members_of_one_name_are_refused(members, code):
    assert refusal(compressed(*members)) == code


def test_two_unicode_forms_of_one_name_are_one_name():
    assert refusal(compressed(member("é.py"), member(unicodedata.normalize("NFD", "é.py")))) == "archive_duplicate"


def test_names_are_stored_in_nfc():
    assert paths(member(unicodedata.normalize("NFD", "é.py"))) == ["é.py"]


def test_2000_members_are_taken_and_2001_are_not():
    files = [member(f"f{number}", b"") for number in range(2001)]
    assert len(paths(*files[:2000])) == 2000
    assert refusal(compressed(*files)) == "archive_too_many"


def test_directories_that_are_only_implied_count_as_members():
    assert refusal(compressed(*[member(f"d{number}/f", b"") for number in range(1001)])) == "archive_too_many"


def test_endless_extended_headers_are_refused():
    comment = pax_record(b"comment", b"x")
    header = raw_header(b"pax", size=len(comment), kind=b"g") + padded(comment)
    assert refusal(raw_tgz(header * 7000)) in ("archive_too_many", "archive_ratio")


def test_a_file_of_10_mb_is_taken_and_one_byte_more_is_not():
    assert store(compressed(member("data", filler(10 * MB)))).files[0].size == 10 * MB
    assert refusal(compressed(member("data", filler(10 * MB + 1)))) == "archive_file_too_large"


def test_50_mb_of_files_are_taken_and_one_byte_more_is_not():
    files = [member(f"f{number}", filler(10 * MB)) for number in range(5)]
    assert len(store(compressed(*files)).files) == 5
    assert refusal(compressed(*files, member("more", b"x"))) == "archive_total_too_large"


def test_a_bomb_stops_after_the_first_megabyte():
    bomb = compressed(*[member(f"zeros{number}", b"\0" * 9 * MB) for number in range(5)])
    stream = io.BytesIO(bomb + b"\0" * MB)
    with pytest.raises(ArchiveRejected, match="100 times"):
        normalise(stream)
    assert stream.tell() <= 128 * 1024


def test_a_small_archive_may_compress_well():
    assert store(compressed(member("zeros", b"\0" * 900_000))).files[0].size == 900_000


def test_10_mb_compressed_are_taken_and_one_byte_more_is_not():
    noise = os.urandom(9 * MB)
    padding = 10 * MB - len(gzip.compress(tar(member("a", noise)), 0, mtime=0))
    files = [member("a", noise), member("b", os.urandom(padding - 8192))]
    content = gzip.compress(tar(*files), 0, mtime=0)
    head = b"\x1f\x8b\x08\x08" + content[4:10] + b"n" * (10 * MB - len(content) - 1) + b"\0"
    exact = head + content[10:]
    assert len(exact) == 10 * MB
    assert len(store(exact).files) == 2
    with pytest.raises(TooLarge):
        store(head[:10] + b"n" + head[10:] + content[10:])


def test_an_announced_length_over_10_mb_is_refused_unread():
    stream = io.BytesIO(compressed(MAIN))
    with pytest.raises(TooLarge):
        normalise(stream, size_hint=10 * MB + 1)
    assert stream.tell() == 0


def test_an_endless_upload_is_refused_at_the_limit():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            self.given += size
            return gzip.compress(tar(MAIN))[:10] + b"n" * (size - 10) if self.given == size else b"n" * size

    stream = Endless()
    with pytest.raises(ArchiveRejected):
        normalise(stream)
    assert stream.given <= 11 * MB


@pytest.mark.parametrize("cut", [5, 40, 100, -9, -1])
def test_a_truncated_archive_is_refused(cut):
    assert refusal(compressed(member("a", os.urandom(2000)))[:cut]) == "archive_truncated"


def test_a_tar_without_its_end_is_refused():
    assert refusal(gzip.compress(raw_header())) == "archive_truncated"


def test_a_damaged_archive_is_refused():
    content = bytearray(compressed(member("a", os.urandom(2000))))
    content[-6] ^= 0xFF
    assert refusal(bytes(content)) == "archive_corrupt"


@pytest.mark.parametrize("extra", [b"x", b"\0", gzip.compress(b""), compressed(MAIN)])
def test_data_after_the_archive_is_refused(extra):
    assert refusal(compressed(MAIN) + extra) == "archive_trailing_data"


def test_data_after_the_tar_is_refused():
    assert refusal(gzip.compress(tar(MAIN) + raw_header(b"hidden.py"))) == "archive_trailing_data"


def _zip():
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w") as file:
        file.writestr("main.py", "x")
    return output.getvalue()


@pytest.mark.parametrize("content", [_zip(), tar(MAIN), b"\xfd7zXZ\0", b"BZh91AY", b"hello"])
def test_another_format_is_refused(content):
    assert refusal(content) == "archive_not_gzip"


def test_an_empty_upload_and_an_empty_archive_are_refused():
    assert refusal(b"") == "archive_empty"
    assert refusal(compressed()) == "archive_empty"
    assert refusal(compressed(directory("a"), directory("a/b"))) == "archive_empty"


def test_a_refusal_names_the_member_escaped_and_cut():
    with pytest.raises(ArchiveRejected) as caught:
        store(compressed(member("../\x1b[31m" + "x" * 500)))
    assert r"\x1b[31m" in caught.value.message
    assert len(caught.value.message) < 250


def test_dots_inside_a_name_are_fine():
    assert paths(member("a..b.py"), member("...")) == ["...", "a..b.py"]


@pytest.mark.parametrize("name", ["./main.py", "././main.py", ".//main.py"])
def test_a_leading_dot_slash_is_taken_away(name):
    assert paths(directory("./"), member(name)) == ["main.py"]


def test_one_common_top_directory_is_taken_away():
    assert paths(directory("checker"), member("checker/main.py"), member("checker/lib/a.py")) == ["lib/a.py", "main.py"]
    assert paths(member("checker/main.py")) == ["main.py"]


def test_the_top_directory_stays_where_it_is_not_the_only_one_or_is_asked_for():
    assert paths(member("a/main.py"), member("b/x.py")) == ["a/main.py", "b/x.py"]
    assert paths(member("a/main.py"), member("x.py")) == ["a/main.py", "x.py"]
    assert paths(member("a/main.py"), strip_top=False) == ["a/main.py"]


def test_files_that_macos_adds_are_left_out():
    assert paths(member("._checker"), member("checker/._main.py"), member("checker/main.py")) == ["main.py"]


def test_an_archive_inside_the_archive_stays_closed():
    inner = compressed(member("../evil"))
    assert store(compressed(MAIN, member("inner.tgz", inner))).read("inner.tgz") == inner


def test_modes_owners_times_and_attributes_are_made_plain():
    odd = member(
        "d/main.py", mode=0o6777, uid=0, gid=0, uname="root", mtime=99, pax_headers={"SCHILY.xattr.user.x": "1"}
    )
    content = store(compressed(odd), strip_top=False).content
    with tarfile.open(fileobj=io.BytesIO(content)) as file:
        seen = [(m.name, m.mode, m.uid, m.gid, m.uname, m.mtime, m.pax_headers) for m in file]
    assert seen == [("d", 0o755, 1000, 1000, "", 0, {}), ("d/main.py", 0o644, 1000, 1000, "", 0, {})]


def test_the_same_files_give_the_same_content_id():
    first = store(compressed(MAIN, directory("lib"), member("lib/a.py"), form=tarfile.GNU_FORMAT))
    second = store(gzip.compress(tar(member("./lib/a.py", mode=0o777, mtime=5), MAIN), 1))
    assert first.sha256 == second.sha256


def test_the_id_and_size_are_of_the_content_and_it_can_be_stored_and_read_again():
    archive = store(compressed(MAIN, member("lib/é.py", b"e" * 700)))
    assert archive.sha256 == hashlib.sha256(archive.content).hexdigest()
    files = json.loads(json.dumps(archive.files))
    again = Archive.stored(content=archive.content, sha256=archive.sha256, files=files)
    assert again == archive
    assert again.read("main.py") == b"print('hi')\n"
    assert again.has("lib/é.py")
    assert not again.has("lib")


def test_reading_a_file_that_is_not_there_is_a_key_error():
    with pytest.raises(KeyError):
        store(compressed(MAIN)).read("other.py")


def test_normalising_twice_changes_nothing():
    archive = store(compressed(MAIN, member("x" * 150 + ".py"), directory("empty")))
    assert store(archive.content) == archive


@pytest.mark.skipif(not shutil.which("tar"), reason="GNU tar is not installed")
def test_gnu_tar_and_busybox_read_the_same_names():
    archive = store(compressed(MAIN, member("l" * 120 + "/" + "n" * 70), member("é/ž.py")))
    expected = [file.path for file in archive.files]
    for command in (["tar", "-tz", "--quoting-style=literal"], ["busybox", "tar", "-tz"]):
        if shutil.which(command[0]):
            listed = subprocess.run([*command, "-f-"], input=archive.content, capture_output=True, check=True).stdout
            assert [name for name in listed.decode().split("\n") if name and not name.endswith("/")] == expected


def test_a_directory_gives_what_its_upload_would_store(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.py").write_text("x")
    (tmp_path / "lib" / "a.py").write_text("y")
    upload = store(compressed(member("main.py", b"x"), member("lib/a.py", b"y")))
    assert from_directory(tmp_path) == upload


@pytest.mark.parametrize("skipped", [".git", "__pycache__", "node_modules", ".venv", "lib/node_modules"])
def test_caches_of_a_directory_stay_out(tmp_path, skipped):
    (tmp_path / skipped).mkdir(parents=True)
    (tmp_path / skipped / "link").symlink_to("/etc")
    (tmp_path / "main.py").write_text("x")
    assert [file.path for file in from_directory(tmp_path).files] == ["main.py"]


def test_a_link_or_pipe_in_a_directory_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ArchiveRejected, match="is a link"):
        from_directory(tmp_path)
    (tmp_path / "link").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArchiveRejected, match="special"):
        from_directory(tmp_path)


def test_a_large_file_in_a_directory_is_refused(tmp_path):
    with (tmp_path / "big").open("wb") as file:
        file.truncate(200 * MB)
    with pytest.raises(ArchiveRejected, match="larger than 10 MB"):
        from_directory(tmp_path)


def test_a_directory_that_packs_to_more_than_10_mb_is_too_large(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(os.urandom(6 * MB))
    with pytest.raises(TooLarge):
        from_directory(tmp_path)


@pytest.mark.usefixtures("processes")
def test_the_worst_archive_that_is_taken_stays_within_60_mb_of_memory(tmp_path):
    path = tmp_path / "worst.tgz"
    path.write_bytes(compressed(*[member(f"f{number}", filler(10 * MB, noise=2_050_000)) for number in range(5)]))
    assert path.stat().st_size > 9.5 * MB
    code = (
        "import sys; from customchecks.archives.script_archive import normalise; normalise(open(sys.argv[1], 'rb'));"
        "print(*[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')])"
    )
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, cwd=root)
    assert int(run.stdout) < 60 * 1024


def _header_changed(changes):
    header = bytearray(raw_header(size=3))
    for position, value in changes:
        header[position] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), max_size=12))
def test_a_hostile_header_is_taken_or_refused_and_nothing_else(changes):
    try:
        archive = store(raw_tgz(_header_changed(changes), padded(b"abc"), raw_header(b"other.py")))
    except ArchiveRejected:
        return
    assert all(not file.path.startswith("/") and ".." not in file.path.split("/") for file in archive.files)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=3000))
def test_arbitrary_bytes_are_refused_without_a_crash(data):
    for content in (data, gzip.compress(data), b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + data):
        with pytest.raises(ArchiveRejected):
            store(content)
