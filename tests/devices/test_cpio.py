from __future__ import annotations

import stat

from evit_deploy.devices.cpio import archive, character_device, file, folder


def entries_of(data: bytes) -> dict[str, tuple[list[int], bytes]]:
    """What is in an archive: name -> the header's numbers, content; read as the kernel reads it."""
    found, at = {}, 0
    while True:
        assert data[at : at + 6] == b"070701"
        assert at % 4 == 0
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, name_size = fields[6], fields[11]
        name = data[at + 110 : at + 109 + name_size].decode()
        assert data[at + 109 + name_size] == 0
        begin = at + -(-(110 + name_size) // 4) * 4
        if name == "TRAILER!!!":
            assert begin == len(data)
            return found
        found[name] = (fields, data[begin : begin + size])
        at = begin + -(-size // 4) * 4


def test_what_goes_in_comes_out() -> None:
    things = [
        folder("dev"),
        character_device("dev/console", 5, 1),
        *(file(f"file{n}", b"x" * n, executable=n == 3) for n in range(6)),
    ]
    found = entries_of(archive(things))
    assert list(found) == ["dev", "dev/console", *(f"file{n}" for n in range(6))]
    assert all(found[f"file{n}"][1] == b"x" * n for n in range(6))
    assert stat.S_ISDIR(found["dev"][0][1])
    assert stat.filemode(found["file3"][0][1]) == "-rwxr-xr-x"
    assert stat.filemode(found["file2"][0][1]) == "-rw-r--r--"


def test_a_device_node_has_its_numbers_and_root_owns_all() -> None:
    fields, _ = entries_of(archive([character_device("console", 5, 1)]))["console"]
    assert stat.S_ISCHR(fields[1])
    assert fields[9:11] == [5, 1]
    assert fields[2:4] == [0, 0]


def test_equal_content_gives_equal_bytes() -> None:
    assert archive([file("a", b"1")]) == archive([file("a", b"1")])
    # One file has one inode number: the kernel takes equal ones for links.
    numbers = [fields[0] for fields, _ in entries_of(archive([file("a", b""), file("b", b"")])).values()]
    assert len(set(numbers)) == 2
