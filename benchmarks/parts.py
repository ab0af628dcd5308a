"""Names of processor designs, by the two numbers that /proc/cpuinfo shows of each core on ARM.

    CPU implementer : 0x41, CPU part : 0xd0b  ->  Cortex-A76

The numbers are those of the register MIDR_EL1, as the makers' manuals and the Linux kernel's cputype.h have
them.
"""

from __future__ import annotations

from collections.abc import Mapping

_ARM: Mapping[int, str] = {
    **{0xC07: "Cortex-A7", 0xC08: "Cortex-A8", 0xC09: "Cortex-A9", 0xC0F: "Cortex-A15"},
    **{0xD03: "Cortex-A53", 0xD04: "Cortex-A35", 0xD05: "Cortex-A55", 0xD06: "Cortex-A65"},
    **{0xD07: "Cortex-A57", 0xD08: "Cortex-A72", 0xD09: "Cortex-A73", 0xD0A: "Cortex-A75"},
    **{0xD0B: "Cortex-A76", 0xD0C: "Neoverse-N1", 0xD0D: "Cortex-A77", 0xD0E: "Cortex-A76AE"},
    **{0xD40: "Neoverse-V1", 0xD41: "Cortex-A78", 0xD42: "Cortex-A78AE", 0xD43: "Cortex-A65AE"},
    **{0xD44: "Cortex-X1", 0xD46: "Cortex-A510", 0xD47: "Cortex-A710", 0xD48: "Cortex-X2"},
    **{0xD49: "Neoverse-N2", 0xD4A: "Neoverse-E1", 0xD4B: "Cortex-A78C", 0xD4C: "Cortex-X1C"},
    **{0xD4D: "Cortex-A715", 0xD4E: "Cortex-X3", 0xD4F: "Neoverse-V2", 0xD80: "Cortex-A520"},
    **{0xD81: "Cortex-A720", 0xD82: "Cortex-X4", 0xD84: "Neoverse-V3", 0xD85: "Cortex-X925"},
    **{0xD87: "Cortex-A725", 0xD8E: "Neoverse-N3"},
}
_QUALCOMM: Mapping[int, str] = {
    **{0x001: "Oryon", 0x800: "Kryo 2xx Gold", 0x801: "Kryo 2xx Silver", 0x802: "Kryo 3xx Gold"},
    **{0x803: "Kryo 3xx Silver", 0x804: "Kryo 4xx Gold", 0x805: "Kryo 4xx Silver", 0xC00: "Falkor"},
}
_APPLE: Mapping[int, str] = {
    **{0x022: "M1 Icestorm", 0x023: "M1 Firestorm", 0x032: "M2 Blizzard", 0x033: "M2 Avalanche"},
}
_PARTS: Mapping[int, tuple[str, Mapping[int, str]]] = {
    0x41: ("Arm", _ARM),
    0x46: ("Fujitsu", {0x001: "A64FX"}),
    0x48: ("HiSilicon", {0xD01: "TSV110", 0xD40: "Cortex-A76"}),
    0x4E: ("NVIDIA", {0x003: "Denver 2", 0x004: "Carmel"}),
    0x51: ("Qualcomm", _QUALCOMM),
    0x53: ("Samsung", {0x001: "Exynos M1", 0x002: "Exynos M3", 0x003: "Exynos M4", 0x004: "Exynos M5"}),
    0x61: ("Apple", _APPLE),
    0xC0: ("Ampere", {0xAC3: "Ampere-1", 0xAC4: "Ampere-1A"}),
}


def core_name(processor: Mapping[str, str]) -> str:
    """The design of a core, from its paragraph of /proc/cpuinfo; the numbers of an unknown one."""
    if "model name" in processor:
        return processor["model name"]
    try:
        implementer = int(processor.get("CPU implementer", "0x41"), 16)
        part = int(processor["CPU part"], 16)
    except (KeyError, ValueError):
        return "unknown"
    maker, parts = _PARTS.get(implementer, (f"maker {implementer:#x}", {}))
    return parts.get(part, f"{maker} part {part:#05x}")
