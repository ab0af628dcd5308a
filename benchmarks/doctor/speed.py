"""Whether the cores run at one speed: governor, frequency, turbo, heat, power; and how quick the clock is."""

from __future__ import annotations

from collections.abc import Sequence

from evit_deploy.benchmarks.doctor.finding import MEND, NOTE, OK, UNKNOWN, Conditions, Finding

_POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"
# From here on a launch of some seconds at full load was seen to reach the limit on boards without a fan.
_HEADROOM_C = 15.0
_FAST_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
_FIRMWARE = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}


def governor(conditions: Conditions) -> Finding:
    """Another one than "performance" changes the frequency with the load."""
    others = {c["core"]: c["governor"] for c in conditions["cores"] if c["governor"] != "performance"}
    if not others:
        return Finding("governor", OK, "performance on all cores")
    if all(name is None for name in others.values()):
        return Finding("governor", UNKNOWN, "the kernel shows none here")
    found = f"{', '.join(sorted({str(name) for name in others.values()}))} on cores {_numbers(list(others))}"
    why = "the first runs are slow until the frequency has risen"
    if not all("performance" in core["governors"] for core in conditions["cores"]):
        return Finding("governor", NOTE, f"{found}; this kernel does not offer 'performance'", why)
    command = f"echo performance | sudo tee {_POLICIES}/scaling_governor"
    return Finding("governor", MEND, found, why, command, root=True)


def frequency(conditions: Conditions) -> Finding:
    """A frequency that may vary will."""
    ranges = {(core["lowest_khz"], core["highest_khz"]) for core in conditions["cores"]}
    if any(None in limits for limits in ranges):
        return Finding("frequency", UNKNOWN, "the kernel shows none here")
    found = ", ".join(sorted({_megahertz(*limits) for limits in ranges}))
    if all(low == high for low, high in ranges):
        return Finding("frequency", OK, f"fixed at {found}")
    command = f"for p in {_POLICIES}; do sudo cp $p/scaling_max_freq $p/scaling_min_freq; done"
    why = "launches run at different frequencies"
    return Finding("frequency", MEND, f"not fixed: {found}", why, command, root=True)


def turbo(conditions: Conditions) -> Finding:
    """Turbo lasts as long as the chip is cool."""
    folder = "/sys/devices/system/cpu"
    why = "the frequency depends on temperature and on how many cores are busy"
    if conditions["no_turbo"] == 0:
        command = f"echo 1 | sudo tee {folder}/intel_pstate/no_turbo"
        return Finding("turbo", MEND, "on", why, command, root=True)
    if conditions["boost"] == 1:
        return Finding("turbo", MEND, "on", why, f"echo 0 | sudo tee {folder}/cpufreq/boost", root=True)
    if conditions["no_turbo"] is None and conditions["boost"] is None:
        return Finding("turbo", UNKNOWN, "the kernel shows no switch for it here")
    return Finding("turbo", OK, "off")


def temperature(conditions: Conditions) -> Finding:
    """Near the limit, the chip slows down."""
    limited = [zone for zone in conditions["zones"] if zone["limit_c"] is not None]
    if not limited:
        return Finding("temperature", UNKNOWN, "no thermal zone with a limit is shown")
    zone = min(limited, key=lambda z: z["limit_c"] - z["temperature_c"])
    headroom = zone["limit_c"] - zone["temperature_c"]
    found = f"{zone['temperature_c']:.0f} C in {zone['zone']}, {headroom:.0f} below where it slows down"
    if headroom >= _HEADROOM_C:
        return Finding("temperature", OK, found)
    return Finding("temperature", NOTE, found, "it will be slowed down: let it cool, add a fan or heat sink")


def throttled(conditions: Conditions) -> Finding:
    """Slowed down at this moment."""
    throttle = conditions["state"]["throttle"]
    flags = throttle["firmware"]
    reasons = [f"{name} at step {step}" for name, step in throttle["cooling"].items() if step > 0]
    reasons += [text for bit, text in _FIRMWARE.items() if flags is not None and flags >> bit & 1]
    if reasons:
        why = "the device runs slower than it can: mind its cooling and its power supply"
        return Finding("throttling", NOTE, ", ".join(reasons), why)
    if flags is None and not throttle["cooling"]:
        return Finding("throttling", UNKNOWN, "neither kernel nor firmware shows it here")
    return Finding("throttling", OK, "none now")


def power(conditions: Conditions) -> Finding:
    """On battery, or asked to save power."""
    profile = conditions["platform_profile"]
    kinds = {supply["type"] for supply in conditions["supplies"]}
    if any(s["type"] == "Battery" and s["status"] == "Discharging" for s in conditions["supplies"]):
        return Finding("power", NOTE, "on battery", "power is saved, more so as it empties: plug it in")
    if profile not in (None, "performance"):
        command = "echo performance | sudo tee /sys/firmware/acpi/platform_profile"
        return Finding("power", MEND, f"profile '{profile}'", "power is saved", command, root=True)
    return Finding("power", OK, "not on battery" if kinds else "no battery")


def clock(conditions: Conditions) -> Finding:
    """Some clocks take microseconds to read."""
    source = conditions["clock_source"]
    if source is None:
        return Finding("clock", UNKNOWN, "the kernel does not say")
    if source in _FAST_CLOCKS:
        return Finding("clock", OK, source)
    folder = "/sys/devices/system/clocksource/clocksource0"
    why = "each reading may take microseconds, which counts for graphs as short"
    return Finding("clock", NOTE, source, why, f"cat {folder}/available_clocksource")


def _numbers(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _megahertz(low: int, high: int) -> str:
    return f"{high / 1000:.0f} MHz" if low == high else f"{low / 1000:.0f}-{high / 1000:.0f} MHz"
