"""Whether the cores and the memory are ours alone: other processes, other virtual machines, other threads."""

from __future__ import annotations

from evit_deploy.benchmarks.doctor.finding import MEND, NOTE, OK, UNKNOWN, Conditions, Finding

# More than this of all cores' time, and somebody else is there: an idle system's own work is below 1 %.
_BUSY, _STEAL = 0.03, 0.002
_LITTLE_MEMORY_BYTES = 500e6
_SWAP_BYTES = 1e6


def load(conditions: Conditions) -> Finding:
    """Other processes take the core, or its cache and memory bandwidth."""
    busy, busiest = conditions["busy"], conditions["busiest"]
    if busy is None:
        return Finding("load", UNKNOWN, "/proc/stat cannot be read")
    found = f"others use {busy:.0%} of all cores"
    if busy < _BUSY:
        return Finding("load", OK, found)
    names = ", ".join(f"{p['name']} ({p['pid']}) {p['cores']:.2f}" for p in busiest)
    command = f"ps -o pid,user,etime,args -p {','.join(str(p['pid']) for p in busiest)}" if busiest else "top"
    why = "they take turns with what is measured; stop them, or wait"
    return Finding("load", MEND, f"{found}; busiest, in cores: {names or 'short-lived ones'}", why, command)


def virtual(conditions: Conditions) -> Finding:
    """A virtual machine's cores are somebody else's, too."""
    hypervisor, steal = conditions["hypervisor"], conditions["steal"]
    if steal is not None and steal > _STEAL:
        why = "the host runs others on these cores; rent dedicated ones, or measure at another time"
        return Finding("virtual", NOTE, f"the host took {steal:.1%} of the time", why)
    if hypervisor is None:
        return Finding("virtual", OK, "no virtual machine, as far as one can see")
    why = "its cores may be shared, with a cache that others use, and a frequency that cannot be seen"
    return Finding("virtual", NOTE, f"a virtual machine ({hypervisor}); no time was stolen now", why)


def cores(conditions: Conditions) -> Finding:
    """Whatever else runs needs a core of its own."""
    count, quota = len(conditions["cores"]), conditions["quota_cores"]
    if quota is not None and quota < count:
        why = "a process that uses more is stopped for the rest of each tenth of a second"
        command = "docker update --cpus 0 CONTAINER    # on the host, or its like"
        return Finding("cores", MEND, f"{count}, of which this container may use {quota:g}", why, command)
    if count < 3:
        why = "the system's own work has no other core to go to; measure with --threads 1"
        return Finding("cores", NOTE, str(count), why)
    return Finding("cores", OK, str(count))


def siblings(conditions: Conditions) -> Finding:
    """Two hardware threads share one core's arithmetic."""
    shared = {c["siblings"] for c in conditions["cores"] if c["siblings"] and set("-,") & set(c["siblings"])}
    if conditions["smt"] != 1 and not shared:
        return Finding("siblings", OK, "one hardware thread a core")
    command = "echo off | sudo tee /sys/devices/system/cpu/smt/control"
    why = "what runs on the other thread of a core slows this one down"
    return Finding("siblings", MEND, "several hardware threads a core", why, command, root=True)


def memory(conditions: Conditions) -> Finding:
    """What was swapped out comes back at its own time."""
    sizes = conditions["memory"]
    if not sizes:
        return Finding("memory", UNKNOWN, "/proc/meminfo cannot be read")
    used, free = sizes["swap_used_bytes"], sizes["available_bytes"]
    found = f"{free / 1e6:.0f} MB available, {used / 1e6:.0f} MB in swap"
    if used > _SWAP_BYTES:
        why = "memory that was swapped out is read back in the middle of a run"
        return Finding("memory", MEND, found, why, "sudo swapoff -a", root=True)
    if free < _LITTLE_MEMORY_BYTES:
        return Finding("memory", NOTE, found, "large graphs may not fit: close other programs")
    return Finding("memory", OK, found)
